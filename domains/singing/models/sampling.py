"""Sampling of spectrograms: depth limits, the coarse spectrogram alone, DiffSinger's schedule."""

from dataclasses import dataclass, is_dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.paths.ddpm import DiscreteVPPath, LinearBetas
from oneleap.core.sampling.samplers import Sampler
from oneleap.core.types import Field


def diffsinger_schedule() -> DiscreteVPPath:
    """Noise schedule of DiffSinger: 100 steps with beta from 1e-4 to 0.06."""
    return LinearBetas(steps=100, first=1e-4, last=0.06)


@dataclass(frozen=True)
class CoarseMelSampler(Sampler):
    """Returns the coarse spectrogram itself: FFT-Singer, the baseline without a generative decoder.

    Attributes:
        steps: Has no effect.
    """

    steps: int = 1

    def __call__(
        self,
        field: Field,
        noise: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        *,
        guess: Float[Tensor, "b *d"] | None = None,
    ) -> Float[Tensor, "b *d"]:
        """Return ``guess``; see :class:`oneleap.core.sampling.samplers.Sampler`."""
        assert guess is not None
        return guess


def start_depth(sampler: Sampler) -> float:
    """Time at which a sampler starts; 1 means noise alone."""
    depth: float = getattr(sampler, "depth", 1.0)
    return depth


def limit_depth(sampler: Sampler, depth: float) -> Sampler:
    """The sampler, with a start at ``depth`` at the latest."""
    if start_depth(sampler) <= depth or not hasattr(sampler, "depth"):
        return sampler
    assert is_dataclass(sampler)
    return replace(sampler, depth=depth)


def needs_coarse_mel(sampler: Sampler) -> bool:
    """Whether a sampler uses the coarse spectrogram."""
    if isinstance(sampler, CoarseMelSampler):
        return True
    return start_depth(sampler) < 1 or getattr(sampler, "start_step", None) is not None
