"""Repeats, endings and jumps of MusicXML, one in each tiny file."""

from pathlib import Path
from typing import Any

import pytest
from support.scores.notations import bar, line, n, partwise, played, shown, sign, words

from oneleap.domains.singing.scores.musicxml import read_musicxml
from oneleap.domains.singing.scores.score import Score

pytest.importorskip("defusedxml")


def read(folder: Path, text: str, **options: Any) -> Score:
    path = folder / "a.xml"
    path.write_text(text, encoding="utf-8")
    return read_musicxml(path, **options)


def la(pitch: str = "C4") -> str:
    return n(pitch, 4, "ら")


def bars(count: int, **at: str) -> str:
    """Bars of one note; ``b2`` is put before the note of bar 2, ``e2`` after it."""
    return "".join(
        bar(k, at.get(f"b{k}", ""), la(), at.get(f"e{k}", "")) for k in range(1, count + 1)
    )


FORWARD, BACKWARD = line(repeat="forward"), line(repeat="backward")


def volta(number: str, **line_options: Any) -> tuple[str, str]:
    return line(number), line(number, "stop", **line_options)


JUMPS: list[tuple[str, str, str]] = [
    ("no repeat", bars(3), "1 2 3"),
    ("a repeat", bars(3, b2=FORWARD, e2=BACKWARD), "1 2 2 3"),
    ("a repeat from the start", bars(3, e2=BACKWARD), "1 2 1 2 3"),
    ("three times", bars(2, e1=line(repeat="backward", times=3)), "1 1 1 2"),
    ("two repeats", bars(4, e1=BACKWARD, b3=FORWARD, e4=BACKWARD), "1 1 2 3 4 3 4"),
    (
        "endings",
        bars(3, b2=line("1"), e2=line("1", "stop", "backward"), b3=line("2"), e3=line("2", "stop")),
        "1 2 1 3",
    ),
    (
        "an open second ending",
        bars(
            4,
            b2=line("1"),
            e2=line("1", "stop", "backward"),
            b3=line("2"),
            e3=line("2", "discontinue"),
        ),
        "1 2 1 3 4",
    ),
    ("a first ending alone", bars(3, b2=line("1"), e2=line("1", "stop", "backward")), "1 2 1 3"),
    (
        "endings of two bars",
        bars(5, b2=line("1"), e3=line("1", "stop", "backward"), b4=line("2"), e5=line("2", "stop")),
        "1 2 3 1 4 5",
    ),
    *(
        (
            f"the ending {text}",
            bars(
                3,
                b2=line(text),
                e2=line(text, "stop", "backward"),
                b3=line("3"),
                e3=line("3", "stop"),
            ),
            "1 2 1 2 1 3",
        )
        for text in ("1, 2", "1,2", "1 2", "1.2.", "1. 2.", "1-2", "1.-2.", "1 - 2", "1–2")
    ),
    (
        "the ending 1-3",
        bars(
            3,
            b2=line("1-3"),
            e2=line("1-3", "stop", "backward"),
            b3=line("4"),
            e3=line("4", "stop"),
        ),
        "1 2 1 2 1 2 1 3",
    ),
    (
        "endings 1 and 2, 3",
        bars(
            3,
            b2=line("1"),
            e2=line("1", "stop", "backward"),
            b3=line("2, 3"),
            e3=line("2, 3", "stop", "backward"),
        ),
        "1 2 1 3 1 3",
    ),
    (
        "an ending that repeats at the end",
        bars(
            3,
            b2=line("1"),
            e2=line("1", "stop", "backward"),
            b3=line("2"),
            e3=line("2", "stop", "backward"),
        ),
        "1 2 1 3",
    ),
    ("an ending numbered ²", bars(2, b2=line("²"), e2=line("²", "stop", "backward")), "1 2 1"),
    ("D.C. al Fine", bars(3, e1=words("Fine"), e3=words("D.C. al Fine")), "1 2 3 1"),
    ("D.C. without periods", bars(3, e1=words("FINE"), e3=words("DC al fine")), "1 2 3 1"),
    ("da capo", bars(2, e2=words("Da Capo")), "1 2 1 2"),
    ("dacapo as sound", bars(2, e2='<sound dacapo="yes"/>'), "1 2 1 2"),
    ("dacapo that is no", bars(2, e2='<sound dacapo="no"/>'), "1 2"),
    (
        "dacapo in words and sound",
        bars(3, e1=words("Fine", 'fine="yes"'), e3=words("D.C. al Fine", 'dacapo="yes"')),
        "1 2 3 1",
    ),
    ("D.S.", bars(3, b2=sign("segno"), e3=words("D.S.")), "1 2 3 2 3"),
    (
        "dalsegno as sound",
        bars(3, b2=sign("segno", 'segno="s"'), e3='<sound dalsegno="s"/>'),
        "1 2 3 2 3",
    ),
    (
        "D.S. al Fine",
        bars(4, b2=sign("segno"), e3=words("Fine"), e4=words("D.S. al Fine")),
        "1 2 3 4 2 3",
    ),
    (
        "D.S. al Coda",
        bars(4, b1=sign("segno"), e2=words("To Coda"), e3=words("D.S. al Coda"), b4=words("Coda")),
        "1 2 3 1 2 4",
    ),
    (
        "D.S. al Coda as sound",
        bars(
            4,
            b1='<sound segno="s"/>',
            e2='<sound tocoda="c"/>',
            e3='<sound dalsegno="s"/>',
            b4='<sound coda="c"/>',
        ),
        "1 2 3 1 2 4",
    ),
    (
        "D.C. al Coda",
        bars(4, e1=words("To Coda"), e3=words("D.C. al Coda"), b4=sign("coda")),
        "1 2 3 1 4",
    ),
    (
        "two coda signs",
        bars(4, e1=sign("coda"), e3=words("D.C. al Coda"), b4=sign("coda")),
        "1 2 3 1 4",
    ),
    (
        "a coda sign beside To Coda",
        bars(
            4,
            e1=words("To Coda") + sign("coda", 'tocoda="c"'),
            e3=words("D.C. al Coda"),
            b4=sign("coda", 'coda="c"'),
        ),
        "1 2 3 1 4",
    ),
    (
        "al Coda for To Coda",
        bars(4, e1=words("al Coda"), e3=words("D.C. al Coda"), b4=words("CODA")),
        "1 2 3 1 4",
    ),
    (
        "Fine before al Coda is passed",
        bars(4, e1=words("Fine"), e2=words("To Coda"), e3=words("D.C. al Coda"), b4=words("Coda")),
        "1 2 3 1 2 4",
    ),
    (
        "To Coda before al Fine is passed",
        bars(4, e1=words("To Coda"), e2=words("Fine"), e3=words("D.C. al Fine"), b4=words("Coda")),
        "1 2 3 1 2",
    ),
    ("Fine without a jump is passed", bars(2, e1=words("Fine")), "1 2"),
    ("To Coda without a jump is passed", bars(3, e1=words("To Coda"), b3=words("Coda")), "1 2 3"),
    (
        "repeats are not played after a jump",
        bars(3, e2=BACKWARD, e3=words("D.C.")),
        "1 2 1 2 3 1 2 3",
    ),
    (
        "the last ending after a jump",
        bars(
            4,
            b2=line("1"),
            e2=line("1", "stop", "backward"),
            b3=line("2"),
            e3=line("2", "stop"),
            e4=words("D.C."),
        ),
        "1 2 1 3 4 1 3 4",
    ),
    (
        "a jump in an ending",
        bars(
            3,
            b2=line("1"),
            e2=line("1", "stop", "backward"),
            b3=line("2"),
            e3=words("D.C. al Fine") + line("2", "stop"),
            e1=words("Fine"),
        ),
        "1 2 1 3 1",
    ),
    (
        "a jump after a repeat",
        bars(2, e1=words("Fine"), e2=words("D.C. al Fine") + BACKWARD),
        "1 2 1 2 1",
    ),
    (
        "a segno at a bar line",
        bars(3, b2='<barline location="left"><segno/></barline>', e3=words("D.S.")),
        "1 2 3 2 3",
    ),
    (
        "two segnos",
        bars(
            4,
            b1=sign("segno", 'segno="a"'),
            b3=sign("segno", 'segno="b"'),
            e4='<sound dalsegno="b"/>',
        ),
        "1 2 3 4 3 4",
    ),
    ("dal segno in words", bars(3, b2=words("Segno"), e3=words("Dal Segno")), "1 2 3 2 3"),
    (
        "words that are no sign",
        bars(2, b1=words("Finely"), e1=words("Codalike"), e2=words("Dashing, calm")),
        "1 2",
    ),
    (
        "repeats within a coda",
        bars(
            4,
            e1=words("To Coda"),
            e2=words("D.C. al Coda"),
            b3=words("Coda") + FORWARD,
            e4=BACKWARD,
        ),
        "1 2 1 3 4 3 4",
    ),
]


@pytest.mark.parametrize(("text", "expected"), [pytest.param(b, e, id=i) for i, b, e in JUMPS])
def test_order_of_bars(tmp_path: Path, text: str, expected: str) -> None:
    assert played(read(tmp_path, partwise(text))) == expected


def test_jumps_of_another_part_and_the_bars_that_are_played(tmp_path: Path) -> None:
    piano = bar(1, n("C3", 4), words("Fine")) + bar(2, n("C3", 4), words("D.C. al Fine"))
    voice = bar(1, la("D4")) + bar(2, la("E4"))
    found = read(tmp_path, partwise(piano, voice))
    assert shown(found) == "ら.D4.4 ら.E4.4 ら.D4.4"
