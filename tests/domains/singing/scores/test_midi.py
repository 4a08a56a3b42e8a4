"""Scores as MIDI, there and back; what editors and karaoke files write, and what is refused."""

import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from support.song_strategies import scores

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.midi import read_midi
from oneleap.domains.singing.scores.midi_write import write_midi
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars

mido = pytest.importorskip("mido")


@given(scores(whole=True, even=True))
@settings(max_examples=25)
def test_midi_keeps_every_field(build: Callable[[], Score]) -> None:
    score = build()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mid")
        write_midi(path, score)
        found = read_midi(path)
    assert found == score


def sung(score: Score) -> str:
    return " ".join(n.lyric or ("~" if n.slur else "_") for n in score.notes)


def events(path: Path, *tracks: list[tuple[int, Any]], ticks: int = 480) -> Path:
    """A MIDI file of events at absolute ticks."""
    file = mido.MidiFile(type=1, ticks_per_beat=ticks, charset="utf-8")
    for track in tracks:
        file.tracks.append(mido.MidiTrack())
        before = 0
        for tick, message in sorted(track, key=lambda e: e[0]):
            file.tracks[-1].append(message.copy(time=tick - before))
            before = tick
    file.save(path)
    return path


def played(pitch: int, start: int, end: int) -> list[tuple[int, Any]]:
    on = mido.Message("note_on", note=pitch, velocity=80)
    off = mido.Message("note_on", note=pitch, velocity=0)
    return [(start, on), (end, off)]


def words(**at: str) -> list[tuple[int, Any]]:
    return [(int(k[1:]), mido.MetaMessage("lyrics", text=text)) for k, text in at.items()]


def test_files_of_midi_editors(tmp_path: Path) -> None:
    tune = played(60, 0, 470) + played(62, 480, 965) + played(64, 960, 1440)
    drums = [(0, mido.Message("note_on", channel=9, note=40, velocity=9))]
    path = events(tmp_path / "a.mid", drums, tune, words(t2="さ", t961="ら"))
    found = read_midi(path)
    assert sung(found) == "さ ~ ら _"
    assert [n.beats for n in found.notes] == [1, 1, 1, 1]


def test_karaoke_and_shift_jis(tmp_path: Path) -> None:
    text = "さ".encode("cp932").decode("latin1")
    head = [(0, mido.MetaMessage("text", text="@T Title"))]
    lyric = [
        (0, mido.MetaMessage("text", text="\\ra")),
        (480, mido.MetaMessage("text", text="/la")),
    ]
    tune = played(60, 0, 480) + played(62, 480, 960)
    found = read_midi(events(tmp_path / "a.kar", head + lyric, tune))
    assert sung(found) == "ra la _"
    file = mido.MidiFile(events(tmp_path / "b.mid", tune), charset="latin1")
    file.tracks[0].insert(0, mido.MetaMessage("lyrics", text=text))
    file.save(tmp_path / "b.mid")
    assert sung(read_midi(tmp_path / "b.mid")) == "さ ~ _"


@pytest.mark.parametrize(
    ("tune", "lyrics", "message"),
    [
        (played(60, 0, 480), {}, "has no lyrics"),
        ([], {"t0": "あ"}, "has no notes"),
        (played(60, 0, 480), {"t0": "あ", "t960": "い"}, "the lyric 'い' is not at a note"),
    ],
)
def test_bad_midi_is_named(
    tmp_path: Path, tune: list[tuple[int, Any]], lyrics: dict[str, str], message: str
) -> None:
    path = events(tmp_path / "a.mid", tune + words(**lyrics))
    with pytest.raises(InputError) as error:
        read_midi(path)
    assert message in str(error.value)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MThd",
        b"RIFF" * 9,
        b"MThd\0\0\0\6\0\1\0\1\0\0MTrk\0\0\0\1",
        b"MThd\0\0\0\6\0\1\0\0\1\xe0",  # no track
    ],
)
def test_files_that_are_not_midi(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mid").write_bytes(data)
    with pytest.raises(InputError, match=r"is not a MIDI file|is not a score"):
        read_midi(tmp_path / "a.mid")


def test_cents_are_refused(tmp_path: Path) -> None:
    score = Score((Note(Fraction(4), 60.5, "あ"),), uniform_bars(Fraction(4)))
    with pytest.raises(InputError, match="bar 1, note 1: its pitch has cents"):
        write_midi(tmp_path / "a.mid", score)
    assert not list(tmp_path.iterdir())
