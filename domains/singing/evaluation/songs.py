"""Songs with real words on invented melodies, which no singer was trained on."""

from collections.abc import Iterator
from fractions import Fraction
from importlib.resources import files
from typing import Literal

import numpy as np

from oneleap.domains.singing.lyrics.english import read_words, split_syllables
from oneleap.domains.singing.lyrics.mora import kana_table
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars
from oneleap.domains.singing.synthetic.melodies import random_melodies

Language = Literal["ja", "en"]

LONG_CONSONANT = "っ"
"""Kana of the first half of a long consonant."""

TEMPO = {"ja": 100.0, "en": 96.0}
"""Quarter notes per minute."""

MIDDLE = {"ja": 67.0, "en": 61.0}
"""Middle of the songs in semitones: G4 and C#4."""

SEED = 77
"""Seed of the melodies, apart from those of training data."""


def lyrics(language: Language) -> list[str]:
    """Words of the songs: old Japanese school songs in kana, and English rhymes and verses."""
    name = f"lyrics_{language}.txt"
    text = (files("oneleap.domains.singing.evaluation") / name).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]


def syllables(line: str, language: Language) -> Iterator[str | None]:
    """Yield the lyric of each note of a line, and ``None`` for a rest.

    Japanese lines rest at spaces, English ones at punctuation.
    """
    if language == "ja":
        yield from _morae(line)
        return
    for word in line.split():
        plain = word.strip(",.?!;:").lower()
        count = len(split_syllables(read_words([plain])[0]))
        cuts = [round(i * len(plain) / count) for i in range(count + 1)]
        for i in range(count):
            yield plain[cuts[i] : cuts[i + 1]] + ("-" if i + 1 < count else "")
        if word[-1] in ",.?!;:":
            yield None


def _morae(line: str) -> Iterator[str | None]:
    table = kana_table()
    i = 0
    while i < len(line):
        if line[i] == " ":
            yield None
            i += 1
            continue
        size = 2 if line[i : i + 2] in table else 1
        if line[i + size : i + size + 1] == LONG_CONSONANT:  # it stays with the mora before
            size += 1
        yield line[i : i + size]
        i += size


def song(line: str, language: Language, number: int) -> Score:
    """A line of lyrics on an invented melody.

    Args:
        line: The lyrics.
        language: Their language.
        number: Number of the song, which fixes its melody.

    Returns:
        The score; it starts and ends with a bar of rest.
    """
    rng = np.random.default_rng((SEED, number))
    melody = next(random_melodies(rng))
    tune = [(pitch, beats) for pitch, beats in melody.notes if pitch is not None]
    shift = round(MIDDLE[language] - float(np.median([pitch for pitch, _ in tune])))
    notes, k = [Note(Fraction(4), None)], 0
    for lyric in syllables(line, language):
        if lyric is None:
            notes.append(Note(Fraction(1), None))
            continue
        pitch, beats = tune[k % len(tune)]
        k += 1
        length = min(max(beats, Fraction(1, 2)), Fraction(2))
        midi = float(_into_range(pitch + shift, language))
        notes.append(Note(length, midi, lyric.rstrip("-"), hyphen=lyric.endswith("-")))
    if notes[-1].midi is None:
        notes.pop()
    total = sum((note.beats for note in notes), Fraction(0))
    notes.append(Note(4 + (-total) % 4, None))
    total = sum((note.beats for note in notes), Fraction(0))
    return Score(
        tuple(notes), uniform_bars(total), ((Fraction(0), TEMPO[language]),), f"Song {number + 1}"
    )


def _into_range(pitch: int, language: Language) -> int:
    """Fold a pitch by octaves into nine semitones around the middle of the voice."""
    middle = MIDDLE[language]
    while pitch > middle + 9:
        pitch -= 12
    while pitch < middle - 9:
        pitch += 12
    return pitch
