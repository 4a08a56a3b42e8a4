"""Controls that hold on to given sound: fill a gap, go on, come round again."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.controls.base import Control, Shown
from oneleap.domains.music.features.spectral import seam_flux


@dataclass(frozen=True, eq=False)
class Inpaint(Control):
    """Fill a gap: the rest of a clip is as it was (DITTO, Sec. 4).

    ``L = mean (M x - M y)^2`` on the normalised spectrogram, over the frames kept.

    Attributes:
        target: The clip, (mels, n); what it has in the gap does not matter.
        kept: True at the frames outside the gap, (n,).
        stop: Mean square error, of a spectrogram whose variance is about 1.
    """

    name: ClassVar[str] = "inpaint"
    unit: ClassVar[str] = "MSE"
    scale: ClassVar[float] = 0.1

    target: Float[Tensor, "mels n"]
    kept: Bool[Tensor, "n"]
    stop: float = 0.02

    def __post_init__(self) -> None:
        """Refuse a gap that leaves nothing."""
        if not self.kept.any() or self.kept.all():
            raise InputError("inpaint: the gap is neither the whole clip nor nothing")

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Mean square error over the frames kept."""
        kept = self.kept.to(mel.device)
        error = (mel - self.target.to(mel)).square().mean(1)
        return (error * kept).sum(1) / kept.sum()

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """The same."""
        return self.loss(mel)

    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """Mean over the bands; no number in the gap."""
        level = self.target.to(mel).mean(0)
        gap = ~self.kept.to(mel.device)
        return Shown(level.masked_fill(gap, torch.nan), mel[0].mean(0), "mean of the bands")


@dataclass(frozen=True, eq=False)
class Outpaint(Control):
    """Go on where another clip ends: the new clip begins with the other's last frames.

    ``L = mean (x_[:o] - y)^2``; the two are then crossfaded over the ``o`` frames.

    Attributes:
        target: The last frames, (mels, o).
        stop: Mean square error.
    """

    name: ClassVar[str] = "outpaint"
    unit: ClassVar[str] = "MSE"
    scale: ClassVar[float] = 0.1

    target: Float[Tensor, "mels o"]
    stop: float = 0.02

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Mean square error over the first frames.

        Raises:
            InputError: If there are more of them than the clip has.
        """
        o = self.target.shape[1]
        if o >= mel.shape[2]:
            raise InputError(f"outpaint: an overlap of {o} frames in a clip of {mel.shape[2]}")
        return (mel[..., :o] - self.target.to(mel)).square().mean((1, 2))

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """The same."""
        return self.loss(mel)

    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """Mean over the bands."""
        level = self.target.to(mel).mean(0)
        n = mel.shape[2] - len(level)
        silent = level.new_full((n,), torch.nan)
        return Shown(torch.cat([level, silent]), mel[0].mean(0), "mean of the bands")


@dataclass(frozen=True, eq=False)
class Seam(Control):
    """No jump where what is new begins: the spectral flux there is no greater than elsewhere.

    ``L = max(0, flux - 0.8 stop)^2`` of the five frames about the seam, dB^2; no paper's.

    Attributes:
        spec: The contract.
        at: Frame of the seam, three or more from either end.
        stop: Flux, dB.
    """

    name: ClassVar[str] = "seam"
    unit: ClassVar[str] = "dB"

    spec: Mel
    at: int
    stop: float

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """How far the flux is above a little less than what is allowed."""
        return (self.metric(mel) - 0.8 * self.stop).clamp(min=0).square()

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """The flux."""
        return seam_flux(mel[..., self.at - 3 : self.at + 3], self.spec)[:, 1]

    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """What is allowed at the seam, and the flux of the whole."""
        flux = seam_flux(mel, self.spec)[0]
        allowed = torch.full_like(flux, torch.nan)
        allowed[self.at - 2] = self.stop
        return Shown(allowed, flux, "spectral flux, dB")


@dataclass(frozen=True, eq=False)
class Loop(Control):
    """Come round: the last frames are the first ones; crossfaded there, the clip is endless.

    ``L = mean (x_[:o] - x_[-o:])^2``.

    Attributes:
        overlap: ``o``, frames; the loop is so much shorter than the clip.
        spare: Frames at the end that are none of the clip, for the network's sake.
        stop: Mean square error.
    """

    name: ClassVar[str] = "loop"
    unit: ClassVar[str] = "MSE"
    scale: ClassVar[float] = 0.1

    overlap: int
    spare: int = 0
    stop: float = 0.02

    def ends(
        self, mel: Float[Tensor, "b mels n"]
    ) -> tuple[Float[Tensor, "b mels o"], Float[Tensor, "b mels o"]]:
        """The first frames, and the last.

        Raises:
            InputError: If they meet.
        """
        n = mel.shape[2] - self.spare
        if not 0 < 2 * self.overlap <= n:
            raise InputError(f"loop: an overlap of {self.overlap} frames at both ends of {n}")
        return mel[..., : self.overlap], mel[..., n - self.overlap : n]

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Mean square difference of both ends."""
        first, last = self.ends(mel)
        return (first - last).square().mean((1, 2))

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """The same."""
        return self.loss(mel)

    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """The beginning as target of the end, mean over the bands."""
        first, last = (part[0].mean(0) for part in self.ends(mel))
        return Shown(first, last, "mean of the bands")


def crossfade(before: Tensor, after: Tensor, overlap: int) -> Tensor:
    """Join along the last axis: ``overlap`` of the end of one and the beginning of the other melt.

    Linear, for two sounds that are alike there: their sum keeps the level. Spectrograms or
    samples.

    Raises:
        ValueError: If one of them is shorter than the overlap.
    """
    if not 0 <= overlap <= min(before.shape[-1], after.shape[-1]):
        raise ValueError(f"{overlap} of {before.shape[-1]} and {after.shape[-1]} cannot overlap")
    if overlap == 0:
        return torch.cat([before, after], dim=-1)
    ramp = (torch.arange(overlap, device=after.device, dtype=after.dtype) + 0.5) / overlap
    middle = before[..., -overlap:] * (1 - ramp) + after[..., :overlap] * ramp
    return torch.cat([before[..., :-overlap], middle, after[..., overlap:]], dim=-1)


def closed(clip: Tensor, overlap: int) -> Tensor:
    """A loop of a clip whose ends are alike: its end melts into its beginning."""
    ramp = (torch.arange(overlap, device=clip.device, dtype=clip.dtype) + 0.5) / overlap
    first = clip[..., -overlap:] * (1 - ramp) + clip[..., :overlap] * ramp
    return torch.cat([first, clip[..., overlap : clip.shape[-1] - overlap]], dim=-1)
