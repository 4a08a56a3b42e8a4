"""Folders of music: cached once by contents, cropped by seed and step, bad files told in a line."""

import json
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
from oneleap.domains.music.data import cache as library
from oneleap.domains.music.data.cache import analysed, blocks, chroma, key_of, loudness
from oneleap.domains.music.data.datamodule import Music, louder
from oneleap.domains.music.data.tags import tags_of, vocabulary

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pieces(tmp_path / "songs")


def music(folder: Path, **settings: object) -> Music:
    return Music((str(folder),), mel=MEL, **({"frames": 32, "batch_size": 8} | settings))  # type: ignore[arg-type]


def test_clips_are_pieces_of_the_recordings_spectrograms(folder: Path) -> None:
    data = music(folder)
    rows = data.batch(step_generator(0, 0))
    assert rows.mel.shape == (8, 10, 32)
    assert rows.tags.shape == (8, 2)
    whole = [
        log_mel(torch.from_numpy(read_wave(path, RATE).samples)[None], MEL)[0]
        for path in sorted(folder.rglob("*.wav"))
    ]
    train, _ = data.parts
    for row, tags in zip(rows.mel, rows.tags, strict=True):
        gaps = [
            ((mel.unfold(1, 32, 1) - row.unsqueeze(1)).abs().amax((0, 2)).min(), i)
            for i, mel in enumerate(whole)
        ]
        gap, which = min(gaps)
        assert gap < 5e-3  # of 16 bits
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


def test_statistics_normalise_the_recordings_to_train_on(folder: Path) -> None:
    data = music(folder)
    kept = np.concatenate([data.pieces[i][0].mel for i in data.parts[0]], axis=1).astype(float)
    assert np.allclose(data.spec.mean, kept.mean(1), atol=1e-3)
    assert np.allclose(data.spec.std, np.maximum(kept.std(1), 0.05), atol=1e-3)
    one = music(folder, per_band=False).spec
    assert np.allclose(one.mean + one.std, (kept.mean(), kept.std()), atol=1e-3)


def test_what_is_set_aside_is_never_trained_on(folder: Path) -> None:
    data = music(folder, validation=0.3)
    train, aside = data.parts
    assert sorted(train + aside) == list(range(6))
    assert len(aside) == 2
    batches = list(data.val_dataloader())
    assert sum(len(b.mel) for b in batches) == 2 * (125 // 32)
    assert torch.equal(batches[0].mel[0], data.clip(aside[0], 0))
    assert music(folder, validation=0.3, seed=5).parts[1] != aside


def test_every_recording_is_decoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[Path]()

    def counted(path: Path, mel: object) -> object:
        calls.append(path)
        return analysed(path, MEL)

    monkeypatch.setattr(library, "analysed", counted)
    wanted = music(folder).batch(step_generator(0, 0))
    assert len(calls) == 6
    (folder / "calm" / "calm0.wav").rename(folder / "calm" / "aaa.wav")  # the same contents
    assert torch.equal(music(folder).batch(step_generator(0, 0)).mel, wanted.mel)
    assert len(calls) == 6
    soundfile.write(folder / "calm" / "aaa.wav", chord(2.0, 150.0), RATE)
    assert len(music(folder).pieces) == 6
    assert len(calls) == 7
    other = replace(MEL, floor=1e-2)
    assert Music((str(folder),), mel=other, frames=32).pieces[0][0].mel.min() > -3
    assert len(calls) == 13


def test_the_cache_is_mapped_and_nothing_half_written_is_used(folder: Path, tmp_path: Path) -> None:
    data = music(folder, cache=str(tmp_path / "cache"))
    assert isinstance(data.pieces[0][0].mel, np.memmap)
    assert not (folder / ".oneleap").exists()
    wanted = data.batch(step_generator(0, 0))
    for file in (tmp_path / "cache").glob("*.json"):  # written last: a run that was killed
        file.unlink()
    for file in (tmp_path / "cache").glob("*.npy"):
        file.write_bytes(b"half")
    again = music(folder, cache=str(tmp_path / "cache"))
    assert torch.equal(again.batch(step_generator(0, 0)).mel, wanted.mel)
    next((tmp_path / "cache").glob("*.npy")).write_bytes(b"half")
    with pytest.raises(InputError, match=r"is damaged .* delete the folder"):
        _ = music(folder, cache=str(tmp_path / "cache")).pieces


def test_a_cache_that_cannot_be_written_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be written .* name another data\.cache"):
        _ = music(folder, cache=str(tmp_path / "file" / "cache")).pieces


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_formats_and_sample_rates_are_read(suffix: str, tmp_path: Path) -> None:
    wave = chord(2.0, 220.0, 16_000)
    soundfile.write(tmp_path / f"a.{suffix}", np.stack([wave, wave], 1), 16_000)
    found, facts = analysed(tmp_path / f"a.{suffix}", MEL)
    wanted = log_mel(torch.from_numpy(chord(2.0, 220.0))[None], MEL)[0].numpy()
    assert facts.seconds == pytest.approx(2.0, abs=0.2)  # mp3 pads
    if suffix == "flac":
        assert np.abs(found - wanted)[:, 2:-2].mean() < 0.05


def test_bad_recordings_are_told_by_name(folder: Path, tmp_path: Path) -> None:
    bad = folder / "calm" / "bad.wav"
    soundfile.write(bad, np.zeros(RATE, np.float32), RATE)
    with pytest.raises(InputError, match=r"bad\.wav: is silent"):
        _ = music(folder).pieces
    whole = (folder / "calm" / "calm0.wav").read_bytes()
    bad.write_bytes(whole[:20])
    with pytest.raises(InputError, match=r"bad\.wav: not a sound that can be read"):
        _ = music(folder).pieces
    soundfile.write(bad, chord(0.02, 200.0), RATE)
    with pytest.raises(InputError, match=r"bad\.wav: 0\.020 s is shorter than a window"):
        _ = music(folder).pieces
    with pytest.raises(InputError, match="no such folder"):
        _ = music(tmp_path / "none").pieces
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folder / "calm" / "calm0.wav", alone)
    with pytest.raises(InputError, match="1 recordings are too few"):
        _ = music(alone).pieces


