"""A phrase to be sung, or one that was recorded: the fields of openvpi's ``.ds`` as numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError

SILENCE, BREATH = "SP", "AP"
"""Phonemes of every dictionary: silence, and an audible breath."""

PAUSES = frozenset((SILENCE, BREATH))
"""Phonemes that have no pitch."""

REST = "rest"
"""Name of a note without pitch in files; in memory its pitch is ``None``."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Values at regular time steps; the first value is at the start of the segment.

    Attributes:
        values: Values, (n,), at least one.
        step_s: Time between two values, seconds.

    Raises:
        InputError: If there are no values, a value is not finite, or the step is not positive.
    """

    values: NDArray[np.float64]
    step_s: float

    def __post_init__(self) -> None:
        if self.values.ndim != 1 or len(self.values) == 0 or not np.isfinite(self.values).all():
            raise InputError("a curve must have at least one value, and all must be finite numbers")
        if not (isfinite(self.step_s) and self.step_s > 0):
            raise InputError(f"a curve's time step must be positive, not {self.step_s}")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Curve)
            and self.step_s == other.step_s
            and np.array_equal(self.values, other.values)
        )

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Interpolate linearly; times beyond the curve get its first or last value."""
        steps = np.arange(len(self.values)) * self.step_s
        found: NDArray[np.float64] = np.interp(times_s, steps, self.values)
        return found


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A phrase: its phonemes in words, its notes, and what is known of how it is sung.

    **Words** are those of openvpi. A word starts with a vowel, on the beat, and includes the
    consonants that lead to the next vowel. ``SP s a k u r a SP`` has the words ``SP s``, ``a k``,
    ``u r``, ``a`` and ``SP``, so ``ph_num`` is 2 2 2 1 1. Each word starts together with a note
    that is not a slur. If a word has more notes, they follow as slurs. Therefore
    ``sum(not slur) == len(ph_num)`` and ``sum(ph_num) == len(ph_seq)``.

    A sequence that a file does not contain is empty. Some recordings have notes that were estimated
    from pitch; these notes do not belong to words, and ``note_slur`` is empty. A
    :class:`ScoreSegment` is a segment in which words, notes and slurs are known to be present.

    Attributes:
        ph_seq: Phonemes.
        ph_num: Number of phonemes of each word.
        ph_dur: Duration of each phoneme, seconds, 0 or more.
        note_midi: Pitch of each note in semitones (69 is A4, 440 Hz), with a fraction for cents;
            ``None`` is a rest.
        note_dur: Duration of each note, seconds, more than 0.
        note_slur: Whether a note continues the word of the note before it.
        offset: Start of the segment in its song, seconds.
        text: Lyrics for display.
        f0: Fundamental frequency, Hz; unvoiced frames are 0 or interpolated.
        energy: Energy, dB.
        breathiness: Energy of the aperiodic part, dB.
        voicing: Energy of the periodic part, dB.
        tension: Vocal tension, log-odds.
        gender: Shift of the formants, on [-1, 1].
        velocity: Speed of consonants; 1 is unchanged.
        dynamics: Loudness that the score asks for, dB relative to mezzo forte; a key of our own in
            ``.ds`` files, which other programs leave alone.
        lang: Language of the phonemes that do not name their own.
        name: Name of the recording, if the segment is one; ``.ds`` files do not store it.
        note_locations: Location of each note in its score, such as ``bar 3, note 2``, for messages.
        note_lyrics: Lyric of each note in its score, for display.
        extra: All other keys of the file, unchanged (``spk_mix``, ``seed``, ...).

    Raises:
        InputError: If lengths do not match or a value is invalid. The message names the field and
            the position, not the file.
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
    dynamics: Curve | None = None
    lang: str | None = None
    name: str = ""
    note_locations: tuple[str, ...] = field(default=(), compare=False)
    note_lyrics: tuple[str, ...] = field(default=(), compare=False)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_phonemes(self)
        _check_notes(self)
        if not isfinite(self.offset):
            raise InputError(f"offset is {self.offset}, which is not a finite number")

    @property
    def seconds(self) -> float:
        """Length: the sum of the phoneme durations if they are known, else of the notes."""
        return float(sum(self.ph_dur or self.note_dur))

    def note_location(self, index: int) -> str:
        """Describe where a note is: by its bar if that is known, else by its number."""
        known = index < len(self.note_locations)
        return self.note_locations[index] if known else f"note {index + 1}"


