"""What a model must know of the music it is trained on, and what a batch of it is."""

from dataclasses import dataclass, field
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel

MUSIC = Mel(
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
"""The contract of the shipped models.

Twice speech's window and 128 bands, 23 Hz apart below 1 kHz: neighbouring semitones from middle C
on fall into different bands. What is 90 dB below a full-scale tone counts as silence.
"""


@dataclass(frozen=True)
class Spec:
    """Contract, tags and statistics; stored with the weights.

    A network sees ``(mel - mean) / std``, band by band, so that its data have unit variance;
    everybody else sees spectrograms of the contract.

    Attributes:
        mel: Contract of the spectrograms.
        tags: What may be asked for, in the order of the condition vector.
        frames: Of a clip in training.
        mean: Of each band of the training clips, or one number for all; the contract's units.
        std: Standard deviation, likewise.

    Raises:
        InputError: If there are neither one nor ``n_mels`` means or deviations.
    """

    mel: Mel = field(default_factory=lambda: MUSIC)
    tags: tuple[str, ...] = ()
    frames: int = 512
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        """Refuse statistics that do not fit the contract."""
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, self.mel.n_mels):
                raise InputError(f"{name}: 1 or {self.mel.n_mels} numbers, one a band")
        if min(self.std) <= 0:
            raise InputError("std: a band that never changes cannot be normalised")


class Batch(NamedTuple):
    """Clips and their tags.

    Attributes:
        mel: Spectrograms of the contract.
        tags: 1 where a tag of the spec applies, else 0; all 0 is unknown.
    """

    mel: Float[Tensor, "b mels n"]
    tags: Float[Tensor, "b k"]
