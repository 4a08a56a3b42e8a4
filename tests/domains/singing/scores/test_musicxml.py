"""Scores as MusicXML, there and back; repeats, verses, and what is refused."""

import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from support.song_strategies import scores

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores import xml_safe
from oneleap.domains.singing.scores.midi import write_midi
from oneleap.domains.singing.scores.musicxml import read_musicxml
from oneleap.domains.singing.scores.musicxml_write import musicxml, write_musicxml
from oneleap.domains.singing.scores.read import read_score, read_sheet
from oneleap.domains.singing.scores.repeats import Signs, order
from oneleap.domains.singing.scores.score import Note, Score, even_bars, with_lyrics

for module in ("mido", "defusedxml"):
    pytest.importorskip(module)

EXAMPLE = Path(__file__).parents[3] / "examples" / "sakura.musicxml"


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
        packed.write_bytes(xml_safe.zipped(musicxml(score)))
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
    assert found.place(3) == "bar 2, note 1"
    assert found.place(5) == "bar 3, note 1"


def test_elisions_alterations_and_chosen_voice(tmp_path: Path) -> None:
    two = "<lyric><text>か</text><elision/><text>あ</text></lyric>"
    inside = (
        "<note><pitch><step>B</step><alter>-1</alter><octave>3</octave></pitch><duration>8</duration>"
        f"<voice>2</voice>{two}</note><backup><duration>8</duration></backup>"
        "<note><chord/><rest/><duration>8</duration><voice>1</voice></note>"
    )
    found = read(tmp_path, xml(bar(1, inside)))
    assert found.notes == (Note(Fraction(4), 58.0, "か あ"),)


def test_the_part_with_lyrics_and_the_scores_tempos(tmp_path: Path) -> None:
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


def test_cue_notes_are_time_and_transposing_parts_sound_elsewhere(tmp_path: Path) -> None:
    cue = "<note><cue/><pitch><step>C</step><octave>4</octave></pitch><duration>2</duration></note>"
    down = "<attributes><transpose><chromatic>-2</chromatic>"
    down += "<octave-change>-1</octave-change></transpose></attributes>"
    found = read(tmp_path, xml(bar(1, down + cue + note(beats=6)) + bar(2, note(beats=8))))
    assert [bar.beats for bar in found.bars] == [4, 4]
    assert [(n.beats, n.midi) for n in found.notes] == [(1, None), (3, 55.0), (4, 55.0)]


def test_tempos_of_repeats_and_of_the_end_of_a_bar(tmp_path: Path) -> None:
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
    with pytest.raises(InputError, match="verse 3: there are 1, 2"):
        read(tmp_path, xml(inside), verse=3)


@pytest.mark.parametrize(
    ("signs", "played"),
    [
        ([Signs("1"), Signs("2")], "12"),
        ([Signs("1"), Signs("2", times=2), Signs("3", times=3)], "1212333"),
        ([Signs("1"), Signs("2", forward=True), Signs("3", times=2), Signs("4")], "123234"),
        ([Signs("1", forward=True, times=2), Signs("2", forward=True, times=2)], "1122"),
    ],
)
def test_order_of_bars(signs: list[Signs], played: str) -> None:
    assert "".join(signs[i].number for i, _ in order(signs)) == played


def test_endless_repeats_are_refused() -> None:
    with pytest.raises(InputError, match="more than"):
        order([Signs("1", times=10**9)])


def test_pickup_and_short_bars(tmp_path: Path) -> None:
    found = read(tmp_path, xml(bar(0, note()).replace('"0"', '"1"') + bar(2, note(beats=8))))
    assert [b.beats for b in found.bars] == [1, 4]


