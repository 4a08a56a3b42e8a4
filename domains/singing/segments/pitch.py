"""Pitch: note names such as ``C#4`` or ``Bb3-20``, semitones, and the f0 curve of notes."""

import re

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.segment import REST, Segment

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Semitones of each letter above C."""

SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
"""Name of each semitone above C, spelled with sharps."""

_NAME = re.compile(
    r"(?P<letter>[A-Ga-g])(?P<accidental>[#♯b!♭𝄪𝄫♮]*)(?P<octave>-?[0-9]{1,2})"
    r"(?P<cents>[+-][0-9]{1,4}(?:\.[0-9]{1,9})?)?"
)
_ACCIDENTALS = {"#": 1, "♯": 1, "b": -1, "!": -1, "♭": -1, "𝄪": 2, "𝄫": -2, "♮": 0}


def name_to_midi(name: str) -> float | None:
    """Convert a note name, with optional cents, to semitones: C4 is 60, A4 is 69.

    Of two names of one note, such as ``C#4/Db4``, the first counts.

    Returns:
        Semitones, or ``None`` for a rest.

    Raises:
        InputError: If it is not a note name.
    """
    if name.lower() == REST:
        return None
    found = _NAME.fullmatch(name.partition("/")[0])
    if not found:
        raise InputError(f"'{name[:40]}' is not a pitch such as C#4 or A4+25, and not '{REST}'")
    semitone = LETTERS[found["letter"].upper()] + 12 * (int(found["octave"]) + 1)
    semitone += sum(_ACCIDENTALS[sign] for sign in found["accidental"])
    return (100 * semitone + float(found["cents"] or 0)) / 100


def midi_to_name(midi: float | None) -> str:
    """Convert semitones to a note name, spelled with sharps and rounded to a cent."""
    if midi is None:
        return REST
    cents = round(midi * 100)
    semitone = (cents + 50) // 100
    rest = cents - 100 * semitone
    return f"{SHARP_NAMES[semitone % 12]}{semitone // 12 - 1}{f'{rest:+d}' if rest else ''}"


def midi_to_hz(midi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert semitones to frequencies; 69 is 440 Hz."""
    found: NDArray[np.float64] = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
    return found


def score_f0(segment: Segment, step_s: float, count: int) -> NDArray[np.float64]:
    """Sample the pitch of the notes at regular steps.

    Args:
        segment: Segment with notes.
        step_s: Length of a step, seconds. Each step has the note that sounds at its middle.
        count: Number of steps.

    Returns:
        Frequency at each step, Hz, (count,); 0 in rests and after the last note.
    """
    ends = np.cumsum(np.asarray(segment.note_dur, np.float64))
    note = np.searchsorted(ends, (np.arange(count) + 0.5) * step_s, side="right")
    midi = np.array([-1.0 if m is None else m for m in segment.note_midi] + [-1.0])
    sounding = midi[np.minimum(note, len(ends))]
    return np.where(sounding < 0, 0.0, midi_to_hz(sounding))
