"""Invented English songs: random melodies with random lyrics, and a manner for each song."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from oneleap.domains.singing.lyrics.english import Phone
from oneleap.domains.singing.segments.manner import Manner
from oneleap.domains.singing.synthetic.english_lyrics import random_syllables
from oneleap.domains.singing.synthetic.heart_timing import SungNote
from oneleap.domains.singing.synthetic.melodies import random_melodies

LOWEST_MIDI, HIGHEST_MIDI = 52, 69
"""Range of the voice heart, semitones: E3 to A4."""

PHRASES = (5, 8)
"""Fewest and most phrases of a song."""

P_SLUR = 0.08
"""Probability that a note continues the syllable before."""


@dataclass(frozen=True)
class EnglishPhrase:
    """A phrase to sing.

    Attributes:
        text: Its words.
        notes: Its notes.
    """

    text: str
    notes: tuple[SungNote, ...]


def random_song(rng: np.random.Generator) -> tuple[Manner, list[EnglishPhrase]]:
    """Invent a song: a melody in the range of the voice, lyrics, tempo and manner."""
    manner = Manner(
        vibrato=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.75 else 0.0,
        vibrato_hz=float(rng.uniform(5.0, 6.2)),
        vibrato_delay_s=float(rng.uniform(0.15, 0.4)),
        glide_s=float(rng.uniform(0.04, 0.14)),
        scoop=float(rng.uniform(0.5, 2.0)) if rng.random() < 0.25 else 0.0,
    )
    tune = _notes(rng)
    sentences = random_syllables(rng)
    beat_s = 60 / rng.uniform(80, 150)
    phrases = [
        _phrase(next(sentences), tune, beat_s, rng) for _ in range(int(rng.integers(*PHRASES)))
    ]
    return manner, phrases


def _notes(rng: np.random.Generator) -> Iterator[tuple[float, Fraction]]:
    """Notes of melodies without end, in the range of the voice: semitones and quarter notes."""
    for melody in random_melodies(rng):
        sung = [(pitch, beats) for pitch, beats in melody.notes if pitch is not None]
        low, high = (f(pitch for pitch, _ in sung) for f in (min, max))
        shift = int(rng.integers(LOWEST_MIDI - low, HIGHEST_MIDI - high + 1))
        yield from ((float(pitch + shift), beats) for pitch, beats in sung)


def _phrase(
    syllables: list[tuple[str, list[Phone]]],
    tune: Iterator[tuple[float, Fraction]],
    beat_s: float,
    rng: np.random.Generator,
) -> EnglishPhrase:
    found = list[SungNote]()
    for _, phones in syllables:
        midi, beats = next(tune)
        found.append(SungNote(tuple(phones), midi, float(beats) * beat_s))
        if rng.random() < P_SLUR:
            midi, beats = next(tune)
            found.append(SungNote((), midi, float(beats) * beat_s))
    return EnglishPhrase(" ".join(text for text, _ in syllables if text != "-"), tuple(found))
