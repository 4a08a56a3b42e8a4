"""Controls that listen to the sound itself: tags by musicnn, words by CLAP."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.base import Control, Shown
from oneleap.domains.music.controls.musicnn import TAGS, Tagger, pieces, spectrogram, tag_indices

Hear = Callable[[Tensor], Tensor]
"""A vocoder: spectrograms (b, mels, n) to samples (b, n hop), differentiable."""


@dataclass(frozen=True, eq=False)
class Tags(Control):
    """What musicnn hears: some tags, and no others.

    ``L = -mean log p(wanted) - mean log(1 - p(unwanted))``, the probabilities averaged over
    pieces of three seconds.

    Attributes:
        tagger: musicnn.
        hear: The vocoder.
        sample_rate: Of its samples.
        wanted: Tags of musicnn.
        unwanted: Likewise.
        stop: Least probability among the wanted, and of the absence of the unwanted.
    """

    name: ClassVar[str] = "tags"
    unit: ClassVar[str] = "probability"
    rising: ClassVar[bool] = True
    scale: ClassVar[float] = 2.0

    tagger: Tagger
    hear: Hear
    sample_rate: int
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...] = ()
    stop: float = 0.5

    def __post_init__(self) -> None:
        """Refuse unknown tags."""
        if not self.wanted + self.unwanted:
            raise InputError("tags: none is asked for")
        tag_indices(self.wanted + self.unwanted)

    def probabilities(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b 50"]:
        """Of each tag, the mean over the clip."""
        seen = pieces(spectrogram(self.hear(mel), self.sample_rate))
        found: Tensor = self.tagger(seen).sigmoid()
        return found.reshape(len(mel), -1, len(TAGS)).mean(1)

    def agreement(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b k"]:
        """Probabilities that each wish is met."""
        found = self.probabilities(mel)
        return torch.cat(
            [found[:, tag_indices(self.wanted)], 1 - found[:, tag_indices(self.unwanted)]], dim=1
        )

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Mean negative logarithm of the agreement."""
        return -self.agreement(mel).clamp(min=1e-6).log().mean(1)

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """The least agreement."""
        return self.agreement(mel).amin(1)

    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """Wishes and probabilities of all tags."""
        found = self.probabilities(mel)[0]
        target = torch.full_like(found, torch.nan)
        for names, value in ((self.wanted, 1.0), (self.unwanted, 0.0)):
            for k in tag_indices(names):
                target[k] = value
        assert len(found) == len(TAGS)
        return Shown(target, found, "probability")
