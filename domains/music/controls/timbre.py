"""Controls of timbre: which sections of a clip sound alike, and what a clip sounds like."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.controls.base import Control, PlotData
from oneleap.domains.music.features.spectral import mean_pool, mfcc, self_similarity


@dataclass(frozen=True, eq=False)
class Structure(Control):
    """Which sections of a clip sound alike (DITTO, Sec. 4): the self-similarity of the timbre.

    ``L = mean (T T^T - Y)^2``. The rows of ``T`` are the cepstra of consecutive blocks, scaled to
    unit length. ``Y`` is 1 where two blocks belong to the same letter, else ``apart``.

    Attributes:
        spec: Mel format.
        pattern: One letter per section, such as ``ABA``; all sections have the same length.
        per_section: Number of blocks of a section.
        apart: Target cosine for different letters.
        centered: Whether the mean cepstrum of the clip is subtracted first. Without it, the
            cosines of all music are high.
        threshold: Mean squared error of the cosines at which the target counts as reached.
    """

    name: ClassVar[str] = "structure"
    unit: ClassVar[str] = "MSE of cosines"
    typical_loss: ClassVar[float] = 0.1

    spec: Mel
    pattern: str
    per_section: int = 4
    apart: float = 0.0
    centered: bool = False
    threshold: float = 0.02

    def __post_init__(self) -> None:
        """Check the pattern."""
        if len(self.pattern) < 2 or not self.pattern.isalpha():
            raise InputError(
                f"structure: expected two letters or more, such as ABA, not '{self.pattern}'"
            )

    @property
    def target(self) -> Float[Tensor, "m m"]:
        """The matrix ``Y``."""
        letters = torch.tensor([ord(letter) for letter in self.pattern])
        same = (letters[:, None] == letters[None]).double()
        blocks = same.repeat_interleave(self.per_section, 0)
        return self.apart + (1 - self.apart) * blocks.repeat_interleave(self.per_section, 1)

    def similarity(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b m m"]:
        """Return the matrices ``T T^T``."""
        blocks = len(self.pattern) * self.per_section
        timbre = mean_pool(mfcc(mel, self.spec), blocks)
        if self.centered:
            timbre = timbre - timbre.mean(2, keepdim=True)
        return self_similarity(timbre)

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the mean squared error of the cosines."""
        return (self.similarity(mel) - self.target.to(mel)).square().mean((1, 2))

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the loss."""
        return self.loss(mel)

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return both matrices."""
        return PlotData(self.target.to(mel), self.similarity(mel)[0], "cosine")


@dataclass(frozen=True, eq=False)
class Timbre(Control):
    """The timbre of another recording: its cepstrum, averaged over time, without the level.

    Attributes:
        spec: Mel format.
        target: Mean cepstrum in dB, (k,); :func:`mean_cepstrum` computes it.
        threshold: Mean squared error in dB^2 at which the target counts as reached.
    """

    name: ClassVar[str] = "timbre"
    unit: ClassVar[str] = "dB^2"
    typical_loss: ClassVar[float] = 30.0

    spec: Mel
    target: Float[Tensor, "k"]
    threshold: float = 10.0

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the mean squared error of the coefficients in dB^2."""
        found = mfcc(mel, self.spec, len(self.target)).mean(2)
        return (found - self.target.to(mel)).square().mean(1)

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the loss."""
        return self.loss(mel)

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return both cepstra."""
        found = mfcc(mel, self.spec, len(self.target)).mean(2)[0]
        return PlotData(self.target.to(mel), found, "dB")


def mean_cepstrum(
    mel: Float[Tensor, "1 mels n"], spec: Mel, coefficients: int = 19
) -> Float[Tensor, "k"]:
    """Compute the target of :class:`Timbre` from the spectrogram of a recording.

    Args:
        mel: Spectrogram in the mel format.
        spec: Mel format.
        coefficients: Number of coefficients.

    Returns:
        Mean cepstrum in dB, (coefficients,).
    """
    return mfcc(mel, spec, coefficients).mean(2)[0]
