"""Correction of a singer's pitch, so that each note has the pitch of the score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.singing.segments.hts import TICKS_PER_SECOND, Label

SMOOTHING_S = 0.08
"""Time over which the correction changes from one note to the next, seconds."""

MAX_DEVIATION = 0.3
"""Largest distance of the pitch from the median of its note, semitones."""

MIN_FRAMES = 4
"""Smallest number of voiced frames of which the median of a note is taken."""


def correct_pitch(
    f0_hz: NDArray[np.float64], labels: Sequence[Label], step_s: float, vowels: frozenset[str]
) -> NDArray[np.float64]:
    """Shift the pitch so that the median over the vowels of each note is the note's pitch.

    An HMM voice regresses to the middle of its range: at the ends its pitch is wrong by a musical
    third. Within a long note its pitch steps by up to two semitones. Therefore the function also
    limits the distance ``d`` from the median to ``B tanh(d / B)``, where ``B`` is
    ``MAX_DEVIATION``; this hardly changes small distances. A note without voiced vowels gets the
    correction of its neighbors.

    Args:
        f0_hz: Pitch of each frame, Hz, 0 if unvoiced, (frames,).
        labels: Labels of the recording, with times and notes.
        step_s: Time between two values of f0, seconds.
        vowels: Phonemes over which the median is taken.

    Returns:
        Corrected pitch of each frame, Hz, 0 if unvoiced, (frames,).
    """
    voiced = f0_hz > 0
    semitones = np.zeros(len(f0_hz))
    semitones[voiced] = 69 + 12 * np.log2(f0_hz[voiced] / 440)
    notes = _find_notes(labels, step_s, vowels, len(f0_hz))
    errors = np.full(len(notes), np.nan)
    for k, note in enumerate(notes):
        measured = note.vowel_frames & voiced
        if note.midi is not None and measured.sum() >= MIN_FRAMES:
            errors[k] = np.median(semitones[measured]) - note.midi
    known = np.flatnonzero(np.isfinite(errors))
    if len(known) == 0:
        return f0_hz.astype(np.float64)
    errors = np.interp(np.arange(len(notes)), known, errors[known])
    offset = np.zeros(len(f0_hz))
    for note, error in zip(notes, errors, strict=True):
        inside = slice(note.first, note.last)
        if note.midi is None:
            deviation = np.zeros(note.last - note.first)
        else:
            deviation = semitones[inside] - note.midi - error
        excess = deviation - MAX_DEVIATION * np.tanh(deviation / MAX_DEVIATION)
        offset[inside] = error + np.where(voiced[inside], excess, 0.0)
    width = 2 * round(SMOOTHING_S / step_s / 2) + 1
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(offset, width // 2, mode="edge")
    smooth = np.convolve(padded, window / window.sum(), mode="valid")
    return np.where(voiced, f0_hz * 2 ** (-smooth / 12), 0.0)


@dataclass
class _NoteFrames:
    """Frames of a note.

    Attributes:
        first: Index of the first frame.
        last: Index after the last frame.
        midi: Pitch in semitones; ``None`` for a rest.
        vowel_frames: True at the frames inside its vowels, (frames,).
    """

    first: int
    last: int
    midi: float | None
    vowel_frames: NDArray[np.bool_]


def _find_notes(
    labels: Sequence[Label], step_s: float, vowels: frozenset[str], frames: int
) -> list[_NoteFrames]:
    """Find the notes of labels; the first quarter and last eighth of a vowel do not count."""
    found: list[_NoteFrames] = []
    before = None
    for label in labels:
        first = round(label.start / TICKS_PER_SECOND / step_s)
        last = min(frames, round(label.end / TICKS_PER_SECOND / step_s))
        if before is None or label.note != before:
            found.append(_NoteFrames(first, last, label.midi, np.zeros(frames, bool)))
        if label.phoneme in vowels:
            inside = slice(first + (last - first) // 4, last - (last - first) // 8)
            found[-1].vowel_frames[inside] = True
        found[-1].last = last
        before = label.note
    return found
