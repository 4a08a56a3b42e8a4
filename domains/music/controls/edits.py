"""Controls that connect to given audio: inpainting, outpainting, seams and loops."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.controls.base import Control, PlotData
from oneleap.domains.music.features.level import (
    jump_at,
    levels_of_mel,
    levels_of_samples,
    reach_of_jumps,
)
from oneleap.domains.music.features.spectral import smoothed_flux

CONTEXT = 16
"""Number of frames around a part of a clip that the vocoder gets to make its sound."""


@dataclass(frozen=True, eq=False)
class Inpaint(Control):
    """Fill a gap: the clip equals the given one outside the gap (DITTO, Sec. 4).

    ``L = mean (M x - M y)^2`` on the normalized spectrogram, over the known frames.

    Attributes:
        target: Given clip, (mels, n). Its values in the gap have no effect.
        known: True at the frames outside the gap, (n,).
        threshold: Mean squared error at which the target counts as reached. The variance of a
            spectrogram is about 1.
    """

    name: ClassVar[str] = "inpaint"
    unit: ClassVar[str] = "MSE"
    typical_loss: ClassVar[float] = 0.1

    target: Float[Tensor, "mels n"]
    known: Bool[Tensor, "n"]
    threshold: float = 0.02

    def __post_init__(self) -> None:
        """Check that there is a gap, and something around it."""
        if not self.known.any() or self.known.all():
            raise InputError("inpaint: the gap must be a part of the clip, neither none nor all")

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the mean squared error over the known frames."""
        known = self.known.to(mel.device)
        error = (mel - self.target.to(mel)).square().mean(1)
        return (error * known).sum(1) / known.sum()

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the loss."""
        return self.loss(mel)

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return the means over the bands; the target is NaN in the gap."""
        level = self.target.to(mel).mean(0)
        gap = ~self.known.to(mel.device)
        return PlotData(level.masked_fill(gap, torch.nan), mel[0].mean(0), "mean over bands")


@dataclass(frozen=True, eq=False)
class Outpaint(Control):
    """Continue another clip: the new clip starts with the last frames of the other.

    ``L = mean (x_[:o] - y)^2``. The two clips are then crossfaded over these ``o`` frames.

    Attributes:
        target: Last frames of the other clip, (mels, o).
        threshold: Mean squared error at which the target counts as reached.
    """

    name: ClassVar[str] = "outpaint"
    unit: ClassVar[str] = "MSE"
    typical_loss: ClassVar[float] = 0.1

    target: Float[Tensor, "mels o"]
    threshold: float = 0.02

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the mean squared error over the first frames.

        Raises:
            InputError: If the clip is not longer than the overlap.
        """
        o = self.target.shape[1]
        if o >= mel.shape[2]:
            raise InputError(
                f"outpaint: an overlap of {o} frames does not fit into a clip of {mel.shape[2]}"
            )
        return (mel[..., :o] - self.target.to(mel)).square().mean((1, 2))

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the loss."""
        return self.loss(mel)

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return the means over the bands; the target is NaN after the overlap."""
        level = self.target.to(mel).mean(0)
        nan = level.new_full((mel.shape[2] - len(level),), torch.nan)
        return PlotData(torch.cat([level, nan]), mel[0].mean(0), "mean over bands")


@dataclass(frozen=True, eq=False)
class Seam(Control):
    """No jump at a seam: the spectral flux there stays below a limit.

    ``L = max(0, flux - 0.8 threshold)^2`` in dB^2, over the five frames around the seam. This
    control is not from a paper.

    Attributes:
        spec: Mel format.
        frame: Frame of the seam, at least three frames from either end.
        threshold: Spectral flux in dB at which the target counts as reached.
    """

    name: ClassVar[str] = "seam"
    unit: ClassVar[str] = "dB"

    spec: Mel
    frame: int
    threshold: float

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the squared excess of the flux over 0.8 times the threshold."""
        return (self.metric(mel) - 0.8 * self.threshold).clamp(min=0).square()

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the spectral flux in dB."""
        return smoothed_flux(mel[..., self.frame - 3 : self.frame + 3], self.spec)[:, 1]

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return the threshold at the seam, and the flux of the whole clip."""
        flux = smoothed_flux(mel, self.spec)[0]
        limit = torch.full_like(flux, torch.nan)
        limit[self.frame - 2] = self.threshold
        return PlotData(limit, flux, "spectral flux, dB")


