"""Data whose features are constant, empty or out of range: no NaN, and no false targets."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import tiny_music, tiny_singing, tiny_speech

from oneleap.core.errors import InputError
from oneleap.core.training.model import GenerativeModel
from oneleap.core.training.seed import Step
from oneleap.domains.audio.data import datamodule, pitched
from oneleap.domains.audio.data.datamodule import AudioData
from oneleap.domains.audio.data.pitched import PitchedAudioData
from oneleap.domains.audio.mel import LOUDEST, Mel, magnitudes
from oneleap.domains.music.controls.base import Control, Intensity, Melody
from oneleap.domains.music.controls.edits import Loop, Outpaint, Seam, SeamLevel
from oneleap.domains.music.controls.timbre import Structure, Timbre, mean_cepstrum
from oneleap.domains.music.data.datamodule import MusicData
from oneleap.domains.music.features.spectral import loudness_db, rms_db
from oneleap.domains.music.models.model import MusicModel
from oneleap.domains.music.spec import MUSIC_MEL
from oneleap.domains.music.spec import Spec as MusicSpec
from oneleap.domains.singing.data.datamodule import SingingData
from oneleap.domains.speech.data.datamodule import SpeechData

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")

N = 120


def loss_and_gradient(model: GenerativeModel, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """One training step without an optimizer."""
    prepared = model.prepare(batch, Step(seed=0))
    draw = model.objective.draw(model.data(prepared), torch.Generator().manual_seed(0))
    loss = model.loss(prepared, draw).per_sample.mean()
    gradients = torch.autograd.grad(loss, list(model.net.parameters()), allow_unused=True)
    return loss, torch.cat([g.flatten() for g in gradients if g is not None])


def check_finite(model: GenerativeModel, batch: Any) -> None:
    loss, gradient = loss_and_gradient(model, batch)
    assert loss.isfinite()
    assert gradient.isfinite().all()


# Singing.


def sung(folder: Path, wave: np.ndarray, notes: str = "rest A3 C4 E4 rest") -> SingingData:
    """A corpus whose recordings are all this sound."""
    tiny_singing.write_corpus(folder, songs=2, phrases=1)
    for path in (folder / "wavs").iterdir():
        soundfile.write(path, wave, tiny_singing.RATE, subtype="FLOAT")
    table = folder / "transcriptions.csv"
    header, *lines = table.read_text(encoding="utf-8").splitlines()
    column = header.split(",").index("note_seq")
    rows = [line.split(",") for line in lines]
    text = [",".join([*r[:column], notes, *r[column + 1 :]]) for r in rows]
    table.write_text("\n".join([header, *text]) + "\n", encoding="utf-8")
    return SingingData((str(folder),), mel=tiny_singing.MEL, batch_size=2, curves=True)


def length() -> int:
    return round(sum(tiny_singing.TIMED.note_dur) * tiny_singing.RATE)


def whispered() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, length()).astype(np.float32)


def test_a_whispered_phrase_is_not_learned_as_an_octave_too_low(tmp_path: Path) -> None:
    """No frame is voiced. The pitch was the lowest there is, and the target the offset -12."""
    pytest.importorskip("pyworld")
    data = sung(tmp_path, whispered())
    batch = next(iter(data.train_dataloader()))
    score = 440 * 2 ** ((batch.base_pitch - 69) / 12)
    torch.testing.assert_close(batch.f0, score, rtol=1e-4, atol=1e-2)
    curves = tiny_singing.curves()
    assert curves.curve_batch(batch).x.abs().max() < 1e-3
    for model in (curves, tiny_singing.curves(("energy", "breathiness")), tiny_singing.acoustic()):
        check_finite(model, batch)


@pytest.mark.parametrize("sound", ["one note", "constant", "nearly silent"])
def test_songs_of_one_note_and_flat_recordings_train(tmp_path: Path, sound: str) -> None:
    pytest.importorskip("pyworld")
    n = length()
    wave = {
        "one note": tiny_singing.tone((57.0,), (n / tiny_singing.RATE,)),
        "constant": np.full(n, 0.5, np.float32),
        "nearly silent": 2e-4 * np.sin(np.arange(n, dtype=np.float32)),
    }[sound]
    data = sung(tmp_path, wave, "rest A3 A3 A3 rest")
    assert data.spec.lowest == data.spec.highest == 57.0
    batch = next(iter(data.train_dataloader()))
    for model in (tiny_singing.curves(("energy", "breathiness")), tiny_singing.acoustic()):
        check_finite(model, batch)
    pitch = tiny_singing.curves()
    check_finite(pitch, batch)
    sheet = pitch.curve_batch(batch)
    assert pitch.generate(sheet, torch.randn(sheet.x.shape)).isfinite().all()


def test_upper_case_suffixes_are_found(tmp_path: Path) -> None:
    data = sung(tmp_path, whispered())
    for path in list((tmp_path / "wavs").iterdir()):
        path.rename(path.with_suffix(".WAV"))
    assert len(data.phrases) == 2


# Music.


def test_bands_that_never_change_and_a_flat_piece_train(tmp_path: Path) -> None:
    """Low tones leave the upper bands at the floor; the other piece is one constant number."""
    t = np.arange(2 * tiny_music.RATE) / tiny_music.RATE
    for name, wave in (
        ("a", 0.3 * np.sin(2 * np.pi * 100 * t)),
        ("b", 0.3 * np.sin(2 * np.pi * 100 * t)),
        ("c", np.full(len(t), 0.5)),
    ):
        soundfile.write(tmp_path / f"{name}.wav", wave, tiny_music.RATE)
    data = MusicData((str(tmp_path),), mel=tiny_music.MEL, frames=32, batch_size=2)
    assert min(data.spec.std) >= 0.05
    batch = next(iter(data.train_dataloader()))
    model = MusicModel(data.spec, tiny_music.model().objective, backbone=tiny_music.BACKBONE)
    check_finite(model, batch)


SILENT = torch.full((1, MUSIC_MEL.n_mels, N), MUSIC_MEL.silence)


def controls(mel: torch.Tensor) -> list[Control]:
    return [
        Intensity(MUSIC_MEL, torch.full((N,), -20.0)),
        Melody(MUSIC_MEL, torch.arange(N) % 12),
        Structure(MUSIC_MEL, "ABA"),
        Structure(MUSIC_MEL, "ABA", centered=True),
        Timbre(MUSIC_MEL, mean_cepstrum(mel, MUSIC_MEL)),
        Outpaint(mel[0, :, :20]),
        Seam(MUSIC_MEL, 60, 0.1),
        SeamLevel(MUSIC_MEL, 60),
        SeamLevel(MUSIC_MEL, 60, tiny_music.vocoder(MUSIC_MEL)),
        Loop(12),
    ]


@pytest.mark.parametrize("level", [MUSIC_MEL.silence, 0.0, -60.0, 40.0], ids=lambda x: f"{x:g}")
def test_controls_of_flat_spectrograms_have_finite_losses_and_gradients(level: float) -> None:
    mel = torch.full((1, MUSIC_MEL.n_mels, N), level)
    for control in controls(SILENT):
        x = mel.clone().requires_grad_(True)
        loss = control.loss(x)
        (gradient,) = torch.autograd.grad(loss.sum(), x)
        assert loss.isfinite().all(), control
        assert gradient.isfinite().all(), control
        assert control.metric(mel).isfinite().all(), control


def test_the_loudness_of_silence_is_a_number() -> None:
    for measure in (rms_db, loudness_db):
        level = measure(SILENT, MUSIC_MEL)
        assert level.isfinite().all()
        assert (level < -60).all()
        assert (measure(torch.full_like(SILENT, -1e30), MUSIC_MEL) == -100).all()


def test_magnitudes_stop_at_a_loudness_that_no_sound_has() -> None:
    for mel in (MUSIC_MEL, Mel(log_base="10")):
        found = magnitudes(torch.tensor([[[0.0, 1e4, 1e30]]]), mel)
        assert found[0, 0, 1:].tolist() == pytest.approx([LOUDEST] * 2, rel=1e-4)
        assert found.square().sum().isfinite()


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -1.0])
def test_statistics_that_cannot_scale_are_refused(value: float) -> None:
    with pytest.raises(InputError, match="std"):
        MusicSpec(MUSIC_MEL, std=(value,))
    with pytest.raises(InputError, match="std must be positive and finite"):
        replace(MUSIC_MEL, std=value)
    if not math.isfinite(value):
        with pytest.raises(InputError, match="mean"):
            MusicSpec(MUSIC_MEL, mean=(value,))
        with pytest.raises(InputError, match="mean must be finite"):
            replace(MUSIC_MEL, mean=value)


@pytest.mark.parametrize("build", [AudioData, PitchedAudioData, MusicData])
def test_gains_that_are_not_finite_are_refused(build: Callable[..., Any]) -> None:
    for gain in ((0.0, math.inf), (math.nan, 0.0), (0.0, -6.0)):
        with pytest.raises(InputError, match="gain_db"):
            build(("folder",), gain_db=gain)


# Speech and vocoders.


@pytest.mark.parametrize("sound", ["constant", "nearly silent"])
def test_flat_recordings_of_speech_train(tmp_path: Path, sound: str) -> None:
    pytest.importorskip("numba")
    tiny_speech.write_corpus(tmp_path)
    n = tiny_speech.RATE
    wave = {
        "constant": np.full(n, 0.5, np.float32),
        "nearly silent": 2e-4 * np.sin(np.arange(n, dtype=np.float32)),
    }[sound]
    for path in (tmp_path / "wavs").iterdir():
        soundfile.write(path, wave, tiny_speech.RATE, subtype="FLOAT")
    data = SpeechData((str(tmp_path),), mel=tiny_speech.MEL, ipa=True, batch_size=2)
    check_finite(tiny_speech.acoustic(spec=data.spec), next(iter(data.train_dataloader())))


@pytest.mark.parametrize("build", [AudioData, PitchedAudioData])
def test_recordings_that_are_all_but_silent_do_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: type[AudioData]
) -> None:
    """Their peak is that of silence; rounded to 16 bits it lies below, and every draw failed."""
    pytest.importorskip("pyworld")
    for module in (datamodule, pitched):
        monkeypatch.setattr(module, "MOST_DRAWS", 5)
    wave = np.full(tiny_speech.RATE, 1.02e-4, np.float32)
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", wave, tiny_speech.RATE, subtype="FLOAT")
    data = build((str(tmp_path),), mel=tiny_speech.MEL, seconds=0.1, batch_size=2)
    with pytest.raises(InputError, match="almost all of the recordings is silent"):
        data.batch(torch.Generator().manual_seed(0))
