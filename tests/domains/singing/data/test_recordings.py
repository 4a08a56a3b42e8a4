"""A folder of recordings, written and read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.data.recordings import (
    cut_song,
    read_recordings,
    write_recording,
    write_table,
)
from oneleap.domains.singing.segments.segment import Curve, Segment

WHOLE = Segment(
    ph_seq=("SP", "s", "a", "k", "u", "SP"),
    ph_dur=(0.2, 0.1, 0.3, 0.1, 0.4, 0.2),
    ph_num=(2, 2, 1, 1),
    note_midi=(None, 69.0, 71.25, None),
    note_dur=(0.3, 0.4, 0.4, 0.2),
    note_slur=(False,) * 4,
    f0=Curve(np.arange(260.0), 0.005),
)


def test_a_folder_of_recordings(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    wave = Wave(np.linspace(0.1, 0.9, 20_800, dtype=np.float32), 16_000)
    (named,) = list(cut_song(wave, (WHOLE,), "song"))
    write_recording(tmp_path, *named)
    write_table(tmp_path, (named[0],))
    (found,) = read_recordings(tmp_path)
    assert found.path == tmp_path / "wavs" / "song_00.wav"
    assert found.segment.name == "song_00"
    assert found.segment.f0 == WHOLE.f0
    (tmp_path / "f0" / "song_00.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="not an array of numbers"):
        read_recordings(tmp_path)
    (tmp_path / "f0" / "song_00.npy").unlink()
    assert read_recordings(tmp_path)[0].segment.f0 is None
    write_table(tmp_path, (replace(named[0], note_slur=()),))
    with pytest.raises(InputError, match=r"transcriptions\.csv \(song_00\): note_slur is missing"):
        read_recordings(tmp_path)
    write_table(tmp_path, (named[0],))
    (tmp_path / "wavs" / "song_00.wav").unlink()
    with pytest.raises(InputError, match=r"wavs/song_00\.wav \(or \.flac\) is missing"):
        read_recordings(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_recordings(tmp_path / "none")