@dataclass(frozen=True, eq=False)
class SeamLevel(Control):
    """No gap and no step of loudness at a seam, in windows of 50 ms.

    ``L = mean max(0, |d| - 0.7 threshold)^2`` in dB^2, over the distances ``d`` of the windows near
    the seam from the level around it (:func:`oneleap.domains.music.features.level.jump_at`). This
    control is not from a paper. Without it the others can be met by a short silence. The level is
    that of the sound, if the vocoder is differentiable: at a seam, spectrograms whose level is even
    can sound with a gap of 10 dB.

    Attributes:
        spec: Mel format.
        frame: Frame of the seam.
        vocode: Differentiable vocoder; ``None`` takes the level of the spectrogram.
        threshold: Largest distance in dB at which the target counts as reached.
    """

    name: ClassVar[str] = "seam level"
    unit: ClassVar[str] = "dB"
    typical_loss: ClassVar[float] = 10.0

    spec: Mel
    frame: int
    vocode: Callable[[Tensor], Tensor] | None = None
    threshold: float = 4.0

    def distances(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b m"]:
        """Return how far each window near the seam is from the level around it, in dB."""
        reach = reach_of_jumps(self.spec) + CONTEXT
        first, last = max(0, self.frame - reach), min(mel.shape[2], self.frame + reach)
        part = mel[..., first:last]
        if self.vocode is None:
            level = levels_of_mel(part, self.spec)
        else:
            level = levels_of_samples(self.vocode(part), self.spec)
        cut = slice(CONTEXT if first else 0, -CONTEXT if last < mel.shape[2] else None)
        return jump_at(level[:, cut], self.frame - first - (cut.start or 0), self.spec)

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the mean squared excess of the distances over 0.7 times the threshold."""
        excess = (self.distances(mel).abs() - 0.7 * self.threshold).clamp(min=0)
        return excess.square().mean(1)

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the largest distance in dB."""
        return self.distances(mel).abs().amax(1)

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return the threshold, and the distances of the windows near the seam."""
        found = self.distances(mel)[0]
        return PlotData(torch.full_like(found, self.threshold), found, "jump of loudness, dB")


@dataclass(frozen=True, eq=False)
class Loop(Control):
    """Repeat without a break: the last frames equal the first ones, and are crossfaded into them.

    ``L = mean (x_[:o] - x_[-o:])^2``.

    Attributes:
        overlap: Number of frames ``o``. The loop is shorter than the clip by this number.
        padding: Number of frames at the end that do not belong to the clip; the network needs a
            length that is a multiple of its patch.
        threshold: Mean squared error at which the target counts as reached.
    """

    name: ClassVar[str] = "loop"
    unit: ClassVar[str] = "MSE"
    typical_loss: ClassVar[float] = 0.1

    overlap: int
    padding: int = 0
    threshold: float = 0.02

    def ends(
        self, mel: Float[Tensor, "b mels n"]
    ) -> tuple[Float[Tensor, "b mels o"], Float[Tensor, "b mels o"]]:
        """Return the first and the last frames.

        Raises:
            InputError: If they overlap.
        """
        n = mel.shape[2] - self.padding
        if not 0 < 2 * self.overlap <= n:
            raise InputError(
                f"loop: an overlap of {self.overlap} frames does not fit at both ends of {n} frames"
            )
        return mel[..., : self.overlap], mel[..., n - self.overlap : n]

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the mean squared difference of the two ends."""
        first, last = self.ends(mel)
        return (first - last).square().mean((1, 2))

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the loss."""
        return self.loss(mel)

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return the start as target of the end, averaged over the bands."""
        first, last = (part[0].mean(0) for part in self.ends(mel))
        return PlotData(first, last, "mean over bands")


def crossfade(before: Tensor, after: Tensor, overlap: int) -> Tensor:
    """Join two spectrograms or sounds along the last axis by a linear crossfade.

    A linear crossfade keeps the level of sounds that are alike in the overlap.

    Args:
        before: First sound, (..., n).
        after: Second sound, (..., m).
        overlap: Length of the crossfade in entries of the last axis.

    Returns:
        The joined sound, (..., n + m - overlap).

    Raises:
        ValueError: If one of them is shorter than the overlap.
    """
    if not 0 <= overlap <= min(before.shape[-1], after.shape[-1]):
        raise ValueError(
            f"overlap: {overlap} does not fit into {before.shape[-1]} and {after.shape[-1]}"
        )
    if overlap == 0:
        return torch.cat([before, after], dim=-1)
    ramp = (torch.arange(overlap, device=after.device, dtype=after.dtype) + 0.5) / overlap
    middle = before[..., -overlap:] * (1 - ramp) + after[..., :overlap] * ramp
    return torch.cat([before[..., :-overlap], middle, after[..., overlap:]], dim=-1)


def close_loop(clip: Tensor, overlap: int) -> Tensor:
    """Make a loop of a clip whose ends are alike, by a crossfade of its end into its start."""
    ramp = (torch.arange(overlap, device=clip.device, dtype=clip.dtype) + 0.5) / overlap
    first = clip[..., -overlap:] * (1 - ramp) + clip[..., :overlap] * ramp
    return torch.cat([first, clip[..., overlap : clip.shape[-1] - overlap]], dim=-1)
