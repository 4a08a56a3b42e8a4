"""Segments of recordings: functions of seed and step, and gain."""

from pathlib import Path

import pytest
import torch
from support.tiny_audio import MEL, tone

from oneleap.core.errors import InputError
from oneleap.domains.audio.data.datamodule import AudioData
from oneleap.domains.audio.data.file_samples import FileSamples


def test_batches_are_a_function_of_seed_and_step(sounds: Path) -> None:
    def batches(seed: int) -> list[torch.Tensor]:
        data = AudioData((str(sounds),), mel=MEL, seconds=0.2, batch_size=3, seed=seed)
        return [b for b, _ in zip(data.train_dataloader(), range(2), strict=False)]

    first, again, other = batches(0), batches(0), batches(1)
    assert first[0].shape == (3, 12 * MEL.hop)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other[0])


def test_gain_is_in_decibels(sounds: Path) -> None:
    def batch(gain_db: tuple[float, float]) -> torch.Tensor:
        data = AudioData((str(sounds),), mel=MEL, seconds=0.2, batch_size=3, gain_db=gain_db)
        return data.batch(torch.Generator().manual_seed(0))

    torch.testing.assert_close(batch((-20.0, -20.0)), 0.1 * batch((0.0, 0.0)))
    between = batch((-20.0, 0.0)).abs().amax(1) / batch((0.0, 0.0)).abs().amax(1)
    assert ((between > 0.1) & (between < 1)).all()
    assert len(between.unique()) == 3


def test_segments_that_are_read_from_files_are_those_in_memory(sounds: Path) -> None:
    def data(in_memory: bool) -> AudioData:
        how = {"mel": MEL, "seconds": 0.2, "batch_size": 3, "in_memory": in_memory}
        return AudioData((str(sounds),), **how)  # type: ignore[arg-type]

    here, there = data(True), data(False)
    for seed in range(4):
        batches = [d.batch(torch.Generator().manual_seed(seed)) for d in (here, there)]
        assert torch.equal(*batches)
    for one, two in zip(here.val_dataloader(), there.val_dataloader(), strict=True):
        assert torch.equal(one, two)


def test_files_whose_parts_cannot_be_read_exactly_are_refused(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    for name, rate, message in (
        ("a.wav", 2 * MEL.sample_rate, "resample it, or keep the data in memory"),
        ("a.mp3", 16_000, "parts of .mp3 files cannot be read exactly"),
    ):
        soundfile.write(tmp_path / name, tone(0.4, rate=rate), rate)
        with pytest.raises(InputError, match=message):
            FileSamples(tmp_path / name, MEL.sample_rate)
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"b\.wav: damaged, or not sound"):
        FileSamples(tmp_path / "b.wav", MEL.sample_rate)
    soundfile.write(tmp_path / "c.wav", tone(0.4), MEL.sample_rate)
    samples = FileSamples(tmp_path / "c.wav", MEL.sample_rate)
    (tmp_path / "c.wav").write_bytes((tmp_path / "c.wav").read_bytes()[:2000])
    with pytest.raises(InputError, match=r"c\.wav: "):
        samples[2000:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size: 0"),
        ({"validation": 1.0}, "between 0 and 1"),
        ({"seconds": 0.001}, "less than a frame"),
    ],
)
def test_invalid_settings_are_rejected(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AudioData(("x",), mel=MEL, **arguments)
