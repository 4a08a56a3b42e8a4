"""Scores as MusicXML, written and read; repeats, verses, and what is refused."""

import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from support.song_strategies import scores

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.elements.xml_safe import zip_musicxml
from oneleap.domains.singing.scores.musicxml import read_musicxml
from oneleap.domains.singing.scores.musicxml_write import musicxml, write_musicxml
from oneleap.domains.singing.scores.score import Note, Score

pytest.importorskip("defusedxml")


@given(scores())
@settings(max_examples=25)
def test_musicxml_keeps_every_field(build: Callable[[], Score]) -> None:
    score = build()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.musicxml")
        write_musicxml(path, score)
        if any(n.lyric for n in score.notes):
            assert read_musicxml(path) == score
        packed = Path(folder, "a.mxl")
        packed.write_bytes(zip_musicxml(musicxml(score)))
        assert read_musicxml(packed) == score


def xml(bars: str, *, head: str = "", parts: str = "") -> bytes:
    """A part of these bars, the first with divisions."""
    divisions = "<attributes><divisions>2</divisions></attributes>"
    first = bars.replace('<measure number="1">', f'<measure number="1">{divisions}', 1)
    return (
        f'<?xml version="1.0"?>{head}<score-partwise>{parts}<part id="P1">{first}</part>'
        "</score-partwise>"
    ).encode()


def note(step: str = "A", beats: int = 2, lyric: str | None = "ら", more: str = "") -> str:
    """A note of so many eighths; more is XML before the lyric."""
    text = f"<lyric><text>{lyric}</text></lyric>" if lyric else ""
    pitch = f"<pitch><step>{step}</step><octave>4</octave></pitch>"
    return f"<note>{pitch}<duration>{beats}</duration>{more}{text}</note>"


def bar(number: int, inside: str) -> str:
    return f'<measure number="{number}">{inside}</measure>'


def read(folder: Path, text: bytes, **options: Any) -> Score:
    path = folder / "a.xml"
    path.write_bytes(text)
    return read_musicxml(path, **options)


def sung(score: Score) -> str:
    return " ".join(n.lyric or ("~" if n.slur else "_") for n in score.notes)


def test_notes_of_a_score(tmp_path: Path) -> None:
    tie = '<tie type="stop"/>'
    rest = "<note><rest/><duration>{}</duration></note>"
    breath = "<notations><articulations><breath-mark/></articulations></notations>"
    inside = (
        bar(1, note("C", 3, "か") + note("D", 1, None) + note("E", 4, "-"))
        + bar(2, note("E", 2, None, tie) + note("E", 2, "と") + rest.format(4))
        + bar(3, rest.format(2) + note("G", 6, "は", breath))
    )
    found = read(tmp_path, xml(inside))
    assert sung(found) == "か ~ ~ と _ は"
    assert [n.beats for n in found.notes] == [Fraction(3, 2), Fraction(1, 2), 3, 1, 3, 3]
    assert found.notes[5].breath
    assert found.tempos == ((Fraction(0), 120.0),)
    assert found.location(3) == "bar 2, note 1"
    assert found.location(5) == "bar 3, note 1"


def test_elisions_alterations_and_the_voice_with_lyrics(tmp_path: Path) -> None:
    two = "<lyric><text>か</text><elision/><text>あ</text></lyric>"
    inside = (
        "<note><pitch><step>B</step><alter>-1</alter><octave>3</octave></pitch><duration>8</duration>"
        f"<voice>2</voice>{two}</note><backup><duration>8</duration></backup>"
        "<note><chord/><rest/><duration>8</duration><voice>1</voice></note>"
    )
    found = read(tmp_path, xml(bar(1, inside)))
    assert found.notes == (Note(Fraction(4), 58.0, "か あ"),)


def test_the_part_with_lyrics_and_tempos_of_another_part(tmp_path: Path) -> None:
    piano = bar(1, '<direction><sound tempo="90"/></direction>' + note(beats=8, lyric=None))
    text = xml(bar(1, note(beats=8))).decode()
    names = '<part-list><score-part id="P0"><part-name>Piano</part-name></score-part>'
    names += '<score-part id="P1"><part-name>Voice</part-name></score-part></part-list>'
    divisions = "<attributes><divisions>2</divisions></attributes>"
    piano = piano.replace("<direction>", divisions + "<direction>", 1)
    text = text.replace("<score-partwise>", f'<score-partwise>{names}<part id="P0">{piano}</part>')
    found = read(tmp_path, text.encode())
    assert (found.part, found.tempos) == ("Voice", ((Fraction(0), 90.0),))