BOMB = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
FILE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is no XML"),
        (b"<html/>", "is XML, but no score"),
        (b"<score-timewise/>", "score-timewise"),
        (xml(bar(1, note(lyric=None))), "has no lyrics in its 1 part"),
        (xml(bar(1, note()), head=BOMB), "declares entities"),
        (xml(bar(1, note()), head=FILE), "declares entities"),
        (xml(bar(1, note() + note(beats=0))), "bar 1, note 2: its length is 0"),
        (xml(bar(1, note() + note("C", more="<chord/>"))), "bar 1, note 2: a chord"),
        (xml(bar(1, note("H"))), "bar 1, note 1: its pitch has the step 'H'"),
        (xml(bar(1, note()) + bar(2, note(beats=0))), "bar 2, note 1: its length"),
        (
            xml(bar(1, note() + "<backup><duration>1</duration></backup>" + note())),
            "bar 1, note 2: overlaps",
        ),
        (xml(bar(1, note(lyric=None) + note())), "bar 1, note 1: it goes on with a syllable"),
        (xml(bar(1, note() + '<sound dacapo="yes"/>')), "dacapo is not followed"),
        (xml(bar(1, '<sound tempo="0"/>' + note())), "tempo 0"),
        (xml(bar(1, note().replace(">2<", ">x<"))), "'x' is no number"),
        (xml(bar(1, note().replace(">2<", ">1e999999<"))), "is no number"),
        (xml(bar(1, note().replace(">4<", ">99<"))), "bar 1, note 1: its pitch is"),
        (xml(bar(1, note("A", 2, "ら", "<grace/>"))), "has no lyrics"),
    ],
)
def test_bad_musicxml_is_named(tmp_path: Path, text: bytes, said: str) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "a.xml"))
    assert "\n" not in str(error.value)


def test_zip_bombs_and_other_zips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_safe, "LARGEST", 10_000)
    big = io.BytesIO()
    with zipfile.ZipFile(big, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", b" " * 1_000_000)
    path = tmp_path / "a.mxl"
    path.write_bytes(big.getvalue())
    with pytest.raises(InputError, match="no score is so large"):
        read_musicxml(path)
    broken = bytearray(xml_safe.zipped("<a/>" * 200))
    at = broken.index(b"score.musicxml") + len("score.musicxml")
    broken[at : at + 8] = b"\xff" * 8
    path.write_bytes(broken)
    with pytest.raises(InputError, match=r"is no \.mxl file \(Error -3"):
        read_musicxml(path)
    none = io.BytesIO()
    with zipfile.ZipFile(none, "w") as archive:
        archive.writestr("a.txt", "hello")
    path.write_bytes(none.getvalue())
    with pytest.raises(InputError, match="holds no score"):
        read_musicxml(path)
    path.write_bytes(none.getvalue()[:30])
    with pytest.raises(InputError, match=r"is no \.mxl"):
        read_musicxml(path)


def test_scores_are_checked() -> None:
    bars = even_bars(Fraction(4))
    for notes, said in (
        ((Note(Fraction(4), 60.0),), "bar 1, note 1: it has no lyric"),
        ((Note(Fraction(4), None, "あ"),), "a rest has the lyric"),
        (
            (Note(Fraction(2), 60.0, "あ"), Note(Fraction(2), 200.0, "い")),
            "bar 1, note 2: its pitch",
        ),
        ((Note(Fraction(4), 60.0, "あ"), Note(Fraction(0), 60.0, "い")), "length is 0"),
        ((Note(Fraction(3), 60.0, "あ"),), "bars are not as long"),
    ):
        with pytest.raises(InputError, match=said):
            Score(notes, bars)
    with pytest.raises(InputError, match="no tempo"):
        Score((Note(Fraction(4), 60.0, "あ"),), bars, ((Fraction(1), 100.0),))


def test_time_by_tempos() -> None:
    notes = (Note(Fraction(8), 60.0, "あ"),)
    score = Score(notes, even_bars(Fraction(8)), ((Fraction(0), 60.0), (Fraction(2), 120.0)))
    assert [score.seconds(Fraction(b)) for b in (0, 1, 2, 4, 8)] == [0.0, 1.0, 2.0, 3.0, 5.0]


def test_the_example() -> None:
    score = read_sheet(EXAMPLE)
    assert score.title == "Sakura"
    assert len(score.bars) == 14
    once = read_score(EXAMPLE)
    assert "".join("".join(s.text.split()) for s in once).startswith("さくらさくらやよいのそらわ")
    assert once[0].offset == 0.0
    assert min(m for s in once for m in s.note_midi if m is not None) == 59.0
    other = with_lyrics(score, ["ら"] * 45)
    assert {n.lyric for n in other.notes} == {"ら", ""}
    with pytest.raises(InputError, match="3 syllables for 45 notes"):
        with_lyrics(score, ["ら"] * 3)


def test_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("la la")
    with pytest.raises(InputError, match=r"a score is one of \.musicxml"):
        read_score(tmp_path / "a.txt")
    with pytest.raises(InputError, match="no such file"):
        read_score(tmp_path / "b.mid")
    score = read_sheet(EXAMPLE)
    write_midi(tmp_path / "s.mid", replace(score, notes=score.notes))
    assert [s.ph_seq for s in read_score(tmp_path / "s.mid")] == [
        s.ph_seq for s in read_score(EXAMPLE)
    ]