@dataclass(frozen=True, kw_only=True)
class ScoreSegment(Segment):
    """A segment that has words, and notes that belong to them, as a score has.

    Functions that need words and notes take this type, so that none of them has to check. Use
    :meth:`from_segment` to make one from any segment.

    Raises:
        InputError: If ``ph_num``, the notes or ``note_slur`` are missing, or see :class:`Segment`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, value in (
            ("ph_num", self.ph_num),
            ("note_seq", self.note_midi),
            ("note_slur", self.note_slur),
        ):
            if not value:
                raise InputError(f"{key} is missing: a score needs words, notes and slurs")

    @classmethod
    def from_segment(cls, segment: Segment) -> "ScoreSegment":
        """Make a score segment of a segment.

        Raises:
            InputError: If the segment has no words, notes or slurs.
        """
        if isinstance(segment, ScoreSegment):
            return segment
        return cls(**{f.name: getattr(segment, f.name) for f in fields(segment)})


S = TypeVar("S", bound=Segment)


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
        _check_lengths(s, "ph_dur", "ph_seq")
        for i, seconds in enumerate(s.ph_dur):
            if not (isfinite(seconds) and seconds >= 0):
                raise InputError(f"ph_dur: phoneme {i + 1} ({s.ph_seq[i]}) lasts {seconds} s")


def _check_notes(s: Segment) -> None:
    _check_lengths(s, "note_dur", "note_seq")
    for i, (midi, seconds) in enumerate(zip(s.note_midi, s.note_dur, strict=True)):
        if not (isfinite(seconds) and seconds > 0):
            raise InputError(f"note_dur: note {i + 1} lasts {seconds} s")
        if midi is not None and not 0 <= midi < 128:
            raise InputError(
                f"note_seq: note {i + 1} has pitch {midi}; it must be from 0 to 127 semitones"
            )
    if not s.note_slur:
        return
    _check_lengths(s, "note_slur", "note_seq")
    if s.note_slur[0]:
        raise InputError("note_slur: note 1 is a slur, but no note comes before it")
    for i, slur in enumerate(s.note_slur):
        if slur and s.note_midi[i] is None:
            raise InputError(f"note_slur: note {i + 1} is both a rest and a slur")
    starts = len(s.note_slur) - sum(s.note_slur)
    if s.ph_num and starts != len(s.ph_num):
        raise InputError(
            f"ph_num has {len(s.ph_num)} words, but note_slur has {starts} notes that start a word"
        )


def _check_lengths(s: Segment, one: str, other: str) -> None:
    counts = {"note_seq": len(s.note_midi), "note_dur": len(s.note_dur)}
    counts |= {"note_slur": len(s.note_slur), "ph_seq": len(s.ph_seq), "ph_dur": len(s.ph_dur)}
    if counts[one] != counts[other]:
        raise InputError(
            f"{one} has {counts[one]} values, {other} {counts[other]}: the numbers must be equal"
        )


def map_curves(segment: S, change: Callable[[Curve], Curve]) -> S:
    """Apply a function to each curve of a segment.

    Args:
        segment: The segment.
        change: Function that gets a curve and returns the new one.

    Returns:
        The segment with new curves; numbers and missing curves stay as they are.
    """

    def curve(value: Curve | None) -> Curve | None:
        return None if value is None else change(value)

    def curve_or_number(value: Curve | float | None) -> Curve | float | None:
        return change(value) if isinstance(value, Curve) else value

    return replace(
        segment,
        f0=curve(segment.f0),
        energy=curve(segment.energy),
        breathiness=curve(segment.breathiness),
        voicing=curve(segment.voicing),
        tension=curve(segment.tension),
        gender=curve_or_number(segment.gender),
        velocity=curve_or_number(segment.velocity),
        dynamics=curve(segment.dynamics),
    )
