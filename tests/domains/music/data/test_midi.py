"""MIDI files: what is written is read again, and bad files are refused."""

from pathlib import Path

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.music.data.midi import read_midi_melody, read_midi_notes, write_midi
from oneleap.domains.music.data.tunes import compose_tune
from oneleap.domains.music.evaluation.cases import tune_melody

mido = pytest.importorskip("mido")

BAD = {
    "empty": b"",
    "text": b"not music at all",
    "cut": b"MThd\x00\x00\x00\x06\x00\x01\x00\x02\x01\xe0MTrk\x00\x00\xff\xff\x00",
}


def test_a_melody_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    tune = compose_tune(5, 20.0)
    write_midi(tmp_path / "tune.mid", tune)
    found, truth = read_midi_melody(tmp_path / "tune.mid"), tune_melody(tune)
    assert len(read_midi_notes(tmp_path / "tune.mid")) > len(truth)
    for k in np.arange(0.01, tune.seconds, 0.1):
        there = [note.pitch for note in found if note.start <= k < note.end]
        expected = [note.pitch for note in truth if note.start <= k < note.end]
        edge = any(abs(k - e) < 0.003 for note in truth for e in note[:2])
        assert there == expected or edge


def test_the_highest_note_counts_where_no_track_is_named(tmp_path: Path) -> None:
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    message = mido.Message
    for event in (
        mido.MetaMessage("set_tempo", tempo=1_000_000),
        message("note_on", note=60, velocity=90, time=0),
        message("note_on", note=72, velocity=90, time=480),
        message("note_on", note=38, velocity=90, channel=9, time=0),
        message("note_on", note=72, velocity=0, time=480),
        message("note_off", note=60, time=480),
    ):
        track.append(event)
    file.tracks.append(track)
    file.save(tmp_path / "a.mid")
    assert read_midi_melody(tmp_path / "a.mid") == (
        (0.0, 1.0, 60.0),
        (1.0, 2.0, 72.0),
        (2.0, 3.0, 60.0),
    )


def test_tempo_changes_are_followed(tmp_path: Path) -> None:
    file, head, track = mido.MidiFile(ticks_per_beat=100), mido.MidiTrack(), mido.MidiTrack()
    head.append(mido.MetaMessage("set_tempo", tempo=500_000))
    head.append(mido.MetaMessage("set_tempo", tempo=1_000_000, time=100))
    track.append(mido.Message("note_on", note=64, velocity=1, time=50))
    track.append(mido.Message("note_off", note=64, time=150))
    file.tracks += [head, track]
    file.save(tmp_path / "a.mid")
    assert read_midi_melody(tmp_path / "a.mid") == ((0.25, 1.5, 64),)


@pytest.mark.parametrize("kind", BAD)
def test_damaged_files_are_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(BAD[kind])
    with pytest.raises(InputError, match=r"bad\.mid"):
        read_midi_melody(path)


def test_a_file_without_notes_is_refused(tmp_path: Path) -> None:
    file, track = mido.MidiFile(), mido.MidiTrack()
    track.append(mido.Message("note_on", note=38, velocity=90, channel=9, time=0))
    track.append(mido.Message("note_off", note=38, channel=9, time=9))
    file.tracks.append(track)
    file.save(tmp_path / "drums.mid")
    with pytest.raises(InputError, match="has no notes"):
        read_midi_melody(tmp_path / "drums.mid")
    with pytest.raises(InputError, match="no such file"):
        read_midi_melody(tmp_path / "none.mid")
