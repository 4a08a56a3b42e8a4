"""What a piece is to be like: targets with a differentiable loss and a figure a person reads."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.features.chroma import SILENT, chroma
from oneleap.domains.music.features.spectral import odd_window, rms_db, savgol


class Shown(NamedTuple):
    """Target and result, for a picture.

    Attributes:
        target: A curve (n,), a matrix (m, m), or a row of numbers.
        result: Likewise.
        unit: Of the numbers.
    """

    target: Tensor
    result: Tensor
    unit: str


class Control(ABC):
    """Something asked of a clip; subclasses are frozen dataclasses. Any number are combined.

    A spectrogram is normalised as its contract says, (b, mels, n).
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    """Of the metric."""

    rising: ClassVar[bool] = False
    """Whether a greater metric is the better one."""

    scale: ClassVar[float] = 1.0
    """A middling loss, by which losses of different kinds are divided before they are added."""

    stop: float
    """The metric at which a clip is as it was asked for, and no more is done about it."""

    @abstractmethod
    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """How far each clip is from the target; differentiable."""

    @abstractmethod
    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """The same for people, in :attr:`unit`."""

    @abstractmethod
    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """Target and result of one clip."""

    def reached(self, metric: Float[Tensor, "b"]) -> Bool[Tensor, "b"]:
        """Which clips are as they were asked for."""
        return metric >= self.stop if self.rising else metric <= self.stop


class Weighted(NamedTuple):
    """A control among others.

    Attributes:
        control: The control.
        weight: Of its loss, after division by its scale.
    """

    control: Control
    weight: float = 1.0


def weighted(controls: Sequence[Control | Weighted]) -> tuple[Weighted, ...]:
    """Controls with their weights; 1 where none is given.

    Raises:
        InputError: If there are none, or a weight is not positive.
    """
    found = tuple(c if isinstance(c, Weighted) else Weighted(c) for c in controls)
    if not found:
        raise InputError("controls: nothing is asked for")
    for control, weight in found:
        if not weight > 0:
            raise InputError(f"weight of {control.name}: above 0, not {weight:g}")
    return found


@dataclass(frozen=True, eq=False)
class Intensity(Control):
    """Loudness over time (DITTO, Sec. 4): a smoothed curve of the frames' level.

    ``L = mean_n (SG(20 log10 RMS) - SG(y))^2`` in dB^2, both smoothed by Savitzky and Golay's
    filter, so that beats may be heard under the curve.

    Attributes:
        spec: The contract.
        target: Level of each frame, dB below full scale, (n,).
        window_s: Of the smoothing.
        stop: Mean square error, dB^2.
    """

    name: ClassVar[str] = "intensity"
    unit: ClassVar[str] = "dB^2"
    scale: ClassVar[float] = 10.0

    spec: Mel
    target: Float[Tensor, "n"]
    window_s: float = 1.0
    stop: float = 2.0

    def curve(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b n"]:
        """Smoothed level, dB."""
        return savgol(rms_db(mel, self.spec), odd_window(self.window_s, self.spec))

    def smooth_target(self, like: Tensor) -> Float[Tensor, "1 n"]:
        """The target, smoothed alike."""
        return savgol(self.target.to(like)[None], odd_window(self.window_s, self.spec))

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Mean square error, dB^2."""
        return (self.curve(mel) - self.smooth_target(mel)).square().mean(1)

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """The same."""
        return self.loss(mel)

    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """Both curves."""
        return Shown(self.smooth_target(mel)[0], self.curve(mel)[0], "dB")


@dataclass(frozen=True, eq=False)
class Melody(Control):
    """The pitch class that is strongest above middle C (DITTO, Sec. 4).

    ``L = mean_n -log(p_n[y_n])`` over the frames that have a melody, with ``p`` the shares of the
    pitch classes, ``chroma^s`` over its sum.

    Attributes:
        spec: The contract.
        target: Pitch class of each frame, C is 0, -1 where there is no melody, (n,).
        sharpness: ``s``.
        stop: Share of the frames whose strongest class is the target's.
    """

    name: ClassVar[str] = "melody"
    unit: ClassVar[str] = "accuracy"
    rising: ClassVar[bool] = True
    scale: ClassVar[float] = 1.0

    spec: Mel
    target: Int[Tensor, "n"]
    sharpness: float = 1.0
    stop: float = 0.95

    def __post_init__(self) -> None:
        """Refuse a melody of rests."""
        if not (self.target != SILENT).any():
            raise InputError("melody: no frame of the clip has a note")

    def shares(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b 12 n"]:
        """Logarithms of the classes' shares."""
        power = chroma(mel, self.spec)
        level = power / power.sum(1, keepdim=True).clamp(min=1e-12)
        return torch.log_softmax(self.sharpness * (level + 1e-4).log(), dim=1)

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Mean negative logarithm of the target's share."""
        target = self.target.to(mel.device)
        voiced = target != SILENT
        chosen = target.clamp(min=0).expand(len(mel), 1, -1)
        nll = -self.shares(mel).gather(1, chosen)[:, 0]
        return (nll * voiced).sum(1) / voiced.sum()

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Share of the melody's frames that are hit."""
        target = self.target.to(mel.device)
        voiced = target != SILENT
        hit = (self.shares(mel).argmax(1) == target) & voiced
        return hit.sum(1) / voiced.sum()

    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """Pitch class of each frame; no number where there is no melody."""
        target = self.target.to(mel)
        found = self.shares(mel).argmax(1)[0].to(mel)
        silent = target == SILENT
        nothing = torch.full_like(target, torch.nan)
        return Shown(
            torch.where(silent, nothing, target), torch.where(silent, nothing, found), "pitch class"
        )