def test_recordings_shorter_than_a_clip_are_left_out(folder: Path) -> None:
    soundfile.write(folder / "calm" / "jingle.wav", chord(0.4, 200.0), RATE)
    data = music(folder)
    with pytest.warns(Notice, match=r"clip of frames 32, 0\.5 s, left out: jingle\.wav$"):
        assert len(data.pieces) == 6
    assert data.batch(step_generator(0, 0)).mel.shape == (8, 10, 32)
    with pytest.raises(InputError, match=r"0 recordings are too few.* \(7 shorter than a clip"):
        _ = music(folder, frames=1000).pieces


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"batch_size": 0}, "batch_size and frames are positive"),
        ({"validation": 1.0}, "validation: a share"),
        ({"gain_db": (0.0, -6.0)}, "gain_db: two numbers in order"),
    ],
)
def test_bad_settings_are_told(settings: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        music(tmp_path, **settings)


def test_tags_come_from_the_table_if_there_is_one(folder: Path) -> None:
    files = sorted(folder.rglob("*.wav"))
    assert tags_of(folder, files)[0] == {"calm"}
    table = folder / "metadata.csv"
    table.write_text("file,tags,key\ncalm/calm0.wav,slow; piano,C\nfast/fast2.wav,piano|loud,\n")
    found = tags_of(folder, files)
    assert found[0] == {"slow", "piano"}
    assert found[5] == {"piano", "loud"}
    assert found[1] == frozenset()
    assert vocabulary(found, least=2) == ("piano",)
    assert vocabulary([frozenset("ab"), frozenset("b")], least=1) == ("a",)  # b tells nothing
    table.write_text("file,tags\nnone.wav,slow\n")
    with pytest.raises(InputError, match=r"metadata\.csv, line 2: there is no sound 'none\.wav'"):
        tags_of(folder, files)
    table.write_text("name,tags\n")
    with pytest.raises(InputError, match="no column 'file'; it has name, tags"):
        tags_of(folder, files)


def test_a_gain_moves_the_spectrogram_as_it_does_the_sound() -> None:
    wave = torch.from_numpy(chord(1.0, 220.0))[None]
    gain = torch.full((1, 1, 1), -6.0)
    wanted = log_mel(wave * 10 ** (-6 / 20), MEL)
    found = louder(log_mel(wave, MEL), gain, MEL)
    above = log_mel(wave, MEL) > MEL.silence + 1e-3
    assert torch.allclose(found[above], wanted[above], atol=1e-4)


def test_loudness_follows_the_gain_and_facts_say_it(tmp_path: Path) -> None:
    wave = chord(2.0, 220.0)
    levels = [
        loudness(log_mel(torch.from_numpy(wave * g)[None], MEL), MEL)[0, 5:-5] for g in (1.0, 0.5)
    ]
    assert torch.allclose(levels[0] - levels[1], torch.full_like(levels[0], 6.02), atol=0.1)
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    _, facts = analysed(tmp_path / "a.wav", MEL)
    assert 6 < facts.range_db < 12  # swells from 0.3 to 1
    assert facts.seconds == 2.0
    json.dumps(facts.__dict__)


def test_a_440_hz_tone_is_an_a_and_a_scale_finds_its_key() -> None:
    t = torch.arange(2 * RATE) / RATE
    tone = torch.sin(2 * torch.pi * 440 * t).unsqueeze(0)
    assert int(chroma(tone, MEL).argmax()) == 9
    scale = [0, 2, 4, 5, 7, 9, 11]
    for tonic, name in ((0, "C major"), (7, "G major")):
        weights = {0: 3.0, 4: 2.0, 7: 2.0}
        profile = np.zeros(12, np.float32)
        for step in scale:
            profile[(tonic + step) % 12] = weights.get(step, 1.0)
        assert key_of(profile)[0] == name
    minor = np.zeros(12, np.float32)
    minor[[9, 0, 4]] = (3, 2, 2)
    minor[[11, 2, 5, 7]] = 0.5
    assert key_of(minor)[0] == "A minor"
    assert key_of(np.zeros(12, np.float32)) == ("C major", 0.0)


def test_long_recordings_are_cut_into_blocks_of_whole_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(library, "BLOCK_S", 1)
    samples = torch.arange(2 * 62 * 128 + 100.0)
    parts = blocks(samples, MEL)
    assert torch.equal(torch.cat(parts, 1)[0], samples)
    assert all(part.shape[1] % 128 == 0 for part in parts[:-1])
    assert parts[-1].shape[1] >= MEL.n_fft
