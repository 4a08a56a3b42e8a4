"""DITTO-2 (Novack et al. 2024, arXiv 2405.20289): optimize through one step, decode in several."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.base import Control, WeightedControl, with_weights

DECODE_STEPS = (1, 2, 4, 8)
"""Numbers of decoding steps that are tried."""


class DecodeChoice(NamedTuple):
    """A chosen number of decoding steps.

    Attributes:
        steps: Number of steps.
        mel: Spectrograms that were decoded in this number of steps.
        losses: Mean weighted loss for each number of steps that was tried.
    """

    steps: int
    mel: Float[Tensor, "b mels n"]
    losses: dict[int, float]


@torch.no_grad()
def choose_decode_steps(
    decode: Callable[[Tensor, int], Tensor],
    controls: Sequence[Control | WeightedControl],
    noise: Float[Tensor, "b mels n"],
    *,
    steps: Sequence[int] = DECODE_STEPS,
    tolerance: float = 0.1,
) -> DecodeChoice:
    """Choose the largest number of decoding steps that keeps the control (DITTO-2, Sec. 3.3).

    More steps improve the quality but deviate from the one-step result that was optimized. Of the
    numbers tried, the largest is chosen whose loss is within ``tolerance`` of the lowest loss.
    Cost: the sum of ``steps`` in network evaluations.

    Args:
        decode: Function from noise and a number of steps to spectrograms.
        controls: Controls of the clips.
        noise: Noise that was optimized through one step.
        steps: Numbers of steps to try.
        tolerance: Allowed relative increase of the loss.

    Returns:
        The number of steps, and the spectrograms.

    Raises:
        InputError: If there is no number to try, or one is below 1.
    """
    weighted = with_weights(controls)
    if not steps or min(steps) < 1:
        raise InputError(f"decode: steps must be at least 1, not {list(steps)}")
    mels, losses = dict[int, Tensor](), dict[int, float]()
    for m in sorted(set(steps)):
        mels[m] = decode(noise, m)
        parts = [w / c.typical_loss * c.loss(mels[m]).mean() for c, w in weighted]
        losses[m] = float(torch.stack(parts).sum())
    lowest = min(losses.values())
    best = max(m for m, loss in losses.items() if loss <= lowest * (1 + tolerance))
    return DecodeChoice(best, mels[best], losses)
