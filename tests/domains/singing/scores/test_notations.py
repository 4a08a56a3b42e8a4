"""Notations of MusicXML, one in each tiny file: each is read right."""

from pathlib import Path
from typing import Any

import pytest
from support.scores.notations import bar, lyric, n, partwise, shown, sign

from oneleap.domains.singing.scores.musicxml import read_musicxml
from oneleap.domains.singing.scores.score import Score

pytest.importorskip("defusedxml")


def read(folder: Path, text: str, **options: Any) -> Score:
    path = folder / "a.xml"
    path.write_text(text, encoding="utf-8")
    return read_musicxml(path, **options)


STOP, START = '<tie type="stop"/>', '<tie type="start"/>'


def notation(inside: str) -> str:
    return f"<notations>{inside}</notations>"


def articulation(name: str) -> str:
    return notation(f"<articulations><{name}/></articulations>")


NOTES: list[tuple[str, str, str]] = [
    ("one note", bar(1, n("A4", 4, "さ")), "さ.A4.4"),
    ("a sharp and a flat", bar(1, n("F#4", 1, "さ"), n("Bb4", 1, "ら")), "さ.F#4.1 ら.A#4.1"),
    ("a rest", bar(1, n("A4", 1, "さ"), n("_", 3)), "さ.A4.1 _.3"),
    ("rests are joined", bar(1, n("_"), n("_"), n("A4", 2, "さ")), "_.2 さ.A4.2"),
    ("a triplet", bar(1, n("A4", 1 / 3, "さ") * 3), "さ.A4.1/3 さ.A4.1/3 さ.A4.1/3"),
    ("a tie", bar(1, n("A4", 4, "さ", "", START)) + bar(2, n("A4", 2, "", "", STOP)), "さ.A4.6"),
    (
        "a tie over three bars",
        bar(1, n("A4", 4, "さ"))
        + bar(2, n("A4", 4, "", "", STOP + START))
        + bar(3, n("A4", 1, "", "", STOP)),
        "さ.A4.9",
    ),
    (
        "a tie as notation",
        bar(1, n("A4", 1, "さ"), n("A4", 1, "", "", notation('<tied type="stop"/>'))),
        "さ.A4.2",
    ),
    (
        "a tie whose lyric is repeated",
        bar(1, n("A4", 1, "さ"), n("A4", 1, "さ", "", STOP)),
        "さ.A4.2",
    ),
    (
        "a tie to another lyric",
        bar(1, n("A4", 1, "さ"), n("A4", 1, "く", "", STOP)),
        "さ.A4.1 く.A4.1",
    ),
    (
        "a tie to another pitch is a slur",
        bar(1, n("A4", 1, "さ"), n("B4", 1, "", "", STOP)),
        "さ.A4.1 ~.B4.1",
    ),
    ("a melisma", bar(1, n("A4", 1, "さ"), n("B4"), n("C5")), "さ.A4.1 ~.B4.1 ~.C5.1"),
    *(
        (
            f"the lyric {mark} continues",
            bar(1, n("A4", 1, "さ"), n("B4", 1, mark)),
            "さ.A4.1 ~.B4.1",
        )
        for mark in ("ー", "-", "+", "~", "—", "–", "_")
    ),
    (
        "an extender",
        bar(1, n("A4", 1, "さ"), n("B4", 1, "<lyric><extend/></lyric>")),
        "さ.A4.1 ~.B4.1",
    ),
    (
        "no lyric after a rest is hummed",
        bar(1, n("A4", 1, "さ"), n("_"), n("B4", 2)),
        "さ.A4.1 _.1 a.B4.2",
    ),
    ("no lyric at the start is hummed", bar(1, n("A4", 1), n("B4", 1, "さ")), "a.A4.1 さ.B4.1"),
    (
        "an elision",
        bar(1, n("A4", 1, "<lyric><text>か</text><elision/><text>あ</text></lyric>")),
        "か+あ.A4.1",
    ),
    ("an elision sign", bar(1, n("A4", 1, "ma‿a")), "ma+a.A4.1"),
    (
        "syllables of a word",
        bar(
            1,
            n("A4", 1, lyric("be", more="<syllabic>begin</syllabic>")),
            n("A4", 1, lyric("gin", more="<syllabic>end</syllabic>")),
        ),
        "be.A4.1- gin.A4.1",
    ),
    ("a hyphen at the end", bar(1, n("A4", 1, "be-"), n("A4", 1, "gin")), "be.A4.1- gin.A4.1"),
    ("a hyphen at the start", bar(1, n("A4", 1, "be"), n("A4", 1, "-gin")), "be.A4.1 gin.A4.1"),
    ("an apostrophe", bar(1, n("A4", 1, "don’t")), "don't.A4.1"),
    ("a comma", bar(1, n("A4", 1, "さ、"), n("A4", 1, "ら,")), "さ.A4.1 ら.A4.1"),
    ("the end of a sentence", bar(1, n("A4", 1, "さ。"), n("A4", 1, "ら")), "さ.A4.1' ら.A4.1"),
    (
        "a question in quotes",
        bar(1, n("A4", 1, "「さ\uff1f」"), n("A4", 1, "ら")),
        "さ.A4.1' ら.A4.1",
    ),
    (
        "the end of the song is no breath",
        bar(1, n("A4", 1, "さ"), n("A4", 1, "ら!")),
        "さ.A4.1 ら.A4.1",
    ),
    (
        "a sentence that ends with a melisma",
        bar(1, n("A4", 1, "さ."), n("B4"), n("A4", 1, "ら")),
        "さ.A4.1 ~.B4.1' ら.A4.1",
    ),
    ("quotation marks", bar(1, n("A4", 1, "“Hel-"), n("A4", 1, "lo”")), "Hel.A4.1- lo.A4.1"),
    ("brackets", bar(1, n("A4", 1, "(la)")), "la.A4.1"),
    ("only punctuation", bar(1, n("A4", 1, "さ"), n("B4", 1, "…")), "さ.A4.1 ~.B4.1"),
    ("the number of a verse", bar(1, n("A4", 1, "1. さ")), "さ.A4.1"),
    ("a music sign in a lyric", bar(1, n("A4", 1, "♪ら")), "ら.A4.1"),
    ("spaces around a lyric", bar(1, n("A4", 1, "  ら \u3000")), "ら.A4.1"),
    (
        "a breath mark",
        bar(1, n("A4", 1, "さ", "", articulation("breath-mark")), n("A4", 1, "ら")),
        "さ.A4.1' ら.A4.1",
    ),
    (
        "a caesura",
        bar(1, n("A4", 1, "さ", "", articulation("caesura")), n("A4", 1, "ら")),
        "さ.A4.1' ら.A4.1",
    ),
    ("an accent", bar(1, n("A4", 1, "さ", "", articulation("accent"))), "さ.A4.1>"),
    ("a marcato", bar(1, n("A4", 1, "さ", "", articulation("strong-accent"))), "さ.A4.1>"),
    ("a staccato is plain", bar(1, n("A4", 1, "さ", "", articulation("staccato"))), "さ.A4.1"),
    ("a fermata", bar(1, n("A4", 1, "さ", "", notation("<fermata/>"))), "さ.A4.1^"),
    ("sforzato", bar(1, sign("<dynamics><sfz/></dynamics>"), n("A4", 1, "さ")), "さ.A4.1>"),
    (
        "a grace note",
        bar(1, n("B4", 0, "", "<grace/>").replace("<duration>0</duration>", ""), n("A4", 1, "さ")),
        "さ.A4.1",
    ),
    (
        "the lyric of a grace note",
        bar(1, n("B4", 0, "さ", "<grace/>").replace("<duration>0</duration>", ""), n("A4", 1)),
        "さ.A4.1",
    ),
    ("a cue note", bar(1, n("C4", 1, "", "<cue/>"), n("A4", 1, "さ")), "_.1 さ.A4.1"),
    ("a chord", bar(1, n("A4", 1, "さ"), n("C5", 1, "", "<chord/>")), "さ.C5.1"),
    (
        "a chord whose lyric is repeated",
        bar(1, n("A4", 1, "さ"), n("C5", 1, "さ", "<chord/>")),
        "さ.C5.1",
    ),
    (
        "a chord that is tied",
        bar(
            1,
            n("A4", 1, "さ"),
            n("C5", 1, "", "<chord/>"),
            n("A4", 1, "", "", STOP),
            n("C5", 1, "", "<chord/>", STOP),
        ),
        "さ.C5.2",
    ),
    (
        "a second voice",
        bar(
            1,
            n("A4", 2, "さ"),
            "<backup><duration>48</duration></backup>",
            n("C4", 2, "", "", "<voice>2</voice>"),
        ),
        "さ.A4.2",
    ),
    (
        "a second staff",
        bar(
            1,
            n("A4", 2, "さ", "", "<staff>1</staff>"),
            "<backup><duration>48</duration></backup>",
            n("C3", 2, "", "", "<staff>2</staff>"),
        ),
        "さ.A4.2",
    ),
    (
        "a forward",
        bar(1, "<forward><duration>24</duration></forward>", n("A4", 1, "さ")),
        "_.1 さ.A4.1",
    ),
    ("an empty bar", bar(1) + bar(2, n("A4", 1, "さ")), "_.4 さ.A4.1"),
    (
        "a whole-measure rest",
        bar(1, '<note><rest measure="yes"/><duration>96</duration></note>')
        + bar(2, n("A4", 1, "さ")),
        "_.4 さ.A4.1",
    ),
    ("a pickup", bar(0, n("A4", 1, "さ")) + bar(1, n("A4", 4, "ら")), "さ.A4.1 ら.A4.4"),
    (
        "a quarter tone",
        bar(1, n("A4", 1, "さ").replace("<octave>", "<alter>0.5</alter><octave>")),
        "さ.A#4-50.1",
    ),
    ("a copied lyric", bar(1, n("A4", 1, lyric("さ") + lyric("さ"))), "さ.A4.1"),
    ("a lyric without a number", bar(1, n("A4", 1, lyric("さ", None))), "さ.A4.1"),
    (
        "a lyric on the second voice only",
        bar(
            1,
            n("C4", 1),
            "<backup><duration>24</duration></backup>",
            n("A4", 1, "さ", "", "<voice>2</voice>"),
        ),
        "さ.A4.1",
    ),
]


@pytest.mark.parametrize(("bars", "expected"), [pytest.param(b, e, id=i) for i, b, e in NOTES])
def test_notes(tmp_path: Path, bars: str, expected: str) -> None:
    assert shown(read(tmp_path, partwise(bars))) == expected
