"""What a music model knows about its training data, and the type of a training batch."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel

MUSIC_MEL = Mel(
    sample_rate=22_050,
    n_fft=2048,
    hop=256,
    window=2048,
    n_mels=128,
    fmax=8000.0,
    floor=1e-3,
    mean=-4.5,
    std=2.0,
)
"""Mel format of the shipped models.

It has a window twice as long as speech has, and 128 bands that are 23 Hz apart below 1 kHz.
From middle C upwards, neighboring semitones therefore fall into different bands. A level 90 dB
below a full-scale tone counts as silence.
"""


@dataclass(frozen=True)
class Spec:
    """Mel format, tags and statistics of the training data. It is stored with the weights.

    A network sees ``(mel - mean) / std``, band by band, so that its data have unit variance.
    All other code uses spectrograms in the mel format.

    Attributes:
        mel: Format of the spectrograms.
        tags: Tags that a model is conditioned on, in the order of the condition vector.
        frames: Number of frames of a training clip.
        mean: Mean of each band over the training data, or one number for all bands, in the units
            of the format.
        std: Standard deviation of each band, or one number for all bands, in the same units.

    Raises:
        InputError: If the number of means or deviations is neither 1 nor ``n_mels``, or if a
            deviation is not positive.
    """

    mel: Mel = field(default_factory=lambda: MUSIC_MEL)
    tags: tuple[str, ...] = ()
    frames: int = 512
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Check the statistics against the format."""
        for name in ("mean", "std"):
            count = len(getattr(self, name))
            if count not in (1, self.mel.n_mels):
                raise InputError(
                    f"{name}: expected 1 or {self.mel.n_mels} numbers (one per band), got {count}"
                )
        if not all(0 < std < math.inf for std in self.std):
            raise InputError("std: must be positive and finite; a band that never changes has none")
        if not all(map(math.isfinite, self.mean)):
            raise InputError("mean: must be finite")


class MusicBatch(NamedTuple):
    """Clips and their tags.

    Attributes:
        mel: Spectrograms in the mel format.
        tags: 1 where a tag of the spec applies, else 0. All zeros means that no tag is known.
    """

    mel: Float[Tensor, "b mels n"]
    tags: Float[Tensor, "b k"]
