"""The range of a song, and a song that is brought into the range of a voice."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil, floor

import numpy as np

from oneleap.core.errors import InputError
from oneleap.domains.singing.data.batches import RANGE_MARGIN
from oneleap.domains.singing.segments.pitch import midi_to_name
from oneleap.domains.singing.segments.segment import Curve, ScoreSegment
from oneleap.domains.singing.segments.timing import note_words, start_times
from oneleap.domains.singing.spec import Spec

OCTAVE = 12.0
"""Semitones of an octave."""


def fit_range(
    phrases: Sequence[ScoreSegment], spec: Spec, key: float = 0.0, *, fold_octaves: bool = False
) -> list[ScoreSegment]:
    """Check that a voice can sing all notes of a song, and move those by octaves that it cannot.

    Args:
        phrases: Phrases, already transposed.
        spec: Range of the voice, to which a margin is added.
        key: Semitones by which the phrases were transposed.
        fold_octaves: Whether notes out of range are moved by octaves: the whole phrase if that is
            enough, else words, else notes.

    Returns:
        The phrases.

    Raises:
        InputError: A note is out of range. The message names it, the range of the song and of the
            voice, and the key that fits.
    """
    low, high = spec.lowest - RANGE_MARGIN, spec.highest + RANGE_MARGIN
    sung = [midi for phrase in phrases for midi in phrase.note_midi if midi is not None]
    outside = next(
        (
            (k, i, midi)
            for k, phrase in enumerate(phrases)
            for i, midi in enumerate(phrase.note_midi)
            if midi is not None and not low <= midi <= high
        ),
        None,
    )
    if outside is None:
        return list(phrases)
    if fold_octaves and high - low >= OCTAVE:
        return [_fold(phrase, low, high) for phrase in phrases]
    k, i, midi = outside
    raise InputError(
        f"phrase {k + 1}: {phrases[k].note_location(i)} has pitch {midi:g}: the song goes from "
        f"{_name(min(sung))} to {_name(max(sung))}, but this voice sings {_name(low)} to "
        f"{_name(high)}: {_advice(min(sung), max(sung), low, high, key)}"
    )


def _name(midi: float) -> str:
    return midi_to_name(float(round(midi)))


def _advice(lowest: float, highest: float, low: float, high: float, key: float) -> str:
    """Name the smallest change of key that fits, or else the option for wide songs."""
    least, most = ceil(low - lowest), floor(high - highest)
    if least > most:
        return "no key fits all of it: --fold-octaves moves what is out of range by octaves"
    shift = least if least > 0 else most
    return f"--key {key + shift:+g} brings the song into this range"


def _fold(phrase: ScoreSegment, low: float, high: float) -> ScoreSegment:
    """Move the notes of a phrase that are out of range by octaves, and the pitch on them."""
    words = note_words(phrase.note_slur)
    groups = [range(len(phrase.note_midi))]
    if _octaves(phrase, groups[0], low, high) is None:
        starts = np.searchsorted(words, np.arange(len(phrase.ph_num) + 1)).tolist()
        groups = [range(a, b) for a, b in pairwise(starts)]
    shifts = np.zeros(len(phrase.note_midi))
    for group in groups:
        shift = _octaves(phrase, group, low, high)
        for i in group:
            own = _octaves(phrase, range(i, i + 1), low, high) if shift is None else shift
            shifts[i] = 0.0 if own is None else own
    notes = tuple(
        None if m is None else m + s for m, s in zip(phrase.note_midi, shifts.tolist(), strict=True)
    )
    f0 = phrase.f0
    if f0 is not None:
        times = np.arange(len(f0.values)) * f0.step_s
        note = np.searchsorted(start_times(phrase.note_dur), times, side="right") - 1
        f0 = Curve(f0.values * 2 ** (shifts[note.clip(0)] / 12), f0.step_s)
    return replace(phrase, note_midi=notes, f0=f0)


def _octaves(phrase: ScoreSegment, group: range, low: float, high: float) -> float | None:
    """Smallest number of octaves, in semitones, that brings notes into range, if there is one."""
    midi = [m for i in group if (m := phrase.note_midi[i]) is not None]
    if not midi:
        return 0.0
    least = ceil((low - min(midi)) / OCTAVE)
    most = floor((high - max(midi)) / OCTAVE)
    return None if least > most else OCTAVE * min(max(0, least), most)
