"""Segments with pitch, voicing and parts."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from support.exact import seeded
from support.tiny_audio import HOP, MEL, RATE, write_parts, write_recordings

from oneleap.core.errors import InputError
from oneleap.domains.audio.data.source_filter import SourceFilterData


def data(folder: Path, gain_db: tuple[float, float] = (0.0, 0.0)) -> SourceFilterData:
    return SourceFilterData(
        (str(folder / "wavs"),), mel=MEL, seconds=0.25, batch_size=6, gain_db=gain_db
    )


def test_pitch_and_parts_belong_to_the_frames_of_the_sound(tmp_path: Path) -> None:
    batch = data(write_parts(tmp_path)).batch(seeded(4))
    assert batch.parts is not None
    assert batch.wave.shape == (6, 16 * HOP)
    assert batch.parts.shape == (6, 16, 5, MEL.n_fft // 2 + 1)
    for wave, f0, parts in zip(batch.wave, batch.f0, batch.parts, strict=True):
        first = round(float(parts[0, 0, 0] + 4) * 16)  # parts and pitch tell the time
        assert first == round((float(f0[0]) - 100) / 10 * 0.005 * RATE / HOP - 0.5)
        sine = torch.sin(2 * math.pi * 200 * (first * HOP + torch.arange(len(wave))) / RATE)
        assert torch.dot(wave / wave.norm(), sine / sine.norm()) > 0.97


def test_a_gain_adds_to_log_amplitudes_and_leaves_phases(tmp_path: Path) -> None:
    folder = write_parts(tmp_path)
    plain, loud = (data(folder, (db, db)).batch(seeded(4)) for db in (0.0, 6.0))
    assert plain.parts is not None
    assert loud.parts is not None
    gain = 10 ** (6 / 20)
    torch.testing.assert_close(loud.wave, gain * plain.wave, atol=1e-4, rtol=1e-4)
    shift = loud.parts - plain.parts
    torch.testing.assert_close(
        shift[:, :, [0, 2, 3]], torch.full_like(shift[:, :, [0, 2, 3]], math.log(gain))
    )
    assert not shift[:, :, [1, 4]].any()


def test_unvoiced_frames_stay_unvoiced_and_short_sounds_are_padded(tmp_path: Path) -> None:
    folder = write_recordings(tmp_path)
    for i in range(3):
        values = np.load(folder / "f0" / f"{i}.npy")
        values[80:] = 0
        np.save(folder / "f0" / f"{i}.npy", values)
    recordings = data(folder).recordings[0]
    assert all((row.f0[0, 30:] == 0).all() and (row.f0[0, :20] > 0).all() for row in recordings)
    whole = SourceFilterData((str(folder / "wavs"),), mel=MEL, seconds=1.5, batch_size=2)
    batch = whole.batch(seeded(0))
    assert batch.parts is None
    assert batch.wave.shape == (2, batch.f0.shape[1] * HOP)
    assert not batch.f0[:, RATE // HOP :].any()
    assert not batch.wave[:, RATE // HOP * HOP :].any()


def test_wrong_parts_are_refused(tmp_path: Path) -> None:
    folder = write_parts(tmp_path)
    np.save(folder / "parts" / "0.npy", np.zeros((9, 5, 7), np.float16))
    with pytest.raises(InputError, match=r"0\.npy: has the shape"):
        data(folder).batch(seeded(0))
    (folder / "parts" / "0.npy").write_bytes(b"no numbers")
    with pytest.raises(InputError, match="not an array"):
        data(folder).batch(seeded(0))
    (folder / "parts" / "0.npy").unlink()
    with pytest.raises(InputError, match="1 of 3 recordings have no parts"):
        data(folder).batch(seeded(0))
