"""A score: the melody and lyrics of the part that is sung, in beats."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import ceil, isfinite

from oneleap.core.errors import InputError

TimeSignature = tuple[int, int]
"""Numerator and denominator."""

DEFAULT_TEMPO = 120.0
"""Tempo of a score that names none, quarter notes per minute, as in MIDI."""

FERMATA = 1.5
"""Length of a note with a fermata, as a multiple of what is written."""

CONTINUATION_LYRICS = frozenset(("ー", "-", "+", "~", "—", "–", "_"))
"""Lyrics in score files that mean: the syllable before continues on this note."""

MAX_BARS = 20_000
"""Largest number of bars of a song."""

MAX_NOTES = 100_000
"""Largest number of notes of a song."""


@dataclass(frozen=True)
class Note:
    """A note or a rest; tied notes are one note.

    Attributes:
        beats: Length in quarter notes, more than 0.
        midi: Pitch in semitones, 69 is A4; ``None`` is a rest.
        lyric: Text that is sung on the note, syllables separated by spaces; empty for rests and
            slurs.
        slur: Whether the note continues the syllable of the note before it.
        breath: Whether the singer takes a breath at the end of the note.
        hyphen: Whether the word of the lyric goes on with the next lyric.
        accent: Whether the note starts louder.
        fermata: Whether the note is held longer than written, see :data:`FERMATA`.
    """

    beats: Fraction
    midi: float | None
    lyric: str = ""
    slur: bool = False
    breath: bool = False
    hyphen: bool = False
    accent: bool = False
    fermata: bool = False


@dataclass(frozen=True)
class Bar:
    """A bar as it is played; a bar that is repeated occurs again.

    Attributes:
        number: Number in the score.
        beats: Length in quarter notes; a pickup is shorter than its time signature says.
        time_signature: Numerator and denominator.
    """

    number: str
    beats: Fraction
    time_signature: TimeSignature = (4, 4)


@dataclass(frozen=True)
class Score:
    """The part of a song that is sung.

    Attributes:
        notes: Notes and rests, consecutive.
        bars: Bars; together they are as long as the notes.
        tempos: Pairs (beat, quarter notes per minute): the tempo from that beat on. The first pair
            is at beat 0.
        title: Title of the song.
        part: Name of the part.
        dynamics: Points (beat, dB relative to mezzo forte) of the written dynamics, in order,
            between which the loudness changes linearly. Two points at one beat are a sudden change.
            Empty if the score has no dynamics.

    Raises:
        InputError: If there are too many notes or bars, a note is empty or out of range, a rest
            has a lyric, a slur continues nothing, or bars and notes differ in length. The message
            names the bar and the note.
    """

    notes: tuple[Note, ...]
    bars: tuple[Bar, ...]
    tempos: tuple[tuple[Fraction, float], ...] = ((Fraction(0), DEFAULT_TEMPO),)
    title: str = ""
    part: str = ""
    dynamics: tuple[tuple[Fraction, float], ...] = ()

    def __post_init__(self) -> None:
        check_size(len(self.bars), len(self.notes))
        for i, note in enumerate(self.notes):
            problem = _problem(note, self.notes[i - 1] if i else None)
            if problem:
                raise InputError(f"{self.location(i)}: {problem}")
        if sum(n.beats for n in self.notes) != sum(b.beats for b in self.bars):
            raise InputError("the bars are not as long as the notes in them")
        if not self.tempos or self.tempos[0][0] != 0:
            raise InputError("the score has no tempo at its beginning")
        for beat, tempo in self.tempos:
            if not (isfinite(tempo) and tempo > 0):
                raise InputError(f"beat {float(beat):g}: the tempo is {tempo} beats per minute")

    @cached_property
    def _onsets(self) -> tuple[list[Fraction], list[Fraction]]:
        """Beats at which notes and bars start."""
        return onsets(self.notes), onsets(self.bars)

    def location(self, index: int) -> str:
        """Describe where a note is, such as ``bar 3, note 2``; rests count as notes."""
        notes, bars = self._onsets
        bar = bisect_right(bars, notes[index]) - 1
        first = bisect_left(notes, bars[bar], hi=index) if bars else 0
        number = self.bars[bar].number if self.bars else "1"
        return f"bar {number}, note {index - first + 1}"

    @cached_property
    def sung_tempos(self) -> tuple[tuple[Fraction, float], ...]:
        """The tempos as they are sung: a note with a fermata is slower by :data:`FERMATA`."""
        starts = self._onsets[0]
        held = [(a, a + n.beats) for a, n in zip(starts, self.notes, strict=True) if n.fermata]
        if not held:
            return self.tempos
        beats = [beat for beat, _ in self.tempos]
        firsts, ends = [a for a, _ in held], [b for _, b in held]

        def sung(beat: Fraction) -> float:
            tempo = self.tempos[bisect_right(beats, beat) - 1][1]
            k = bisect_right(firsts, beat) - 1
            return tempo / FERMATA if k >= 0 and beat < ends[k] else tempo

        return tuple((beat, sung(beat)) for beat in sorted({*beats, *firsts, *ends}))

    @cached_property
    def _tempo_starts(self) -> tuple[list[Fraction], list[float]]:
        """Beats and times at which tempos start."""
        beats = [beat for beat, _ in self.sung_tempos]
        times = [0.0]
        for (beat, tempo), end in zip(self.sung_tempos, beats[1:], strict=False):
            times.append(times[-1] + float(end - beat) * 60.0 / tempo)
        return beats, times

    def time_at(self, beat: Fraction) -> float:
        """Time of a beat, seconds from the beginning of the score."""
        beats, times = self._tempo_starts
        k = max(0, bisect_right(beats, beat) - 1)
        return times[k] + float(max(beat, Fraction(0)) - beats[k]) * 60.0 / self.sung_tempos[k][1]


def check_size(bars: int, notes: int = 0) -> None:
    """Check that a song is not too long.

    Raises:
        InputError: If it has more than ``MAX_BARS`` bars or ``MAX_NOTES`` notes.
    """
    if bars > MAX_BARS:
        raise InputError(f"the song has {bars} bars, at most {MAX_BARS} are possible")
    if notes > MAX_NOTES:
        raise InputError(f"the song has {notes} notes, at most {MAX_NOTES} are possible")


def _problem(note: Note, before: Note | None) -> str:
    """Say what is wrong with a note; an empty string if nothing is."""
    if note.beats <= 0:
        return f"its length is {float(note.beats):g}: give it one, or delete it"
    if note.midi is None:
        if note.lyric or note.slur:
            return f"a rest has the lyric '{note.lyric}'" if note.lyric else "a rest is slurred"
    elif not (isfinite(note.midi) and 0 <= note.midi < 128):
        return f"its pitch is {note.midi} semitones; it must be from 0 to 127"
    elif note.slur:
        if before is None or before.midi is None:
            return "it has no lyric, and no note before it to continue: give it a lyric"
        if note.lyric:
            return f"it is slurred and has the lyric '{note.lyric}'"
    elif not note.lyric.strip():
        return "it has no lyric"
    return ""


def onsets(parts: Sequence[Note] | Sequence[Bar]) -> list[Fraction]:
    """Beat at which each note or bar starts."""
    return list(accumulate((part.beats for part in parts), initial=Fraction(0)))[:-1]


def with_lyrics(score: Score, syllables: Sequence[str]) -> Score:
    """Replace the lyrics of a score.

    Args:
        score: The score.
        syllables: One lyric for each note that is neither a rest nor a slur.

    Returns:
        The same melody with other lyrics.

    Raises:
        InputError: If the number of syllables differs from the number of such notes.
    """
    with_lyric = [i for i, n in enumerate(score.notes) if n.midi is not None and not n.slur]
    if len(with_lyric) != len(syllables):
        raise InputError(f"there are {len(syllables)} syllables for {len(with_lyric)} notes")
    notes = list(score.notes)
    for i, syllable in zip(with_lyric, syllables, strict=True):
        notes[i] = replace(notes[i], lyric=syllable)
    return replace(score, notes=tuple(notes))


def bar_beats(time_signature: TimeSignature) -> Fraction:
    """Length of a full bar, quarter notes."""
    return Fraction(4 * time_signature[0], time_signature[1])


def uniform_bars(
    beats: Fraction, time_signature: TimeSignature = (4, 4), pickup: Fraction = Fraction(0)
) -> tuple[Bar, ...]:
    """Make numbered bars of one time signature.

    Args:
        beats: Total length, quarter notes. The last bar may be shorter than the others.
        time_signature: Numerator and denominator.
        pickup: Length of a bar 0 before the first full bar, quarter notes; 0 for none.

    Returns:
        Bars of the total length.

    Raises:
        InputError: If there would be more than ``MAX_BARS``.
    """
    full = bar_beats(time_signature)
    check_size(ceil((beats - pickup) / full))
    found = [Bar("0", pickup, time_signature)] if pickup else []
    left, number = beats - pickup, 1
    while left > 0:
        found.append(Bar(str(number), min(full, left), time_signature))
        left, number = left - full, number + 1
    return tuple(found)
