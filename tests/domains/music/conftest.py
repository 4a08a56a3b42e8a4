"""Fixtures of the tests of music."""

from pathlib import Path

import numpy as np
import pytest
from support import tiny_music


@pytest.fixture(scope="module")
def composer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved composer."""
    path = tmp_path_factory.mktemp("composers") / "tiny"
    tiny_music.composer().save(path)
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A recording of two seconds."""
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "song.wav"
    soundfile.write(path, tiny_music.chord(2.0, 220.0), tiny_music.RATE)
    return path


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    """A MIDI file of one second with two notes."""
    mido = pytest.importorskip("mido")
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    for note in (69, 72):
        track.append(mido.Message("note_on", note=note, velocity=90))
        track.append(mido.Message("note_off", note=note, time=480))
    file.tracks.append(track)
    file.save(tmp_path / "tune.mid")
    return tmp_path / "tune.mid"


@pytest.fixture(scope="module")
def musicnn_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of musicnn."""
    path = tmp_path_factory.mktemp("musicnn") / "mtt.npz"
    np.savez(path, **tiny_music.musicnn_variables())
    return path
