"""Melodies without lyrics: folk songs of music21's corpus, and random ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.score import TimeSignature

LOWEST_MIDI, HIGHEST_MIDI = 55, 77
"""Range of the voice, semitones: G3 to F5."""

MAX_RANGE = 15
"""Largest range of a melody, semitones."""

MelodyNote = tuple[int | None, Fraction]
"""Pitch in semitones, or ``None`` for a rest, and length in quarter notes."""


@dataclass(frozen=True)
class Melody:
    """A melody that has no lyrics yet.

    Attributes:
        title: Title of the song.
        source: Where it comes from, for the data card.
        notes: Pitches and lengths.
        time_signature: Numerator and denominator.
    """

    title: str
    source: str
    notes: tuple[MelodyNote, ...]
    time_signature: TimeSignature


def folk_melodies(rng: np.random.Generator) -> Iterator[Melody]:
    """Yield the songs of the Essen collection that a voice can sing, in random order.

    The melodies are traditional. Their encodings are for non-commercial use; see the license of
    the corpus.

    Raises:
        InputError: If music21 is not installed.
    """
    try:
        from music21 import corpus
    except ModuleNotFoundError:
        raise InputError(
            "music21 is not installed: pip install 'oneleap[singing-data]', or --melodies invented"
        ) from None
    files = sorted(Path(str(p)) for p in corpus.getComposer("essenFolksong") if p.suffix == ".abc")
    tunes = [
        (path, text)
        for path in files
        if not path.stem.startswith("test")
        for text in _split_tunes(path.read_text(encoding="latin-1"))
    ]
    for i in rng.permutation(len(tunes)):
        found = _parse_tune(*tunes[i])
        if found and _is_singable(found):
            yield found


def _split_tunes(text: str) -> list[str]:
    """Split an ABC file into its tunes."""
    parts = text.split("\nX:")
    return [f"X:{part}" if k else part.lstrip() for k, part in enumerate(parts)]


def _parse_tune(path: Path, abc: str) -> Melody | None:
    """Parse a tune with music21; ``None`` if it is not one line of plain notes in one meter."""
    from music21 import converter, exceptions21, meter, note

    try:
        part = converter.parseData(abc, format="abc").flatten().stripTies()
    except (exceptions21.Music21Exception, ValueError, IndexError, KeyError, AttributeError):
        return None
    time_signatures = list(part.getElementsByClass(meter.TimeSignature))
    if len(time_signatures) != 1:
        return None
    notes: list[MelodyNote] = []
    for element in part.notesAndRests:
        beats = Fraction(element.quarterLength).limit_denominator(48)
        pitch = int(element.pitch.midi) if isinstance(element, note.Note) else None
        if beats <= 0 or beats * 24 % 1:
            return None
        notes.append((pitch, beats))
    fields = dict(line.split(":", 1) for line in abc.splitlines() if line[1:2] == ":")
    title, number = fields.get("T", "").strip(), fields.get("X", "").strip()
    time_signature = (time_signatures[0].numerator, time_signatures[0].denominator)
    return Melody(title, f"essenFolksong/{path.name}, X:{number}", tuple(notes), time_signature)


def _is_singable(melody: Melody) -> bool:
    """Whether the length and the range of a melody suit a song."""
    pitches = [p for p, _ in melody.notes if p is not None]
    return 16 <= len(pitches) <= 90 and max(pitches) - min(pitches) <= MAX_RANGE


_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_PENTATONIC = (0, 2, 4, 7, 9)
_MINOR = (0, 2, 3, 5, 7, 8, 11)
_YONANUKI = (0, 2, 3, 7, 8)
_RHYTHMS = tuple(
    tuple(Fraction(part) for part in row.split())
    for row in (
        "1 1 1 1", "1/2 1/2 1 1 1", "3/2 1/2 1 1", "1/2 1/2 1/2 1/2 2", "1 1 2", "2 2",
        "1 1/2 1/2 1/2 1/2 1", "3/4 1/4 3/4 1/4 2", "1/3 1/3 1/3 1 2", "1/2 1 1/2 2",
        "1/2 1/2 1/2 1/2 1/2 1/2 1", "3 1", "1/4 1/4 1/2 1 2", "4",
    )
)  # fmt: skip
"""Rhythms of a 4/4 bar, lengths in quarter notes."""

_STEPS = (-1, 1, 0, -2, 2, -3, 3, -5, 5)
_STEP_PROBABILITIES = (0.26, 0.26, 0.14, 0.1, 0.1, 0.04, 0.04, 0.03, 0.03)
"""Probability of each interval between two notes, which is in steps of the scale."""


def random_melodies(rng: np.random.Generator) -> Iterator[Melody]:
    """Yield random songs without end: four to six phrases of two bars in one of four scales.

    A melody is a random walk on the scale. Most intervals are steps, a few are larger, and notes
    turn back at the ends of the range. A long note at the end of a phrase may be shortened for a
    rest.
    """
    number = 0
    while True:
        number += 1
        scale = (_MAJOR, _PENTATONIC, _MINOR, _YONANUKI)[int(rng.integers(4))]
        key = int(rng.integers(12))
        low = int(rng.integers(LOWEST_MIDI, HIGHEST_MIDI - MAX_RANGE + 1))
        pitches = [p for p in range(low, low + MAX_RANGE + 1) if (p - key) % 12 in scale]
        at = int(rng.integers(len(pitches) // 4, 3 * len(pitches) // 4))
        notes: list[MelodyNote] = []
        for _ in range(int(rng.integers(4, 7))):
            bars = [_RHYTHMS[int(i)] for i in rng.integers(len(_RHYTHMS), size=2)]
            lengths = [beats for bar in bars for beats in bar]
            if rng.random() < 0.5 and lengths[-1] >= 2:
                lengths[-1:] = [lengths[-1] - 1, Fraction(-1)]  # negative lengths are rests
            for beats in lengths:
                if beats < 0:
                    notes.append((None, -beats))
                    continue
                step = int(rng.choice(_STEPS, p=_STEP_PROBABILITIES))
                if abs(at + step - len(pitches) / 2) > len(pitches) / 2 - 1:
                    step = -step
                at = min(max(at + step, 0), len(pitches) - 1)
                notes.append((pitches[at], beats))
        yield Melody(f"Invented {number}", "invented by oneleap", tuple(notes), (4, 4))
