"""The manner of a singer: depths and times of glides, vibrato and scoops."""

from dataclasses import dataclass
from math import isfinite

from oneleap.core.errors import InputError

USUAL_GLIDE_S = 0.06
"""Duration of the glides of a score's smoothed pitch, in seconds."""


@dataclass(frozen=True)
class Manner:
    """Movements of pitch that a score does not write.

    Attributes:
        vibrato: Depth of the vibrato of long notes in semitones; 0 for none.
        vibrato_hz: Its rate.
        vibrato_delay_s: Time from the start of a note to its beginning, in seconds. It grows to its
            full depth in 0.3 s.
        glide_s: Time that pitch takes from one note to the next, in seconds.
        scoop: Depth in semitones from which a note after a rest or a breath rises; 0 for none.
        scoop_s: Time of that rise, in seconds.

    Raises:
        InputError: A number is negative or not finite.
    """

    vibrato: float = 0.0
    vibrato_hz: float = 5.6
    vibrato_delay_s: float = 0.25
    glide_s: float = USUAL_GLIDE_S
    scoop: float = 0.0
    scoop_s: float = 0.15

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (isfinite(value) and value >= 0):
                raise InputError(f"{name}: must be 0 or more, not {value}")


DEFAULT_MANNER = Manner(vibrato=0.25)
"""Manner of a singer unless another is given."""
