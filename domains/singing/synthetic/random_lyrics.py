"""Random Japanese lyrics for melodies, with slurs, rests and breaths."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from oneleap.domains.singing.lyrics.mora import MORAIC_NASAL, VOWELS, Mora, kana_table
from oneleap.domains.singing.scores.score import Note, Score, bar_beats, uniform_bars
from oneleap.domains.singing.synthetic.melodies import (
    HIGHEST_MIDI,
    LOWEST_MIDI,
    Melody,
    MelodyNote,
)

_COMMON = tuple("いうかきくけこしすせそたちつてとなにのはまみもやよらりるれろわあおえがだでどん")
"""Kana that half of the notes get; the other notes get any mora of the table."""

_SPLIT_BY_SINSY = frozenset(("てぇ", "ぢゃ", "ぢゅ", "ぢょ", "ふゅ"))
"""Morae that Sinsy reads as two."""

_GEMINABLE = frozenset(("k", "t", "s", "sh", "ch", "p", "ts", "ky", "py"))
"""Consonants that can be long in Japanese."""

MAX_SINGING_S = 9.0
"""Longest time without a rest, approximately, seconds."""


def melody_to_score(melody: Melody, rng: np.random.Generator) -> Score:
    """Make a score of a melody: transpose it into the voice's range, and add tempo and lyrics.

    Args:
        melody: The melody.
        rng: Source of the transposition, tempo, lyrics, slurs and rests.

    Returns:
        A score that starts and ends with a rest.
    """
    notes = _transpose(melody.notes, rng)
    typical = float(np.median([float(b) for p, b in notes if p is not None]))
    tempo = float(round(60 * typical / rng.uniform(0.32, 0.6)))
    tempo = min(max(tempo, 50.0), 200.0)
    written = _add_lyrics(_add_rests(notes, tempo, rng), tempo, rng)
    bar = bar_beats(melody.time_signature)
    filled = sum((n.beats for n in written), Fraction(0)) % bar
    written = [Note(bar, None), *written, Note(2 * bar - filled, None)]
    bars = uniform_bars(sum((n.beats for n in written), Fraction(0)), melody.time_signature)
    return Score(tuple(_merge_rests(written)), bars, ((Fraction(0), tempo),), melody.title)


def _transpose(notes: tuple[MelodyNote, ...], rng: np.random.Generator) -> list[MelodyNote]:
    """Transpose by a random interval that keeps all notes in the voice's range."""
    pitches = [p for p, _ in notes if p is not None]
    down, up = LOWEST_MIDI - min(pitches), HIGHEST_MIDI - max(pitches)
    shift = int(rng.integers(min(down, up), max(down, up) + 1))
    return [(None if p is None else p + shift, beats) for p, beats in notes]


def _add_rests(notes: list[MelodyNote], tempo: float, rng: np.random.Generator) -> list[MelodyNote]:
    """Insert a rest after a long note if there was none for some time."""
    found: list[MelodyNote] = []
    since, limit = 0.0, rng.uniform(0.5, 1.0) * MAX_SINGING_S
    for pitch, beats in notes:
        since = 0.0 if pitch is None else since + float(beats) * 60 / tempo
        found.append((pitch, beats))
        if since > limit and (beats >= 1 or since > 1.3 * limit):
            found.append((None, Fraction(int(rng.integers(1, 3)))))
            since, limit = 0.0, rng.uniform(0.5, 1.0) * MAX_SINGING_S
    return found


def _add_lyrics(notes: list[MelodyNote], tempo: float, rng: np.random.Generator) -> list[Note]:
    """Give each note a syllable; some notes become slurs, and some end with a breath."""
    found: list[Note] = []
    for k, (pitch, beats) in enumerate(notes):
        if pitch is None:
            found.append(Note(beats, None))
            continue
        before = found[-1] if found else None
        after = notes[k + 1][0] if k + 1 < len(notes) else None
        slur = before is not None and before.midi is not None and not before.breath
        slur = slur and before is not None and before.midi != pitch and rng.random() < 0.08
        seconds = float(beats) * 60 / tempo
        breath = after is not None and seconds > 0.7 and rng.random() < 0.15
        lyric = "" if slur else _random_syllable(rng, seconds)
        found.append(Note(beats, float(pitch), lyric, slur, breath))
    return _add_long_consonants(found, rng)


def _random_syllable(rng: np.random.Generator, seconds: float) -> str:
    """Choose a mora; on some long notes ん or another vowel follows it."""
    table = kana_table()
    if rng.random() < 0.5:
        kana = str(rng.choice(_COMMON))
    else:
        kana = str(rng.choice([k for k in table if k not in _SPLIT_BY_SINSY and k != "っ"]))
    if seconds > 0.35 and kana != "ん" and rng.random() < 0.08:
        kana += "ん" if rng.random() < 0.6 else _other_vowel(rng, kana)
    return kana


def _other_vowel(rng: np.random.Generator, kana: str) -> str:
    """Choose a vowel that differs from the syllable's own."""
    table = kana_table()
    return str(rng.choice([v for v in "いうあえお" if table[v][-1] != table[kana][-1]]))


def _add_long_consonants(notes: list[Note], rng: np.random.Generator) -> list[Note]:
    """Append っ to some notes that precede a consonant that can be long."""
    table = kana_table()
    for k in range(len(notes) - 1):
        one, two = notes[k], notes[k + 1]
        plain = table.get(one.lyric) and table[one.lyric] != (MORAIC_NASAL,)
        if not (plain and two.lyric) or one.breath:
            continue
        first: Mora = table.get(two.lyric[:2]) or table[two.lyric[0]]
        if first[0] in _GEMINABLE and first[-1] in VOWELS and rng.random() < 0.12:
            notes[k] = replace(one, lyric=one.lyric + "っ")
    return notes


def _merge_rests(notes: list[Note]) -> list[Note]:
    """Merge consecutive rests."""
    found: list[Note] = []
    for note in notes:
        if found and note.midi is None and found[-1].midi is None:
            found[-1] = replace(found[-1], beats=found[-1].beats + note.beats)
        else:
            found.append(note)
    return found
