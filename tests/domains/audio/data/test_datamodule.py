"""Segments of recordings: functions of seed and step, and gain."""

from pathlib import Path

import pytest
import torch
from support.tiny_audio import MEL

from oneleap.core.errors import InputError
from oneleap.domains.audio.data.datamodule import AudioData


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