def test_printed_tempo(tmp_path: Path) -> None:
    mark = "<metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>60</per-minute>"
    inside = f"<direction><direction-type>{mark}</metronome></direction-type></direction>"
    assert read(tmp_path, xml(bar(1, inside + note()))).tempos[0][1] == 90.0


def test_cue_notes_are_rests_and_transposing_parts_are_transposed(tmp_path: Path) -> None:
    cue = "<note><cue/><pitch><step>C</step><octave>4</octave></pitch><duration>2</duration></note>"
    down = "<attributes><transpose><chromatic>-2</chromatic>"
    down += "<octave-change>-1</octave-change></transpose></attributes>"
    found = read(tmp_path, xml(bar(1, down + cue + note(beats=6)) + bar(2, note(beats=8))))
    assert [bar.beats for bar in found.bars] == [4, 4]
    assert [(n.beats, n.midi) for n in found.notes] == [(1, None), (3, 55.0), (4, 55.0)]


def test_tempos_in_repeats_and_at_the_end_of_a_bar(tmp_path: Path) -> None:
    slow, slower = '<sound tempo="60"/>', '<sound tempo="50"/>'
    inside = (
        bar(1, note(beats=8))
        + bar(2, repeat("forward") + note(beats=8))
        + bar(3, slow + note(beats=8) + slower + repeat("backward"))
        + bar(4, note(beats=8))
    )
    found = read(tmp_path, xml(inside)).tempos
    assert found == ((0, 120.0), (8, 60.0), (12, 120.0), (16, 60.0), (20, 50.0))


def repeat(direction: str, ending: str = "", kind: str = "stop") -> str:
    volta = f'<ending number="{ending}" type="{kind}"/>' if ending else ""
    sign = f'<repeat direction="{direction}"/>' if direction else ""
    return f"<barline>{volta}{sign}</barline>"


def test_repeats_endings_and_verses(tmp_path: Path) -> None:
    both = "<lyric number='1'><text>さ</text></lyric><lyric number='2'><text>し</text></lyric>"
    inside = (
        bar(1, note(beats=8, lyric=None, more=both))
        + bar(2, repeat("", "1", "start") + note("B", 8, "す") + repeat("backward", "1"))
        + bar(3, repeat("", "2", "start") + note("C", 8, "せ") + repeat("", "2"))
        + bar(4, note("D", 8, "そ"))
    )
    found = read(tmp_path, xml(inside))
    assert [b.number for b in found.bars] == ["1", "2", "1", "3", "4"]
    assert sung(found) == "さ す し せ そ"  # in the second pass, the second verse
    assert sung(read(tmp_path, xml(inside), verse=2)) == "し す し せ そ"  # a refrain is sung too
    with pytest.raises(InputError, match="verse 3 does not exist; there are 1, 2"):
        read(tmp_path, xml(inside), verse=3)


def test_pickup_and_short_bars(tmp_path: Path) -> None:
    found = read(tmp_path, xml(bar(0, note()).replace('"0"', '"1"') + bar(2, note(beats=8))))
    assert [b.beats for b in found.bars] == [1, 4]


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
FILE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not XML"),
        (b"<html/>", "is XML, but not a score"),
        (b"<score-timewise/>", "has no parts"),
        (xml(bar(1, note(lyric=None))), "has no lyrics in its 1 part"),
        (xml(bar(1, note()), head=BOMB), "declares entities"),
        (xml(bar(1, note()), head=FILE), "declares entities"),
        (xml(bar(1, note() + note(beats=0))), "bar 1, note 2: its length is 0"),
        (xml(bar(1, note("H"))), "bar 1, note 1: its pitch has the step 'H'"),
        (xml(bar(1, note()) + bar(2, note(beats=0))), "bar 2, note 1: its length"),
        (
            xml(bar(1, note() + "<backup><duration>1</duration></backup>" + note())),
            "bar 1, note 2: overlaps",
        ),
        (xml(bar(1, '<sound tempo="0"/>' + note())), "the tempo is 0"),
        (xml(bar(1, note().replace(">2<", ">x<"))), "'x' is not a decimal number"),
        (xml(bar(1, note().replace(">2<", ">1e999999<"))), "is not a decimal number"),
        (xml(bar(1, note().replace(">4<", ">99<"))), "bar 1, note 1: its pitch is"),
        (xml(bar(1, note("A", 2, "ら", "<grace/>"))), "has no notes"),
    ],
)
def test_bad_musicxml_is_named(tmp_path: Path, text: bytes, message: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "a.xml"))
    assert "\n" not in str(error.value)
