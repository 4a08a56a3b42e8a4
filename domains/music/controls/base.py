"""The interface of controls, and the two that follow a curve: intensity and melody."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.features.chroma import NO_MELODY, chroma
from oneleap.domains.music.features.spectral import odd_window, rms_db, savgol


class PlotData(NamedTuple):
    """Target and result of a control, for a plot.

    Attributes:
        target: A curve (n,), a matrix (m, m), or a vector of numbers.
        result: What the clip has, in the form of the target.
        unit: Unit of both.
    """

    target: Tensor
    result: Tensor
    unit: str


class Control(ABC):
    """A target for a clip; subclasses are frozen dataclasses. Controls can be combined.

    Spectrograms are normalized as their format says, (b, mels, n).
    """

    name: ClassVar[str]
    """Name of the control."""

    unit: ClassVar[str]
    """Unit of the metric."""

    higher_is_better: ClassVar[bool] = False
    """Whether a higher metric is better."""

    typical_loss: ClassVar[float] = 1.0
    """Typical size of the loss. Losses are divided by it before they are added."""

    threshold: float
    """Metric at which the target counts as reached. The control is then no longer optimized."""

    @abstractmethod
    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the distance of each clip from the target; differentiable."""

    @abstractmethod
    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return a measure of that distance for people, in :attr:`unit`."""

    @abstractmethod
    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return target and result of one clip."""

    def reached(self, metric: Float[Tensor, "b"]) -> Bool[Tensor, "b"]:
        """Return which clips have reached the target."""
        return metric >= self.threshold if self.higher_is_better else metric <= self.threshold


class WeightedControl(NamedTuple):
    """A control and its weight among others.

    Attributes:
        control: The control.
        weight: Weight of its loss, after division by :attr:`Control.typical_loss`.
    """

    control: Control
    weight: float = 1.0


def with_weights(controls: Sequence[Control | WeightedControl]) -> tuple[WeightedControl, ...]:
    """Return controls with their weights; the default weight is 1.

    Raises:
        InputError: If there is no control, or a weight is not positive.
    """
    found = tuple(c if isinstance(c, WeightedControl) else WeightedControl(c) for c in controls)
    if not found:
        raise InputError("controls: at least one is needed")
    for control, weight in found:
        if not weight > 0:
            raise InputError(f"weight of {control.name}: must be positive, not {weight:g}")
    return found


@dataclass(frozen=True, eq=False)
class Intensity(Control):
    """Loudness over time (DITTO, Sec. 4): the smoothed level of the frames.

    ``L = mean_n (SG(20 log10 RMS) - SG(y))^2`` in dB^2. ``SG`` is the Savitzky-Golay filter; it
    smooths both curves, so that single beats do not matter.

    Attributes:
        spec: Mel format.
        target: Level of each frame in dB relative to full scale, (n,).
        window_s: Length of the smoothing window in seconds.
        threshold: Mean squared error in dB^2 at which the target counts as reached.
    """

    name: ClassVar[str] = "intensity"
    unit: ClassVar[str] = "dB^2"
    typical_loss: ClassVar[float] = 10.0

    spec: Mel
    target: Float[Tensor, "n"]
    window_s: float = 1.0
    threshold: float = 2.0

    def smoothed_level(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b n"]:
        """Return the smoothed level of clips in dB."""
        return savgol(rms_db(mel, self.spec), odd_window(self.window_s, self.spec))

    def smoothed_target(self, like: Tensor) -> Float[Tensor, "1 n"]:
        """Return the smoothed target, with data type and device of ``like``."""
        return savgol(self.target.to(like)[None], odd_window(self.window_s, self.spec))

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the mean squared error in dB^2."""
        return (self.smoothed_level(mel) - self.smoothed_target(mel)).square().mean(1)

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the loss, which is in dB^2."""
        return self.loss(mel)

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return both curves."""
        return PlotData(self.smoothed_target(mel)[0], self.smoothed_level(mel)[0], "dB")


@dataclass(frozen=True, eq=False)
class Melody(Control):
    """The strongest pitch class above middle C (DITTO, Sec. 4).

    ``L = mean_n -log(p_n[y_n])`` over the frames that have a melody. ``p`` are the probabilities
    of the pitch classes, ``chroma^s`` divided by its sum.

    Attributes:
        spec: Mel format.
        target: Pitch class of each frame, (n,); C is 0, and -1 means no melody.
        sharpness: Exponent ``s``.
        threshold: Accuracy over the frames that have a melody, at which the target counts as
            reached.
    """

    name: ClassVar[str] = "melody"
    unit: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    typical_loss: ClassVar[float] = 1.0

    spec: Mel
    target: Int[Tensor, "n"]
    sharpness: float = 1.0
    threshold: float = 0.95

    def __post_init__(self) -> None:
        """Check that there is a note."""
        if not (self.target != NO_MELODY).any():
            raise InputError("melody: no frame of the clip has a note")

    def log_probabilities(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b 12 n"]:
        """Return the log-probabilities of the pitch classes."""
        power = chroma(mel, self.spec)
        level = power / power.sum(1, keepdim=True).clamp(min=1e-12)
        return torch.log_softmax(self.sharpness * (level + 1e-4).log(), dim=1)

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the mean negative log-probability of the target."""
        target = self.target.to(mel.device)
        voiced = target != NO_MELODY
        chosen = target.clamp(min=0).expand(len(mel), 1, -1)
        nll = -self.log_probabilities(mel).gather(1, chosen)[:, 0]
        return (nll * voiced).sum(1) / voiced.sum()

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the accuracy over the frames that have a melody."""
        target = self.target.to(mel.device)
        voiced = target != NO_MELODY
        hit = (self.log_probabilities(mel).argmax(1) == target) & voiced
        return hit.sum(1) / voiced.sum()

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return the pitch class of each frame; NaN where there is no melody."""
        target = self.target.to(mel)
        found = self.log_probabilities(mel).argmax(1)[0].to(mel)
        silent = target == NO_MELODY
        nan = torch.full_like(target, torch.nan)
        return PlotData(
            torch.where(silent, nan, target), torch.where(silent, nan, found), "pitch class"
        )
