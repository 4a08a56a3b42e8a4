"""The data module: crops by seed and step, statistics, and the validation split."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_music import MEL, RATE, chord, write_pieces

from oneleap.core.errors import InputError, Notice
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.mel import log_mel
from oneleap.domains.audio.wave import read_wave
from oneleap.domains.music.data import cache
from oneleap.domains.music.data.cache import (
    analyze_recording,
)
from oneleap.domains.music.data.datamodule import MusicData, apply_gain

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pieces(tmp_path / "songs")


def music(folder: Path, **settings: object) -> MusicData:
    return MusicData((str(folder),), mel=MEL, **({"frames": 32, "batch_size": 8} | settings))  # type: ignore[arg-type]


def test_clips_are_crops_of_the_recordings_spectrograms(folder: Path) -> None:
    data = music(folder)
    rows = data.batch(step_generator(0, 0))
    assert rows.mel.shape == (8, 10, 32)
    assert rows.tags.shape == (8, 2)
    whole = [
        log_mel(torch.from_numpy(read_wave(path, RATE).samples)[None], MEL)[0]
        for path in sorted(folder.rglob("*.wav"))
    ]
    train, _ = data.split
    for row, tags in zip(rows.mel, rows.tags, strict=True):
        gaps = [
            ((mel.unfold(1, 32, 1) - row.unsqueeze(1)).abs().amax((0, 2)).min(), i)
            for i, mel in enumerate(whole)
        ]
        gap, which = min(gaps)
        assert gap < 5e-3  # spectrograms are stored at 16 bits
        assert which in train
        assert tags.tolist() == [float(which < 3), float(which >= 3)]


def test_batches_are_a_function_of_seed_and_step(folder: Path) -> None:
    data = music(folder)
    batches = iter(data.train_dataloader())
    first, second = next(batches), next(batches)
    again = music(folder).batch(step_generator(0, 1, 1))
    assert torch.equal(again.mel, second.mel)
    assert not torch.equal(first.mel, second.mel)
    other = next(iter(music(folder, seed=1).train_dataloader()))
    assert not torch.equal(first.mel, other.mel)


def test_statistics_normalize_the_training_recordings(folder: Path) -> None:
    data = music(folder)
    kept = np.concatenate([data.recordings[i][0].mel for i in data.split[0]], axis=1).astype(float)
    assert np.allclose(data.spec.mean, kept.mean(1), atol=1e-3)
    assert np.allclose(data.spec.std, np.maximum(kept.std(1), 0.05), atol=1e-3)
    one = music(folder, per_band=False).spec
    assert np.allclose(one.mean + one.std, (kept.mean(), kept.std()), atol=1e-3)


def test_validation_recordings_are_never_trained_on(folder: Path) -> None:
    data = music(folder, validation=0.3)
    train, held_out = data.split
    assert sorted(train + held_out) == list(range(6))
    assert len(held_out) == 2
    batches = list(data.val_dataloader())
    assert sum(len(b.mel) for b in batches) == 2 * (125 // 32)
    assert torch.equal(batches[0].mel[0], data.clip(held_out[0], 0))
    assert music(folder, validation=0.3, seed=5).split[1] != held_out


def test_every_recording_is_decoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[Path]()

    def counted(path: Path, mel: object) -> object:
        calls.append(path)
        return analyze_recording(path, MEL)

    monkeypatch.setattr(cache, "analyze_recording", counted)
    wanted = music(folder).batch(step_generator(0, 0))
    assert len(calls) == 6
    (folder / "calm" / "calm0.wav").rename(folder / "calm" / "aaa.wav")  # with the same contents
    assert torch.equal(music(folder).batch(step_generator(0, 0)).mel, wanted.mel)
    assert len(calls) == 6
    soundfile.write(folder / "calm" / "aaa.wav", chord(2.0, 150.0), RATE)
    assert len(music(folder).recordings) == 6
    assert len(calls) == 7
    other = replace(MEL, floor=1e-2)
    assert MusicData((str(folder),), mel=other, frames=32).recordings[0][0].mel.min() > -3
    assert len(calls) == 13


def test_the_cache_is_mapped_and_incomplete_files_are_not_used(
    folder: Path, tmp_path: Path
) -> None:
    data = music(folder, cache=str(tmp_path / "cache"))
    assert isinstance(data.recordings[0][0].mel, np.memmap)
    assert not (folder / ".oneleap").exists()
    wanted = data.batch(step_generator(0, 0))
    for file in (tmp_path / "cache").glob(
        "*.json"
    ):  # they are written last: this is the state after a run was killed
        file.unlink()
    for file in (tmp_path / "cache").glob("*.npy"):
        file.write_bytes(b"half")
    again = music(folder, cache=str(tmp_path / "cache"))
    assert torch.equal(again.batch(step_generator(0, 0)).mel, wanted.mel)
    next((tmp_path / "cache").glob("*.npy")).write_bytes(b"half")
    with pytest.raises(InputError, match=r"is damaged .* delete the folder"):
        _ = music(folder, cache=str(tmp_path / "cache")).recordings


def test_a_cache_that_cannot_be_written_is_reported(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written .* set another data\.cache"):
        _ = music(folder, cache=str(tmp_path / "file" / "cache")).recordings


def test_bad_recordings_are_reported_by_name(folder: Path, tmp_path: Path) -> None:
    bad = folder / "calm" / "bad.wav"
    soundfile.write(bad, np.zeros(RATE, np.float32), RATE)
    with pytest.raises(InputError, match=r"bad\.wav: is silent"):
        _ = music(folder).recordings
    whole = (folder / "calm" / "calm0.wav").read_bytes()
    bad.write_bytes(whole[:20])
    with pytest.raises(InputError, match=r"bad\.wav: cannot be read as sound"):
        _ = music(folder).recordings
    soundfile.write(bad, chord(0.02, 200.0), RATE)
    with pytest.raises(InputError, match=r"bad\.wav: 0\.020 s is shorter than a window"):
        _ = music(folder).recordings
    with pytest.raises(InputError, match="no such folder"):
        _ = music(tmp_path / "none").recordings
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folder / "calm" / "calm0.wav", alone)
    with pytest.raises(InputError, match=r"at least two recordings are needed.* found 1"):
        _ = music(alone).recordings


def test_recordings_shorter_than_a_clip_are_left_out(folder: Path) -> None:
    soundfile.write(folder / "calm" / "jingle.wav", chord(0.4, 200.0), RATE)
    data = music(folder)
    with pytest.warns(Notice, match=r"shorter than a clip of 32 frames \(0\.5 s\): jingle\.wav$"):
        assert len(data.recordings) == 6
    assert data.batch(step_generator(0, 0)).mel.shape == (8, 10, 32)
    with pytest.raises(InputError, match=r"found 0 \(7 more are shorter than a clip"):
        _ = music(folder, frames=1000).recordings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 0}, "batch_size and frames must be positive"),
        ({"validation": 1.0}, "validation: expected a fraction"),
        ({"gain_db": (0.0, -6.0)}, "gain_db: expected two finite numbers, the lower first"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        music(tmp_path, **settings)


def test_a_gain_moves_the_spectrogram_as_it_does_the_sound() -> None:
    wave = torch.from_numpy(chord(1.0, 220.0))[None]
    gain = torch.full((1, 1, 1), -6.0)
    wanted = log_mel(wave * 10 ** (-6 / 20), MEL)
    found = apply_gain(log_mel(wave, MEL), gain, MEL)
    above = log_mel(wave, MEL) > MEL.silence + 1e-3
    assert torch.allclose(found[above], wanted[above], atol=1e-4)
