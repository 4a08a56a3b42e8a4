"""Verses, parts, chords and tempos of tiny MusicXML files."""

from pathlib import Path
from typing import Any

import pytest
from support.scores.notations import bar, line, lyric, n, partwise, shown, sign, words

from oneleap.domains.singing.scores.musicxml import read_musicxml
from oneleap.domains.singing.scores.score import Score

pytest.importorskip("defusedxml")


def read(folder: Path, text: str, **options: Any) -> Score:
    path = folder / "a.xml"
    path.write_text(text, encoding="utf-8")
    return read_musicxml(path, **options)


def two(text: str, other: str) -> str:
    """Lyrics of two verses."""
    return lyric(text) + lyric(other, "2")


VERSES: list[tuple[str, str, Any, str]] = [
    ("the first by default", n("A4", 1, two("さ", "し")), None, "さ"),
    ("the second", n("A4", 1, two("さ", "し")), 2, "し"),
    ("the second as text", n("A4", 1, two("さ", "し")), "2", "し"),
    ("with a zero", n("A4", 1, two("さ", "し")), "02", "し"),
    (
        "Sibelius's names",
        n("A4", 1, lyric("さ", "part1verse1") + lyric("し", "part1verse2")),
        2,
        "し",
    ),
    (
        "its own name",
        n("A4", 1, lyric("さ", "part1verse1") + lyric("し", "part1verse2")),
        "part1verse2",
        "し",
    ),
    ("a number that starts at 2", n("A4", 1, lyric("さ", "2") + lyric("し", "3")), None, "さ"),
    ("more than nine", n("A4", 1, lyric("さ", "2") + lyric("し", "10")), None, "さ"),
    ("names without numbers", n("A4", 1, lyric("さ", "chorus") + lyric("し", "verse")), 2, "し"),
    (
        "the attribute name",
        n("A4", 1, lyric("さ", "1", name="Verse") + lyric("し", "2", name="Refrain")),
        "refrain",
        "し",
    ),
    (
        "one number, two names",
        n("A4", 1, lyric("さ", "1", name="one") + lyric("し", "1", name="two")),
        "two",
        "し",
    ),
    ("one number twice", n("A4", 1, lyric("さ") + lyric("し")), 2, "し"),
    ("no number twice", n("A4", 1, lyric("さ", None) + lyric("し", None)), 2, "し"),
    (
        "a refrain written once",
        n("A4", 1, two("さ", "し"))
        + n("A4", 3)
        + "</measure>"
        + bar(2, n("A4", 1, "ら"))[: -len("</measure>")],
        2,
        "し ~ ら",
    ),
]


@pytest.mark.parametrize(
    ("inside", "verse", "expected"), [pytest.param(b, v, e, id=i) for i, b, v, e in VERSES]
)
def test_verses(tmp_path: Path, inside: str, verse: int | str | None, expected: str) -> None:
    score = read(tmp_path, partwise(bar(1, inside)), verse=verse)
    assert " ".join(note.lyric or "~" for note in score.notes) == expected


def test_verses_of_repeats_and_jumps(tmp_path: Path) -> None:
    three = lyric("あ") + lyric("い", "2") + lyric("う", "3")
    music = bar(1, n("A4", 4, three), line(repeat="backward")) + bar(
        2, n("A4", 4, "ら"), words("D.C.")
    )
    assert [x.lyric for x in read(tmp_path, partwise(music)).notes] == [
        "あ",
        "い",
        "ら",
        "う",
        "ら",
    ]


VOICE, PIANO = ("Voice", bar(1, n("A4", 4, "さ"))), ("Piano", bar(1, n("C3", 4)))
CHOIR = ("Choir", bar(1, n("E4", 4, "う")) + bar(2, n("E4", 4, "う")))
DRUMS = (
    "Drums",
    bar(
        1,
        "<note><unpitched/><duration>96</duration><lyric><text>ta</text></lyric></note>",
        "<note><unpitched/><duration>96</duration><lyric><text>ta</text></lyric></note>",
    ),
)


