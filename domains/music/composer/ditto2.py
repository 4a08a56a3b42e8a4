"""DITTO-2 (Novack et al. 2024, arXiv 2405.20289): optimise through one step, decode in several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.sampling.ode import sample
from oneleap.core.types import Field
from oneleap.domains.music.controls.base import Control, Weighted, weighted

STEPS = (1, 2, 4, 8)
"""Numbers of decoding steps that are tried."""


def _identity(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True)
class Leaps:
    """A distilled model as a decoder: ``steps`` leaps of its mean velocity, no noise added.

    CTM's sampling with ``gamma = 0``. One step is the surrogate that is optimised through,
    ``e - u(e, 0, 1)``; more of them spoil none of what was found, for they are deterministic.
    Cost: ``steps`` network evaluations.

    Attributes:
        field: The student, ``u(z, r, t)``.
        steps: Of equal length.
        features: From what the field leads to, to spectrograms.
    """

    field: Field
    steps: int = 1
    features: Callable[[Tensor], Tensor] = _identity

    def __call__(self, noise: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """Spectrograms."""
        return self.features(sample(self.field, noise, steps=self.steps))


class Choice(NamedTuple):
    """A number of decoding steps.

    Attributes:
        steps: ``M``.
        mel: Spectrograms at it.
        losses: The mean weighted loss at each number that was tried.
    """

    steps: int
    mel: Float[Tensor, "b mels n"]
    losses: dict[int, float]


@torch.no_grad()
def choose_steps(
    decode: Callable[[Tensor, int], Tensor],
    controls: Sequence[Control | Weighted],
    noise: Float[Tensor, "b mels n"],
    *,
    steps: Sequence[int] = STEPS,
    tolerance: float = 0.1,
) -> Choice:
    """Decode in as many steps as keep the control (DITTO-2, Sec. 3.3).

    More steps sound better and drift from what one step promised: of the numbers tried, the
    greatest is taken whose loss is within ``tolerance`` of the least one.
    Cost: the sum of ``steps`` in network evaluations.

    Args:
        decode: Noise and a number of steps to spectrograms.
        controls: What is asked for.
        noise: As it was found through one step.
        steps: Numbers to try.
        tolerance: Share of the least loss that may be added to it.

    Raises:
        InputError: If there is no number to try.
    """
    asked = weighted(controls)
    if not steps or min(steps) < 1:
        raise InputError(f"decode: steps from 1, not {list(steps)}")
    mels, losses = dict[int, Tensor](), dict[int, float]()
    for m in sorted(set(steps)):
        mels[m] = decode(noise, m)
        parts = [w / c.scale * c.loss(mels[m]).mean() for c, w in asked]
        losses[m] = float(torch.stack(parts).sum())
    least = min(losses.values())
    best = max(m for m, loss in losses.items() if loss <= least * (1 + tolerance))
    return Choice(best, mels[best], losses)
