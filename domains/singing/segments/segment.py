"""A phrase to be sung, or that was: the fields of openvpi's ``.ds`` as numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError

SILENCE, BREATH = "SP", "AP"
"""Phonemes that every dictionary has: silence, and breath that is heard."""

PAUSES = frozenset((SILENCE, BREATH))

REST = "rest"
"""A note without pitch, in files; ``None`` in memory."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Values at even steps of time, the first at the beginning of the segment.

    Attributes:
        values: (n,), not empty.
        step_s: Seconds between two of them.
    """

    values: NDArray[np.float64]
    step_s: float

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or len(self.values) == 0 or not np.isfinite(self.values).all():
            raise InputError("a curve has one or more values, all of them numbers")
        if not (isfinite(self.step_s) and self.step_s > 0):
            raise InputError(f"a curve's step of time is positive, not {self.step_s}")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Curve)
            and self.step_s == other.step_s
            and np.array_equal(self.values, other.values)
        )

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at other times, by straight lines; beyond the ends the end's value."""
        steps = np.arange(len(self.values)) * self.step_s
        found: NDArray[np.float64] = np.interp(times_s, steps, self.values)
        return found


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One phrase: phonemes in words, notes, and what is known of how they are sung.

    **Words** are openvpi's: a word begins where its vowel does, on the beat, and takes in the
    consonants that lead to the next one. ``SP s a k u r a SP`` has the words ``SP s``, ``a k``,
    ``u r``, ``a``, ``SP``: ``ph_num`` is 2 2 2 1 1. So the beginning of a word is the beginning of
    a note, and every word has one note that is no slur, followed by as many slurs as it has further
    notes: ``sum(not slur) == len(ph_num)``, and ``sum(ph_num) == len(ph_seq)``.

    Sequences that a file does not hold are empty. Notes without slurs (recordings whose notes were
    guessed from pitch) are not bound to words: ``note_slur`` is empty then.

    Attributes:
        ph_seq: Phonemes.
        ph_num: Phonemes in each word.
        ph_dur: Seconds of each phoneme, 0 or more.
        note_midi: Pitch of each note in semitones, 69 = A4 = 440 Hz, with a fraction for cents;
            ``None`` is a rest.
        note_dur: Seconds of each note, more than 0.
        note_slur: Whether the note goes on with the word of the note before.
        offset: Seconds from the beginning of the song.
        text: Lyrics for display.
        f0: Hz; 0 where there is no voice, or carried on through it.
        energy: dB.
        breathiness: dB.
        voicing: dB.
        tension: Log-odds.
        gender: Shift of the formants, on [-1, 1].
        velocity: Speed of consonants, 1 is as they are.
        lang: Language of the phonemes that do not name theirs.
        name: Of the recording, where the segment is one; not written to ``.ds``.
        places: Where each note stands in its score, ``bar 3, note 2``, for messages.
        more: Every other key of the file, verbatim (``spk_mix``, ``seed``, ...).

    Raises:
        InputError: If lengths do not agree, or a value makes no sense; the message names the field
            and the place, not the file.
    """

    ph_seq: tuple[str, ...]
    ph_num: tuple[int, ...] = ()
    ph_dur: tuple[float, ...] = ()
    note_midi: tuple[float | None, ...] = ()
    note_dur: tuple[float, ...] = ()
    note_slur: tuple[bool, ...] = ()
    offset: float = 0.0
    text: str = ""
    f0: Curve | None = None
    energy: Curve | None = None
    breathiness: Curve | None = None
    voicing: Curve | None = None
    tension: Curve | None = None
    gender: Curve | float | None = None
    velocity: Curve | float | None = None
    lang: str | None = None
    name: str = ""
    places: tuple[str, ...] = field(default=(), compare=False)
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_phonemes(self)
        _check_notes(self)
        if not isfinite(self.offset):
            raise InputError(f"offset is {self.offset}")

    @property
    def seconds(self) -> float:
        """Length, of the phonemes where their durations are known, else of the notes."""
        return float(sum(self.ph_dur or self.note_dur))

    def place(self, note: int) -> str:
        """Where a note is, by its index: its bar where that is known, else its number."""
        return self.places[note] if note < len(self.places) else f"note {note + 1}"


def _check_phonemes(s: Segment) -> None:
    if not s.ph_seq:
        raise InputError("ph_seq is empty: there is nothing to sing")
    for i, phoneme in enumerate(s.ph_seq):
        if not phoneme or any(c.isspace() for c in phoneme):
            raise InputError(f"ph_seq: phoneme {i + 1} is '{phoneme}'")
    if s.ph_num:
        if min(s.ph_num) < 1:
            raise InputError(f"ph_num: word {s.ph_num.index(min(s.ph_num)) + 1} has no phonemes")
        if sum(s.ph_num) != len(s.ph_seq):
            raise InputError(f"ph_num counts {sum(s.ph_num)} phonemes, ph_seq has {len(s.ph_seq)}")
    if s.ph_dur:
        _same_length(s, "ph_dur", "ph_seq")
        for i, seconds in enumerate(s.ph_dur):
            if not (isfinite(seconds) and seconds >= 0):
                raise InputError(f"ph_dur: phoneme {i + 1} ({s.ph_seq[i]}) lasts {seconds} s")


def _check_notes(s: Segment) -> None:
    _same_length(s, "note_dur", "note_seq")
    for i, (midi, seconds) in enumerate(zip(s.note_midi, s.note_dur, strict=True)):
        if not (isfinite(seconds) and seconds > 0):
            raise InputError(f"note_dur: note {i + 1} lasts {seconds} s")
        if midi is not None and not 0 <= midi < 128:
            raise InputError(f"note_seq: note {i + 1} has pitch {midi}, not in 0 to 127 semitones")
    if not s.note_slur:
        return
    _same_length(s, "note_slur", "note_seq")
    if s.note_slur[0]:
        raise InputError("note_slur: note 1 is a slur, with no note before it")
    for i, slur in enumerate(s.note_slur):
        if slur and s.note_midi[i] is None:
            raise InputError(f"note_slur: note {i + 1} is a rest and a slur")
    heads = len(s.note_slur) - sum(s.note_slur)
    if s.ph_num and heads != len(s.ph_num):
        raise InputError(
            f"ph_num has {len(s.ph_num)} words, note_slur {heads} notes that begin one"
        )


def _same_length(s: Segment, one: str, other: str) -> None:
    counts = {"note_seq": len(s.note_midi), "note_dur": len(s.note_dur)}
    counts |= {"note_slur": len(s.note_slur), "ph_seq": len(s.ph_seq), "ph_dur": len(s.ph_dur)}
    if counts[one] != counts[other]:
        raise InputError(
            f"{one} has {counts[one]} values, {other} {counts[other]}: they must be as many"
        )


def with_curves(segment: Segment, change: Callable[[Curve], Curve]) -> Segment:
    """The segment with each of its curves changed by a function."""

    def known(curve: Curve | None) -> Curve | None:
        return None if curve is None else change(curve)

    def either(value: Curve | float | None) -> Curve | float | None:
        return change(value) if isinstance(value, Curve) else value

    return replace(
        segment,
        f0=known(segment.f0),
        energy=known(segment.energy),
        breathiness=known(segment.breathiness),
        voicing=known(segment.voicing),
        tension=known(segment.tension),
        gender=either(segment.gender),
        velocity=either(segment.velocity),
    )


def bound_to_words(segment: Segment) -> Segment:
    """The segment itself, if it has notes that belong to words.

    Raises:
        InputError: If it lacks ``ph_num``, notes or slurs.
    """
    for field_name, value in (
        ("ph_num", segment.ph_num),
        ("note_seq", segment.note_midi),
        ("note_slur", segment.note_slur),
    ):
        if not value:
            raise InputError(f"{field_name} is missing: a score has words, notes and slurs")
    return segment
