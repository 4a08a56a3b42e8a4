"""The control of tags that musicnn recognizes in the audio."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.base import Control, PlotData
from oneleap.domains.music.controls.musicnn import (
    TAGS,
    Tagger,
    musicnn_spectrogram,
    split_clips,
    tag_indices,
)

Vocode = Callable[[Tensor], Tensor]
"""A vocoder: spectrograms (b, mels, n) to samples (b, n hop), differentiable."""


@dataclass(frozen=True, eq=False)
class TargetTags(Control):
    """Tags that musicnn is to recognize, and tags that it is not to recognize.

    ``L = -mean log p(wanted) - mean log(1 - p(unwanted))``. The probabilities are averaged over
    clips of three seconds.

    Attributes:
        tagger: The musicnn network.
        vocode: Vocoder.
        sample_rate: Sample rate of the vocoder in Hz.
        wanted: Tags of musicnn that are to be recognized.
        unwanted: Tags of musicnn that are not to be recognized.
        threshold: Probability at which the target counts as reached. It must be exceeded by the
            wanted tags, and by the absence of the unwanted ones.
    """

    name: ClassVar[str] = "tags"
    unit: ClassVar[str] = "probability"
    higher_is_better: ClassVar[bool] = True
    typical_loss: ClassVar[float] = 2.0

    tagger: Tagger
    vocode: Vocode
    sample_rate: int
    wanted: tuple[str, ...]
    unwanted: tuple[str, ...] = ()
    threshold: float = 0.5

    def __post_init__(self) -> None:
        """Check the tags."""
        if not self.wanted + self.unwanted:
            raise InputError("tags: at least one tag is needed")
        tag_indices(self.wanted + self.unwanted)

    def probabilities(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b 50"]:
        """Return the probability of each tag, averaged over the clip."""
        inputs = split_clips(musicnn_spectrogram(self.vocode(mel), self.sample_rate))
        found: Tensor = self.tagger(inputs).sigmoid()
        return found.reshape(len(mel), -1, len(TAGS)).mean(1)

    def agreement(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b k"]:
        """Return the probability that each target is met."""
        found = self.probabilities(mel)
        return torch.cat(
            [found[:, tag_indices(self.wanted)], 1 - found[:, tag_indices(self.unwanted)]], dim=1
        )

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the mean negative logarithm of the agreement."""
        return -self.agreement(mel).clamp(min=1e-6).log().mean(1)

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the lowest agreement."""
        return self.agreement(mel).amin(1)

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return targets and probabilities of all tags; a tag without a target is NaN."""
        found = self.probabilities(mel)[0]
        target = torch.full_like(found, torch.nan)
        for names, value in ((self.wanted, 1.0), (self.unwanted, 0.0)):
            for k in tag_indices(names):
                target[k] = value
        assert len(found) == len(TAGS)
        return PlotData(target, found, "probability")
