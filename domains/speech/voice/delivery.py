"""How a voice speaks: tempo, pitch, effort, expression and pauses."""

from dataclasses import dataclass

from oneleap.core.errors import InputError
from oneleap.domains.speech.text.sentences import PAUSE_S

RANGES = {
    "speed": (0.1, 10.0),
    "pitch": (-12.0, 12.0),
    "energy": (-12.0, 12.0),
    "expressive": (0.0, 3.0),
    "temperature": (0.1, 10.0),
    "pause": (0.0, 60.0),
}
"""Smallest and largest value of each setting."""


@dataclass(frozen=True)
class Delivery:
    """How a voice speaks a text. The defaults are the voice's own manner.

    Attributes:
        speed: Factor of the tempo; 2 speaks twice as fast.
        pitch: Change of pitch in semitones. The voice has to generate pitch.
        energy: Change of vocal effort in dB: 6 is a raised voice, 12 a loud one, -6 a soft one.
            The color of the sound changes with it, its loudness does not.
        expressive: Temperature of melody and rhythm: 0 is flat and even, ``None`` the model's own.
        temperature: Standard deviation of the noise; ``None`` is the model's own.
        pause: Silence between sentences in seconds; between paragraphs it is two and a half times
            as long.
        steps: Number of steps of the sampler; ``None`` is the model's own.
        speaker: Name of the speaker; ``None`` is the first one.

    Raises:
        InputError: If a setting is outside :data:`RANGES`.
    """

    speed: float = 1.0
    pitch: float = 0.0
    energy: float = 0.0
    expressive: float | None = None
    temperature: float | None = None
    pause: float = PAUSE_S
    steps: int | None = None
    speaker: str | None = None

    def __post_init__(self) -> None:
        """Check all settings."""
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name}: must be from {low:g} to {high:g}, not {value:g}")
