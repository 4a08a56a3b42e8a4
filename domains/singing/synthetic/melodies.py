"""Melodies without words: folk songs of music21's corpus, and invented ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from oneleap.core.errors import InputError

LOWEST, HIGHEST = 55, 77
"""Range of the voice that sings, semitones: G3 to F5."""

WIDEST = 15
"""Greatest range of one song, semitones."""

Pitch = tuple[int | None, Fraction]
"""Semitones, or ``None`` for a rest, and length in quarter notes."""


@dataclass(frozen=True)
class Melody:
    """Notes, to which words are to be found.

    Attributes:
        title: Of the song.
        source: Where it is from, for the card.
        notes: Pitches and lengths.
        metre: Numerator and denominator.
        pickup: Beats before the first whole bar.
    """

    title: str
    source: str
    notes: tuple[Pitch, ...]
    metre: tuple[int, int]
    pickup: Fraction = Fraction(0)


def folk_songs(rng: np.random.Generator) -> Iterator[Melody]:
    """Songs of the Essen collection in random order, those that a voice can sing.

    Their encodings may be used non-commercially (see the corpus's licence); the melodies are old.

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
        for text in _tunes(path.read_text(encoding="latin-1"))
    ]
    for i in rng.permutation(len(tunes)):
        found = _parsed(*tunes[i])
        if found and _singable(found):
            yield found


def _tunes(text: str) -> list[str]:
    """ABC of each tune in a file."""
    parts = text.split("\nX:")
    return [f"X:{part}" if k else part.lstrip() for k, part in enumerate(parts)]


def _parsed(path: Path, abc: str) -> Melody | None:
    """A tune by music21; ``None`` where it is more than one line of plain notes."""
    from music21 import converter, exceptions21, meter, note

    try:
        part = converter.parseData(abc, format="abc").flatten().stripTies()
    except (exceptions21.Music21Exception, ValueError, IndexError, KeyError, AttributeError):
        return None
    metres = list(part.getElementsByClass(meter.TimeSignature))
    if len(metres) != 1:
        return None
    notes: list[Pitch] = []
    for element in part.notesAndRests:
        beats = Fraction(element.quarterLength).limit_denominator(48)
        pitch = int(element.pitch.midi) if isinstance(element, note.Note) else None
        if beats <= 0 or beats * 24 % 1:
            return None
        notes.append((pitch, beats))
    lines = dict(line.split(":", 1) for line in abc.splitlines() if line[1:2] == ":")
    title, number = lines.get("T", "").strip(), lines.get("X", "").strip()
    metre = (metres[0].numerator, metres[0].denominator)
    return Melody(title, f"essenFolksong/{path.name}, X:{number}", tuple(notes), metre)


def _singable(melody: Melody) -> bool:
    """Of a length and a range that one sings."""
    pitches = [p for p, _ in melody.notes if p is not None]
    return 16 <= len(pitches) <= 90 and max(pitches) - min(pitches) <= WIDEST


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
"""Of a bar of four quarters."""


def invented(rng: np.random.Generator) -> Iterator[Melody]:
    """Endless random songs: four to six phrases of two bars in one of four scales.

    A walk over the scale, mostly by steps, now and then by leaps of up to an octave, drawn to the
    middle of the range; a phrase ends on a long note, and some with a rest.
    """
    number = 0
    while True:
        number += 1
        scale = (_MAJOR, _PENTATONIC, _MINOR, _YONANUKI)[int(rng.integers(4))]
        key = int(rng.integers(12))
        low = int(rng.integers(LOWEST, HIGHEST - WIDEST + 1))
        ladder = [p for p in range(low, low + WIDEST + 1) if (p - key) % 12 in scale]
        at = int(rng.integers(len(ladder) // 4, 3 * len(ladder) // 4))
        notes: list[Pitch] = []
        for _ in range(int(rng.integers(4, 7))):
            bars = [_RHYTHMS[int(i)] for i in rng.integers(len(_RHYTHMS), size=2)]
            lengths = [beats for bar in bars for beats in bar]
            if rng.random() < 0.5 and lengths[-1] >= 2:
                lengths[-1:] = [lengths[-1] - 1, Fraction(-1)]
            for beats in lengths:
                if beats < 0:
                    notes.append((None, -beats))
                    continue
                step = int(rng.choice((-1, 1, 0, -2, 2, -3, 3, -5, 5), p=_STEPS))
                if abs(at + step - len(ladder) / 2) > len(ladder) / 2 - 1:
                    step = -step
                at = min(max(at + step, 0), len(ladder) - 1)
                notes.append((ladder[at], beats))
        yield Melody(f"Invented {number}", "invented by oneleap", tuple(notes), (4, 4))


_STEPS = (0.26, 0.26, 0.14, 0.1, 0.1, 0.04, 0.04, 0.03, 0.03)
