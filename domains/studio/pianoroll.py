"""A piano roll: the notes of a song as bars over time, with the syllables that are sung."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from oneleap.domains.singing import ScoreSegment

NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
"""Names of the pitch classes."""

BLACK = frozenset((1, 3, 6, 8, 10))
"""Pitch classes of the black keys."""


@dataclass(frozen=True)
class Bar:
    """A note to draw.

    Attributes:
        start: Start in the song, seconds.
        seconds: Duration.
        midi: Pitch in semitones; 69 is A4.
        syllable: What is sung; empty if the note continues a syllable.
    """

    start: float
    seconds: float
    midi: float
    syllable: str


def note_bars(segments: "Sequence[ScoreSegment]") -> list[Bar]:
    """Return the notes of all phrases, without rests.

    The syllable of a note is the consonants that lead to its vowel, and the vowel.
    """
    found = list[Bar]()
    for segment in segments:
        words, start, word = _syllables(segment), segment.offset, -1
        for midi, seconds, slur in zip(
            segment.note_midi, segment.note_dur, segment.note_slur, strict=True
        ):
            word += not slur
            if midi is not None:
                found.append(Bar(start, seconds, midi, "" if slur else words[word]))
            start += seconds
    return found


def _syllables(segment: "ScoreSegment") -> list[str]:
    """Return the syllable of each word: a word begins with a vowel, and ends in consonants."""
    found, onset, first = list[str](), "", 0
    for count in segment.ph_num:
        vowel, *consonants = segment.ph_seq[first : first + count]
        found.append(onset + vowel)
        onset, first = "".join(consonants), first + count
    return found


def note_name(midi: int) -> str:
    """Return the name of a key of the piano, such as C4."""
    return f"{NAMES[midi % 12]}{midi // 12 - 1}"


def piano_roll(segments: "Sequence[ScoreSegment]", title: str) -> "Figure":
    """Draw a piano roll.

    Args:
        segments: Phrases of the song, at least one.
        title: Title of the picture.

    Returns:
        The picture.
    """
    from matplotlib.figure import Figure

    bars = note_bars(segments)
    keys = [round(bar.midi) for bar in bars] or [60]
    low, high = min(keys) - 2, max(keys) + 2
    end = max(segment.offset + segment.seconds for segment in segments)
    figure = Figure(figsize=(9.5, 3.8), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    for key in range(low, high + 1):
        if key % 12 in BLACK:
            axes.axhspan(key - 0.5, key + 0.5, color="0.93", linewidth=0)
    boxes = [(bar.start, bar.seconds) for bar in bars]
    for bar, box in zip(bars, boxes, strict=True):
        color = "tab:blue" if bar.syllable else "tab:cyan"
        axes.broken_barh([box], (bar.midi - 0.42, 0.84), color=color, edgecolor="white")
        if bar.seconds > end / 60:  # else the letters would overlap
            axes.text(
                bar.start + bar.seconds / 2,
                bar.midi,
                bar.syllable,
                ha="center",
                va="center",
                fontsize=7,
                color="white",
            )
    named = [key for key in range(low, high + 1) if key % 12 not in BLACK]
    axes.set(xlim=(0, end), ylim=(low - 0.5, high + 0.5), xlabel="seconds", title=title)
    axes.set_yticks(named, [note_name(key) for key in named], fontsize=8)
    axes.grid(axis="x", color="0.85")
    axes.set_axisbelow(True)
    return figure
