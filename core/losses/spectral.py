"""A distance that counts details more: HiPA's high-frequency loss (arXiv 2311.18158)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import Metric, masked_mean


@dataclass(frozen=True)
class HighFrequency(Metric):
    """``|d|^2 + weight |high(d)|^2 + edges |diff(d)|^2`` of the error ``d`` along its last axis.

    ``high`` keeps the frequencies above ``cutoff`` and ``diff`` is the difference of neighbors. All
    three are mean squares, so for one sinusoid of frequency ``w > cutoff`` (radians per frame) they
    are in the ratio ``1 : weight : edges (2 sin(w / 2))^2``. A one-step student lacks details;
    HiPA trains low-rank adapters of a teacher on this distance to its multi-step samples. It is a
    distance of samples: use it with objectives that compare data, such as ``DirectDistillation``.

    Trap: padding is silent, and the step at its edge counts as a detail of the error.

    Deviations: squared errors instead of perceptual ones; the edges are plain differences.

    Attributes:
        weight: Weight of the high frequencies.
        edges: Weight of the differences.
        cutoff: Lowest frequency that counts as high, as a share of the highest.
    """

    weight: float = 1.0
    edges: float = 1.0
    cutoff: float = 0.5

    def __post_init__(self) -> None:
        """Reject negative weights, and a cutoff outside [0, 1]."""
        if self.weight < 0 or self.edges < 0:
            raise InputError(
                f"weight and edges must not be negative, not {self.weight}, {self.edges}"
            )
        if not 0 <= self.cutoff <= 1:
            raise InputError(f"cutoff must be a share in [0, 1], not {self.cutoff}")

    def __call__(
        self,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None = None,
    ) -> Float[Tensor, "b"]:
        """See :meth:`Metric.__call__`."""
        error = prediction - target
        if mask is not None:
            error = error.masked_fill(~mask, 0.0)
        frames = error.shape[-1]
        spectrum = torch.fft.rfft(error if error.dtype == torch.float64 else error.float(), dim=-1)
        share = torch.arange(spectrum.shape[-1], device=error.device) / max(1, frames / 2)
        high = torch.fft.irfft(spectrum * (share > self.cutoff), n=frames, dim=-1).to(error)
        steps = torch.diff(error, dim=-1, prepend=error[..., :1])
        parts = error.square() + self.weight * high.square() + self.edges * steps.square()
        return masked_mean(parts, mask)
