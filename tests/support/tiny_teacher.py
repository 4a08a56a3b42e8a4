"""A teacher voice that needs no package: a tone for each letter."""

import numpy as np
from support.tiny_speech import tone

from oneleap.domains.audio.synthetic.teachers import Spoken
from oneleap.domains.audio.wave import Wave

RATE = 24_000


class ToneTeacher:
    """Says 50 ms for each letter, at a pitch that depends on the seed."""

    license = "nobody's"

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []

    def say(self, text: str, seed: int) -> Spoken | None:
        """See :class:`Teacher`; texts with an exclamation mark are too long."""
        self.said.append((text, seed))
        if "!" in text:
            return None
        seconds = 0.05 * len(text)
        return Spoken(
            Wave(tone(seconds, 100 + seed % 100, RATE), RATE),
            tuple(text),
            (0.05,) * len(text),
            np.full(round(seconds / 0.005), 100 + seed % 100, np.float32),
            np.full((round(seconds * 80), 5, 601), seed % 7, np.float16),
        )
