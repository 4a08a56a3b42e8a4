"""Controls of timbre: which parts of a clip sound alike, and like what."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.controls.base import Control, Shown
from oneleap.domains.music.features.spectral import mfcc, pooled, self_similarity


@dataclass(frozen=True, eq=False)
class Structure(Control):
    """Which parts of a clip sound alike (DITTO, Sec. 4): self-similarity of the timbre.

    ``L = mean (T T^T - Y)^2`` with rows of ``T`` the unit-length cepstra of stretches of the clip,
    less their mean over the clip where ``centred``, and ``Y`` 1 where two stretches have the same
    letter, ``apart`` where they have not.

    Attributes:
        spec: The contract.
        pattern: A letter for each section, of equal lengths, such as ``ABA``.
        per_section: Stretches of a section.
        apart: Cosine wanted between different letters.
        centred: Compare how timbre differs from the clip's mean; else as it is, where all music
            is alike.
        stop: Mean square error of the cosines.
    """

    name: ClassVar[str] = "structure"
    unit: ClassVar[str] = "MSE of cosines"
    scale: ClassVar[float] = 0.1

    spec: Mel
    pattern: str
    per_section: int = 4
    apart: float = 0.0
    centred: bool = False
    stop: float = 0.02

    def __post_init__(self) -> None:
        """Refuse what has no structure."""
        if len(self.pattern) < 2 or not self.pattern.isalpha():
            raise InputError(f"structure: two letters or more, such as ABA, not '{self.pattern}'")

    @property
    def target(self) -> Float[Tensor, "m m"]:
        """``Y``."""
        letters = torch.tensor([ord(letter) for letter in self.pattern])
        same = (letters[:, None] == letters[None]).double()
        blocks = same.repeat_interleave(self.per_section, 0)
        return self.apart + (1 - self.apart) * blocks.repeat_interleave(self.per_section, 1)

    def matrix(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b m m"]:
        """``T T^T``."""
        blocks = len(self.pattern) * self.per_section
        timbre = pooled(mfcc(mel, self.spec), blocks)
        if self.centred:
            timbre = timbre - timbre.mean(2, keepdim=True)
        return self_similarity(timbre)

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Mean square error."""
        return (self.matrix(mel) - self.target.to(mel)).square().mean((1, 2))

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """The same."""
        return self.loss(mel)

    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """Both matrices."""
        return Shown(self.target.to(mel), self.matrix(mel)[0], "cosine")


@dataclass(frozen=True, eq=False)
class Timbre(Control):
    """The colour of another recording: the mean over time of its cepstrum without the level.

    Attributes:
        spec: The contract.
        target: Mean cepstrum, dB, (k,); :func:`timbre_of` takes it from a spectrogram.
        stop: Mean square error, dB^2.
    """

    name: ClassVar[str] = "timbre"
    unit: ClassVar[str] = "dB^2"
    scale: ClassVar[float] = 30.0

    spec: Mel
    target: Float[Tensor, "k"]
    stop: float = 10.0

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Mean square error of the coefficients."""
        found = mfcc(mel, self.spec, len(self.target)).mean(2)
        return (found - self.target.to(mel)).square().mean(1)

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """The same."""
        return self.loss(mel)

    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """Both cepstra."""
        found = mfcc(mel, self.spec, len(self.target)).mean(2)[0]
        return Shown(self.target.to(mel), found, "dB")


def timbre_of(
    mel: Float[Tensor, "1 mels n"], spec: Mel, coefficients: int = 19
) -> Float[Tensor, "k"]:
    """The target of :class:`Timbre` that a recording sets."""
    return mfcc(mel, spec, coefficients).mean(2)[0]
