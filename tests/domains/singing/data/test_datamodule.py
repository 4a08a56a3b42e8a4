"""Data module: songs in openvpi's layout become batches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_singing import MEL, RATE, write_corpus

from oneleap.core.errors import InputError
from oneleap.domains.singing.data.datamodule import SingingData, song_name

pytest.importorskip("soundfile")
pytest.importorskip("pyworld")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "songs")


def data(folder: Path, **settings: object) -> SingingData:
    given: dict[str, object] = {"mel": MEL, "batch_size": 4, "validation": 0.25} | settings
    return SingingData((str(folder),), **given)  # type: ignore[arg-type]


def test_validation_takes_whole_songs(folder: Path) -> None:
    module = data(folder)
    train, validation = module.features
    assert (len(train), len(validation)) == (6, 2)
    assert song_name("a_song_03") == "a_song"
    assert len(module.validation_names) == 2
    assert len({song_name(name) for name in module.validation_names}) == 1
    assert data(folder, seed=0).validation_names == module.validation_names


def test_the_spec_is_read_from_the_table(folder: Path) -> None:
    spec = data(folder).spec
    assert spec.phonemes == ("AP", "SP", "a", "i", "k", "n")
    assert (spec.lowest, spec.highest) == (57.0, 64.0)


def test_pitch_and_spectrum_belong_to_the_score(folder: Path) -> None:
    score, recording = data(folder).features[0][0]
    frames = recording.mel.shape[1]
    assert int(score.durations.sum()) == frames == len(recording.f0) == len(score.base_pitch)
    steady = slice(round(0.3 * MEL.frame_rate), round(0.42 * MEL.frame_rate))
    target = 440 * 2 ** ((score.note_midi[1].item() - 69) / 12)
    cents = 1200 * np.log2(recording.f0[steady].numpy() / target)
    assert np.abs(np.median(cents)) < 20


def test_energy_and_breath_are_decibels(folder: Path) -> None:
    _, recording = data(folder, curves=True).features[0][0]
    middle = round(0.35 * MEL.frame_rate)
    assert float(recording.energy[middle]) == pytest.approx(-15, abs=4)  # of a sawtooth of 0.25
    assert float(recording.energy[1]) < -40
    assert (recording.breathiness <= recording.energy + 1e-3).all()


def test_batches_are_a_function_of_seed_and_step(folder: Path) -> None:
    module = data(folder)
    one, two = (next(iter(module.train_dataloader())) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert len(one.tokens) == 4
    (batch,) = module.val_dataloader()
    assert len(batch.tokens) == 4  # two phrases, twice


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"validation": 1.0}, "validation"),
        ({"longest_s": 0.5}, "longest_s"),
    ],
)
def test_invalid_settings_are_rejected(
    settings: dict[str, object], message: str, folder: Path
) -> None:
    with pytest.raises(InputError, match=message):
        _ = data(folder, **settings).spec


def test_recordings_of_a_wrong_length_are_rejected(folder: Path) -> None:
    import soundfile

    soundfile.write(folder / "wavs" / "song0_0.wav", 0.1 * np.ones(3 * RATE), RATE)
    with pytest.raises(InputError, match=r"song0_0\.wav: lasts 2\.99 s, but .* 1\.20 s"):
        _ = data(folder).features


def test_validation_of_a_single_song_takes_a_phrase(tmp_path: Path) -> None:
    module = data(write_corpus(tmp_path / "one", songs=1, phrases=3))
    assert [len(phrases) for phrases in module.features] == [2, 1]
    with pytest.raises(InputError, match="one phrase is too few"):
        _ = data(write_corpus(tmp_path / "short", songs=1, phrases=1)).validation_names
