"""Names of pitches: ``C#4``, ``Bb3-20``; C4 is 60, A4 is 69 = 440 Hz."""

import re

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.segment import REST

_NAME = re.compile(
    r"(?P<letter>[A-Ga-g])(?P<accidental>[#♯b!♭𝄪𝄫♮]*)(?P<octave>-?\d+)(?P<cents>[+-]\d+(?:\.\d+)?)?"
)
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"#": 1, "♯": 1, "b": -1, "!": -1, "♭": -1, "𝄪": 2, "𝄫": -2, "♮": 0}
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def midi_of(name: str) -> float | None:
    """Semitones of a scientific pitch with cents; ``None`` for a rest.

    Raises:
        InputError: If it is no such name.
    """
    if name == REST:
        return None
    found = _NAME.fullmatch(name)
    if not found:
        raise InputError(f"'{name}' is no pitch such as C#4 or A4+25, nor {REST}")
    semitone = _LETTERS[found["letter"].upper()] + 12 * (int(found["octave"]) + 1)
    semitone += sum(_ACCIDENTALS[sign] for sign in found["accidental"])
    return (100 * semitone + float(found["cents"] or 0)) / 100


def name_of(midi: float | None) -> str:
    """Scientific pitch with sharps, to the nearest cent; a rest for ``None``."""
    if midi is None:
        return REST
    cents = round(midi * 100)
    whole = (cents + 50) // 100
    off = cents - 100 * whole
    return f"{_NAMES[whole % 12]}{whole // 12 - 1}{f'{off:+d}' if off else ''}"