@pytest.mark.parametrize(
    ("parts", "options", "expected"),
    [
        ((PIANO, VOICE), {}, "さ.A4.4"),
        ((VOICE, CHOIR), {}, "う.E4.4 う.E4.4"),
        ((VOICE, CHOIR), {"part": 1}, "さ.A4.4"),
        ((VOICE, CHOIR), {"part": "voice"}, "さ.A4.4"),
        ((VOICE, CHOIR), {"part": "Voi"}, "さ.A4.4"),
        ((VOICE, CHOIR), {"part": "2"}, "う.E4.4 う.E4.4"),
        ((DRUMS, VOICE), {}, "さ.A4.4"),
        ((PIANO,), {"vowel": "a"}, "a.C3.4"),
        ((PIANO, VOICE), {"part": "Piano", "vowel": "u"}, "u.C3.4"),
        ((DRUMS, PIANO), {"vowel": "a"}, "a.C3.4"),
    ],
)
def test_parts(
    tmp_path: Path, parts: tuple[tuple[str, str], ...], options: dict[str, Any], expected: str
) -> None:
    assert shown(read(tmp_path, partwise(*parts), **options)) == expected


def test_chords_at_the_bottom_and_vowels(tmp_path: Path) -> None:
    chord = partwise(bar(1, n("A4", 1, "さ"), n("C5", 1, "", "<chord/>"), n("_"), n("E4", 2)))
    assert shown(read(tmp_path, chord, chords="bottom")) == "さ.A4.1 _.1 a.E4.2"
    assert shown(read(tmp_path, chord, vowel="u")) == "さ.C5.1 _.1 u.E4.2"


def test_a_score_by_measures(tmp_path: Path) -> None:
    attributes = "<attributes><divisions>24</divisions></attributes>"
    piano, voice = f'<part id="P1">{attributes}', f'<part id="P2">{attributes}'
    one = f"{piano}{n('C3', 4)}</part>{voice}{n('A4', 4, 'さ')}</part>"
    other = f'<part id="P1">{n("C3", 4)}</part><part id="P2">{n("B4", 4, "ら")}</part>'
    measures = f'<measure number="1">{one}</measure><measure number="2">{other}</measure>'
    found = read(tmp_path, f"<score-timewise>{measures}</score-timewise>")
    assert shown(found) == "さ.A4.4 ら.B4.4"


def test_namespaces_and_broken_notes_of_another_part(tmp_path: Path) -> None:
    broken = ("Piano", bar(1, "<note><duration>x</duration></note>", '<sound tempo="77"/>'))
    text = partwise(broken, VOICE).replace("<score-partwise>", '<score-partwise xmlns="urn:m">')
    found = read(tmp_path, text)
    assert shown(found) == "さ.A4.4"
    assert found.tempos[0][1] == 77.0


def metronome(unit: str, minute: str, dots: int = 0) -> str:
    inside = f"<beat-unit>{unit}</beat-unit>{'<beat-unit-dot/>' * dots}"
    return sign(f"<metronome>{inside}<per-minute>{minute}</per-minute></metronome>")


@pytest.mark.parametrize(
    ("mark", "tempo"),
    [
        ("", 120.0),
        ('<sound tempo="72"/>', 72.0),
        ('<sound tempo="72.5"/>', 72.5),
        (metronome("quarter", "60"), 60.0),
        (metronome("half", "60"), 120.0),
        (metronome("eighth", "120"), 60.0),
        (metronome("quarter", "60", 1), 90.0),
        (metronome("quarter", "c. 66"), 66.0),
        (metronome("quarter", "60-66"), 60.0),
        (metronome("breve", "30"), 240.0),
        (metronome("quarter", "fast"), 120.0),
        (metronome("quarter", "²"), 120.0),
    ],
)
def test_tempos(tmp_path: Path, mark: str, tempo: float) -> None:
    assert read(tmp_path, partwise(bar(1, mark, n("C4", 4, "ら")))).tempos[0][1] == tempo
