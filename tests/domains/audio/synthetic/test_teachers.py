"""Pitch and parts of teachers on our frames, and the check of their files."""

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.synthetic.hibari import Hibari, as_parts
from oneleap.domains.audio.synthetic.teachers import check_files, pitch_each_5ms
from oneleap.domains.audio.vocoders.harmonics import harmonic_source
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.speech.synthetic import kokoro
from oneleap.domains.speech.synthetic.kokoro import read_styles


def test_pitch_is_read_every_5_ms() -> None:
    hz = np.array([100, 150, 200, 0, 0, 300, 350, 400], np.float32)
    found = pitch_each_5ms(hz, first_s=0.0125)
    assert len(found) == 20
    t = np.arange(20) * 0.005
    rising = (t >= 0.0125) & (t <= 0.0375)
    np.testing.assert_allclose(found[rising], 100 + (t[rising] - 0.0125) / 0.0125 * 50, rtol=1e-5)
    assert not found[(t > 0.0125 * 3.5) & (t < 0.0125 * 5.5)].any()
    assert found[-1] == pytest.approx(400 - 50 * (0.1 - 0.095) / 0.0125 + 50 * 0.0, abs=60)
    assert not pitch_each_5ms(np.zeros(8, np.float32), 0.0).any()


def test_parts_keep_the_meaning_of_the_spectra() -> None:
    rng = np.random.default_rng(0)
    spectra = [rng.normal(0, 4, (601, 3)).astype(np.float32) for _ in range(5)]
    spectra[2][0, 0] = -99.0
    parts = as_parts(spectra).astype(np.float32)
    assert parts.shape == (3, 5, 601)
    np.testing.assert_allclose(parts[:, 0], spectra[0].T, atol=0.02)
    np.testing.assert_allclose(parts[:, 1], np.pi * np.tanh(spectra[1].T), atol=0.01)
    assert parts[0, 2, 0] == -20
    assert np.abs(parts[:, 4]).max() <= np.pi + 0.01
    np.testing.assert_allclose(np.cos(parts[:, 4]), np.cos(spectra[4].T), atol=0.01)


def test_files_of_another_version_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    with pytest.raises(InputError, match=r"no such file: install thing==1"):
        check_files({file: "0"}, "thing==1")
    file.write_bytes(b"other")
    with pytest.raises(InputError, match="install exactly that version"):
        check_files({file: "0"}, "thing==1")
    check_files({file: hashlib.sha256(b"other").hexdigest()}, "thing==1")


def test_styles_come_from_the_archive_or_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(2 * 256, dtype=np.float32).reshape(2, 256)
    digest = hashlib.sha256(rows.tobytes()).hexdigest()
    monkeypatch.setattr(kokoro, "STYLE_SHA256", {"bf_emma": digest})
    name = "package/voices/bf_emma.bin"
    archive, folder = tmp_path / "kokoro-js.tgz", tmp_path / "folder"
    with tarfile.open(archive, "w:gz") as out:
        info = tarfile.TarInfo(name)
        info.size = len(rows.tobytes())
        out.addfile(info, io.BytesIO(rows.tobytes()))
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(rows.tobytes())
    for source in (archive, folder):
        np.testing.assert_array_equal(read_styles("bf_emma", source), rows)
    (folder / name).write_bytes(b"other")
    archive.write_bytes(b"no archive")
    for source in (archive, folder):
        with pytest.raises(InputError, match="is not kokoro-js 1"):
            read_styles("bf_emma", source)
    with pytest.raises(InputError, match=r"no such file: download it from https://registry"):
        read_styles("bf_emma", tmp_path / "missing.tgz")


def test_hibari_parts_and_pitch_make_its_sound() -> None:
    """Our vocoder, given the teacher's own parts and pitch, gives the teacher's sound."""
    pytest.importorskip("hibari")
    spoken = Hibari(parts=True).say("The quick brown fox jumps over the lazy dog.", seed=0)
    assert spoken is not None
    assert spoken.parts is not None
    n = len(spoken.parts)
    assert sum(spoken.durations_s) == pytest.approx(n * 0.0125) == spoken.wave.seconds
    spec = Mel(24_000, 1200, 300, 1200, 100, fmax=12_000.0, mean=-6.0, std=2.8)
    middle = np.rint((np.arange(n) + 0.5) * 2.5).astype(int).clip(max=len(spoken.f0) - 1)
    f0 = torch.from_numpy(spoken.f0[middle]).unsqueeze(0)
    pulses = harmonic_source(f0, spec)
    model = SourceFilterVocoder(spec, width=8, hidden=8, depth=1)
    parts = torch.from_numpy(spoken.parts).float().unsqueeze(0)
    noise = torch.randn(pulses.shape, generator=torch.Generator().manual_seed(0))
    made = model.filter(parts, pulses, noise)
    real = torch.from_numpy(spoken.wave.samples).unsqueeze(0)
    assert (log_mel(made, spec) - log_mel(real, spec)).abs().mean() * spec.std < 0.12
