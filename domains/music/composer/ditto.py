"""DITTO (Novack et al. 2024, arXiv 2401.12179): optimise noise through a whole sampler."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from oneleap.core.errors import InputError
from oneleap.core.paths.base import jump
from oneleap.core.sampling.ode import time_grid
from oneleap.core.types import Field


def _identity(x: Tensor) -> Tensor:
    return x


@dataclass(frozen=True)
class CheckpointedSampler:
    """DDIM's deterministic steps, differentiable at the memory of one.

    ``z' = z - (t - t') u(z, t, t)`` from ``t = 1`` to ``t = 0``: on the linear path Euler's step
    is DDIM's, whatever the path the model was trained under (:class:`~oneleap.core.paths.base
    .GaussianPath`). The forward pass keeps the states ``z_t`` alone, a spectrogram a step; the
    backward pass computes each call of the network once more before it goes through it (DITTO,
    Sec. 4.2). Memory: one call's activations and ``steps`` states. Cost of a gradient: 2 forward
    passes and 1 backward pass of each of the ``steps`` calls.

    Attributes:
        field: A multi-step model, guidance included.
        steps: Calls of the network; the paper has 20.
        times: Falling from 1 to 0, instead of equally spaced ones, ``steps + 1`` of them.
        features: From what the field leads to, to spectrograms.
        checkpointed: Off keeps all activations, faster by a third.
    """

    field: Field
    steps: int = 20
    times: tuple[float, ...] | None = None
    features: Callable[[Tensor], Tensor] = _identity
    checkpointed: bool = True

    def __post_init__(self) -> None:
        """Refuse times that lead nowhere."""
        times = self.times
        if self.steps < 1 or (times is not None and len(times) != self.steps + 1):
            raise InputError(f"steps: {self.steps} steps have one more time than steps, from 1")
        if times is not None and (times[0], times[-1]) != (1, 0):
            raise InputError(f"times: from 1 down to 0, not from {times[0]} to {times[-1]}")

    def __call__(self, noise: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """Spectrograms; ``steps`` network evaluations."""
        grid = time_grid(self.steps, noise) if self.times is None else noise.new_tensor(self.times)
        z = noise
        for k in range(self.steps):
            t, r = grid[k].expand(len(z)), grid[k + 1].expand(len(z))
            if self.checkpointed and torch.is_grad_enabled():
                z = checkpoint(self._step, z, r, t, use_reentrant=False, preserve_rng_state=False)
            else:
                z = self._step(z, r, t)
        return self.features(z)

    def _step(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return jump(z, self.field(z, t, t), r, t)


@torch.no_grad()
def invert(field: Field, x: Float[Tensor, "b mels n"], *, steps: int = 20) -> Tensor:
    """The noise a sampler would make ``x`` of: its steps backwards, DDIM's inversion.

    A warm start where part of a clip is given (DITTO, Sec. 5). Cost: ``steps`` evaluations.

    Args:
        field: A multi-step model.
        x: What the field leads to, (b, mels, n).
        steps: Of equal length.
    """
    grid = time_grid(steps, x).flip(0)
    z = x
    for k in range(steps):
        t, later = grid[k].expand(len(z)), grid[k + 1].expand(len(z))
        z = jump(z, field(z, later, later), later, t)
    return z
