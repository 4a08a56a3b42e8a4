"""DITTO (Novack et al. 2024, arXiv 2401.12179): a differentiable sampler, and its inversion."""

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
    """DDIM with gradient checkpointing: differentiable at the memory of a single step.

    ``z' = z - (t - t') u(z, t, t)`` from ``t = 1`` to ``t = 0``. On the linear path, a step of
    Euler's method is a step of DDIM, whatever path the model was trained on
    (:class:`~oneleap.core.paths.base.GaussianPath`). The forward pass only keeps the states
    ``z_t``, one spectrogram per step. The backward pass runs each call of the network again
    before it differentiates it (DITTO, Sec. 4.2). Memory: activations of one call, and ``steps``
    states. Cost of a gradient: 2 forward passes and 1 backward pass for each of the ``steps``
    calls.

    Attributes:
        field: A multi-step model, guidance included.
        steps: Number of network calls; the paper uses 20.
        times: ``steps + 1`` decreasing times from 1 to 0; by default they are equally spaced.
        denormalize: Function from the result of the field to spectrograms.
        checkpointed: Whether gradients are checkpointed. Without it, all activations are kept,
            which is a third faster.
    """

    field: Field
    steps: int = 20
    times: tuple[float, ...] | None = None
    denormalize: Callable[[Tensor], Tensor] = _identity
    checkpointed: bool = True

    def __post_init__(self) -> None:
        """Check the times."""
        times = self.times
        if self.steps < 1 or (times is not None and len(times) != self.steps + 1):
            raise InputError(
                f"steps: at least 1 is needed, and one more time than steps; got {self.steps} steps"
            )
        if times is not None and (times[0], times[-1]) != (1, 0):
            raise InputError(f"times: must go from 1 to 0, not from {times[0]} to {times[-1]}")

    def __call__(self, noise: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """Generate spectrograms; ``steps`` network evaluations."""
        grid = time_grid(self.steps, noise) if self.times is None else noise.new_tensor(self.times)
        z = noise
        for k in range(self.steps):
            t, r = grid[k].expand(len(z)), grid[k + 1].expand(len(z))
            if self.checkpointed and torch.is_grad_enabled():
                z = checkpoint(self._step, z, r, t, use_reentrant=False, preserve_rng_state=False)
            else:
                z = self._step(z, r, t)
        return self.denormalize(z)

    def _step(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return jump(z, self.field(z, t, t), r, t)


@torch.no_grad()
def invert(field: Field, x: Float[Tensor, "b mels n"], *, steps: int = 20) -> Tensor:
    """Return the noise from which a sampler would generate ``x``, by DDIM inversion.

    The sampler's steps are taken backwards. DITTO (Sec. 5) starts from this noise where a part of
    the clip is given. Cost: ``steps`` network evaluations.

    Args:
        field: A multi-step model.
        x: Normalized spectrograms.
        steps: Number of steps of equal length.
    """
    grid = time_grid(steps, x).flip(0)
    z = x
    for k in range(steps):
        t, later = grid[k].expand(len(z)), grid[k + 1].expand(len(z))
        z = jump(z, field(z, later, later), later, t)
    return z
