"""A melody with its lyrics, in beats: what a score file says of the voice that sings."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from math import isfinite

from oneleap.core.errors import InputError

TEMPO = 120.0
"""Quarter notes a minute where a score names no tempo, as MIDI has it."""


@dataclass(frozen=True)
class Note:
    """A note or a rest; ties are resolved.

    Attributes:
        beats: Length in quarter notes, more than 0.
        midi: Pitch in semitones, 69 = A4; ``None`` is a rest.
        lyric: What is sung on it, syllables apart by spaces; empty on rests and slurs.
        slur: Goes on with the syllable of the note before.
        breath: A breath is taken at its end.
    """

    beats: Fraction
    midi: float | None
    lyric: str = ""
    slur: bool = False
    breath: bool = False


@dataclass(frozen=True)
class Bar:
    """A bar as it is played; repeats are written out.

    Attributes:
        number: As the score numbers it.
        beats: Its length in quarter notes; a pickup is shorter than its metre.
        metre: Numerator and denominator of its time signature.
    """

    number: str
    beats: Fraction
    metre: tuple[int, int] = (4, 4)


@dataclass(frozen=True)
class Score:
    """The part that is sung.

    Attributes:
        notes: One after the other, without gaps: rests are notes.
        bars: They span the notes.
        tempos: (beat, quarter notes a minute) from that beat on, the first at beat 0.
        title: Of the song.
        part: Name of the part.

    Raises:
        InputError: If a note is empty or out of range, a rest has words, a slur goes on from
            nothing, or bars and notes are of different length; naming bar and note.
    """

    notes: tuple[Note, ...]
    bars: tuple[Bar, ...]
    tempos: tuple[tuple[Fraction, float], ...] = ((Fraction(0), TEMPO),)
    title: str = ""
    part: str = ""

    def __post_init__(self) -> None:
        for i, note in enumerate(self.notes):
            wrong = _wrong(note, self.notes[i - 1] if i else None)
            if wrong:
                raise InputError(f"{self.place(i)}: {wrong}")
        if sum(n.beats for n in self.notes) != sum(b.beats for b in self.bars):
            raise InputError("the bars are not as long as the notes in them")
        if not self.tempos or self.tempos[0][0] != 0:
            raise InputError("no tempo is set at the beginning")
        for beat, tempo in self.tempos:
            if not (isfinite(tempo) and tempo > 0):
                raise InputError(f"beat {float(beat):g}: tempo {tempo} a minute")

    @cached_property
    def starts(self) -> tuple[list[Fraction], list[Fraction]]:
        """The beats that notes and bars begin at."""
        return onsets(self.notes), onsets(self.bars)

    def place(self, index: int) -> str:
        """``bar 3, note 2``: of a note; notes are counted as they begin in the bar, with rests."""
        notes, bars = self.starts
        bar = bisect_right(bars, notes[index]) - 1
        first = bisect_left(notes, bars[bar], hi=index) if bars else 0
        number = self.bars[bar].number if self.bars else "1"
        return f"bar {number}, note {index - first + 1}"

    def seconds(self, beat: Fraction) -> float:
        """When a beat comes."""
        time = 0.0
        for i, (start, tempo) in enumerate(self.tempos):
            end = self.tempos[i + 1][0] if i + 1 < len(self.tempos) else beat
            if beat <= start:
                break
            time += float(min(beat, end) - start) * 60.0 / tempo
        return time


def _wrong(note: Note, before: Note | None) -> str:
    """What is wrong with a note."""
    if note.beats <= 0:
        return f"its length is {float(note.beats):g}: give it one, or delete it"
    if note.midi is None:
        if note.lyric or note.slur:
            return f"a rest has the lyric '{note.lyric}'" if note.lyric else "a rest is slurred"
    elif not (isfinite(note.midi) and 0 <= note.midi < 128):
        return f"its pitch is {note.midi} semitones, not 0 to 127"
    elif note.slur:
        if before is None or before.midi is None:
            return "it goes on with a syllable, but none is sung before it: give it a lyric"
        if note.lyric:
            return f"it is slurred and has the lyric '{note.lyric}'"
    elif not note.lyric.strip():
        return "it has no lyric"
    return ""


def onsets(parts: Sequence[Note] | Sequence[Bar]) -> list[Fraction]:
    """The beat each begins at."""
    return list(accumulate((part.beats for part in parts), initial=Fraction(0)))[:-1]


def with_lyrics(score: Score, syllables: Sequence[str]) -> Score:
    """The same melody with other words: one syllable to each note that is neither rest nor slur.

    Raises:
        InputError: If there are more or fewer syllables than such notes.
    """
    places = [i for i, n in enumerate(score.notes) if n.midi is not None and not n.slur]
    if len(places) != len(syllables):
        raise InputError(f"{len(syllables)} syllables for {len(places)} notes")
    notes = list(score.notes)
    for i, syllable in zip(places, syllables, strict=True):
        notes[i] = replace(notes[i], lyric=syllable)
    return replace(score, notes=tuple(notes))


def even_bars(
    beats: Fraction, metre: tuple[int, int] = (4, 4), pickup: Fraction = Fraction(0)
) -> tuple[Bar, ...]:
    """Bars of one metre over so many beats, the last one maybe shorter."""
    whole = Fraction(4 * metre[0], metre[1])
    found = [Bar("0", pickup, metre)] if pickup else []
    left, number = beats - pickup, 1
    while left > 0:
        found.append(Bar(str(number), min(whole, left), metre))
        left, number = left - whole, number + 1
    return tuple(found)
