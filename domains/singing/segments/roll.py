"""A song as a table of its notes and as a piano roll, in a terminal or as a picture."""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, floor
from pathlib import Path

from oneleap.core.files import atomic_write
from oneleap.domains.singing.segments.pitch import midi_to_name
from oneleap.domains.singing.segments.segment import PAUSES, ScoreSegment
from oneleap.domains.singing.segments.timing import phoneme_notes, start_times

PICTURE_SUFFIXES = (".png", ".pdf", ".svg")
"""Suffixes of pictures of a piano roll."""

SYSTEM_S = 16.0
"""Time of one line of the roll in a terminal, seconds."""

NAMES_WIDTH = 5
"""Columns of the names of the notes."""


@dataclass(frozen=True)
class NoteRow:
    """A note of a song.

    Attributes:
        start: Start in seconds.
        seconds: Length.
        midi: Pitch in semitones.
        lyric: Lyric; empty for slurs and where it is unknown.
        phonemes: Phonemes that are sung on the note, with the start of each in seconds or ``None``
            if it is unknown; consonants start before the note. Empty for slurs.
        where: Location in the score, such as ``bar 3, note 2``; empty if it is unknown.
    """

    start: float
    seconds: float
    midi: float
    lyric: str
    phonemes: tuple[tuple[str, float | None], ...]
    where: str


def note_rows(segments: Sequence[ScoreSegment], syllabic: Collection[str]) -> list[NoteRow]:
    """List the notes of phrases, without rests.

    The consonants before a vowel belong to its note. If a phrase has no durations of phonemes, only
    the phonemes on the beat have a time.

    Args:
        segments: Phrases.
        syllabic: Phonemes that can carry a note (``Phonemizer.syllabic``).

    Returns:
        Notes in order.
    """
    found = []
    for segment in segments:
        starts = [segment.offset + float(t) for t in start_times(segment.note_dur)]
        times = _phoneme_times(segment, starts)
        sung: list[list[tuple[str, float | None]]] = [[] for _ in starts]
        owners = phoneme_notes(segment, syllabic)
        for phoneme, time, note in zip(segment.ph_seq, times, owners, strict=True):
            if phoneme not in PAUSES:
                sung[note].append((phoneme, time))
        for i, midi in enumerate(segment.note_midi):
            if midi is None:
                continue
            lyric = segment.note_lyrics[i] if segment.note_lyrics else ""
            where = segment.note_location(i) if segment.note_locations else ""
            row = NoteRow(starts[i], segment.note_dur[i], midi, lyric, tuple(sung[i]), where)
            found.append(row)
    return found


def _phoneme_times(segment: ScoreSegment, starts: Sequence[float]) -> list[float | None]:
    """Start of each phoneme in seconds, as far as it is known, given that of each note."""
    if segment.ph_dur:
        return [segment.offset + float(t) for t in start_times(segment.ph_dur)]
    found: list[float | None] = [None] * len(segment.ph_seq)
    heads = [start for start, slur in zip(starts, segment.note_slur, strict=True) if not slur]
    for start, phoneme in zip(heads, accumulate((0, *segment.ph_num[:-1])), strict=True):
        found[phoneme] = start
    return found


def format_notes(rows: Sequence[NoteRow]) -> str:
    """Format notes as a table: time, length, note, syllable, phonemes with their starts."""
    lines = [f"{'start s':>8} {'length':>7}  {'note':<6} {_pad('syllable', 10)} phonemes (start s)"]
    for row in rows:
        lyric = row.lyric or ("-" if not row.phonemes else "")
        phonemes = " ".join(p if t is None else f"{p} {t:.3f}" for p, t in row.phonemes)
        where = f"  ({row.where})" if row.where else ""
        lines.append(
            f"{row.start:8.3f} {row.seconds:7.3f}  {midi_to_name(row.midi):<6} "
            f"{_pad(lyric, 10)} {phonemes}{where}".rstrip()
        )
    return "\n".join(lines)


def draw_roll(rows: Sequence[NoteRow], width: int = 80) -> str:
    """Draw a piano roll of characters, one line of 16 s below the other.

    Args:
        rows: Notes.
        width: Width in columns.

    Returns:
        The drawing. Below each line are the syllables, and the time in seconds.
    """
    columns = max(20, width - NAMES_WIDTH - 2)
    if not rows:
        return ""
    first = floor(min(row.start for row in rows) / SYSTEM_S)
    systems = []
    for k in range(first, ceil(max(row.start + row.seconds for row in rows) / SYSTEM_S)):
        begin = k * SYSTEM_S
        here = [r for r in rows if r.start < begin + SYSTEM_S and r.start + r.seconds > begin]
        if here:
            systems.append(_draw_system(here, begin, columns))
    return "\n\n".join(systems)


def _draw_system(rows: Sequence[NoteRow], begin: float, columns: int) -> str:
    scale = columns / SYSTEM_S
    pitches = [round(row.midi) for row in rows]
    grid = {pitch: [" "] * columns for pitch in range(max(pitches), min(pitches) - 1, -1)}
    syllables = ""
    for row, pitch in zip(rows, pitches, strict=True):
        start = floor((row.start - begin) * scale)
        end = max(start + 1, round((row.start + row.seconds - begin) * scale))
        for column in range(max(0, start), min(columns, end)):
            grid[pitch][column] = "█" if column > start or not row.phonemes else "▐"
        text = row.lyric or "".join(p for p, _ in row.phonemes)
        if row.start >= begin and text and _width(syllables) <= start:
            syllables += " " * (start - _width(syllables)) + text
    lines = [
        f"{midi_to_name(float(pitch)):>{NAMES_WIDTH}} |{''.join(cells)}".rstrip()
        for pitch, cells in grid.items()
    ]
    ticks = "".join(f"{begin + s:<{round(4 * scale)}g}" for s in range(0, int(SYSTEM_S), 4))
    margin = " " * (NAMES_WIDTH + 2)
    return "\n".join([*lines, (margin + syllables).rstrip(), (margin + ticks).rstrip()])


def _width(text: str) -> int:
    """Columns of a text in a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _pad(text: str, width: int) -> str:
    return text + " " * max(0, width - _width(text))


def save_roll(path: Path, rows: Sequence[NoteRow], title: str = "") -> None:
    """Write a picture of a piano roll, completely or not at all.

    Args:
        path: The picture; its suffix is one of ``PICTURE_SUFFIXES``.
        rows: Notes.
        title: Title.
    """
    from matplotlib.figure import Figure

    end = max(row.start + row.seconds for row in rows)
    pitches = [row.midi for row in rows]
    low, high = floor(min(pitches)) - 1, ceil(max(pitches)) + 1
    size = (min(max(8.0, 0.6 * end), 100.0), min(max(3.0, 0.25 * (high - low) + 1), 12.0))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        color = "C0" if row.phonemes else "C9"
        bar = [(row.start, row.seconds)]
        axes.broken_barh(bar, (row.midi - 0.45, 0.9), facecolor=color, edgecolor="white")
        text = row.lyric if row.lyric.isascii() else "".join(p for p, _ in row.phonemes)
        if text:
            axes.annotate(
                text.replace("$", ""),
                (row.start, row.midi),
                xytext=(2, 0),
                textcoords="offset points",
                va="center",
                color="white",
                fontsize=8,
            )
    shown = range(low, high + 1) if high - low <= 24 else range(low, high + 1, 2)
    axes.set_yticks(list(shown), [midi_to_name(float(p)) for p in shown], fontsize=7)
    axes.set(xlabel="seconds", ylim=(low, high + 0.6), title=title if title.isascii() else "")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)
