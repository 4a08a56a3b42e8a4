"""Words for melodies: random morae, each often enough, with slurs, rests and breaths."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from oneleap.domains.singing.lyrics.mora import NASAL, VOWELS, Mora, kana_table
from oneleap.domains.singing.scores.score import Note, Score, even_bars
from oneleap.domains.singing.synthetic.melodies import HIGHEST, LOWEST, Melody, Pitch

_COMMON = tuple("いうかきくけこしすせそたちつてとなにのはまみもやよらりるれろわあおえがだでどん")
"""Drawn half of the time; the other half any mora of the table."""

_UNKNOWN = frozenset(("てぇ", "ぢゃ", "ぢゅ", "ぢょ", "ふゅ"))
"""Morae that Sinsy takes for two."""

_STOPPABLE = frozenset(("k", "t", "s", "sh", "ch", "p", "ts", "ky", "py"))
"""Consonants that are long in Japanese."""

LONGEST_S = 9.0
"""Seconds of singing after which there is a rest at the next chance."""


def sung(melody: Melody, rng: np.random.Generator) -> Score:
    """A score of a melody: in the voice's range, at a tempo, with words.

    Args:
        melody: Notes.
        rng: Of transposition, tempo, words, slurs and rests.
    """
    notes = _transposed(melody.notes, rng)
    typical = float(np.median([float(b) for p, b in notes if p is not None]))
    tempo = float(round(60 * typical / rng.uniform(0.32, 0.6)))
    tempo = min(max(tempo, 50.0), 200.0)
    written = _phrased(_rested(notes, tempo, rng), tempo, rng)
    whole = Fraction(4 * melody.metre[0], melody.metre[1])
    filled = sum((n.beats for n in written), Fraction(0)) % whole
    written = [Note(whole, None), *written, Note(2 * whole - filled, None)]
    bars = even_bars(sum((n.beats for n in written), Fraction(0)), melody.metre)
    return Score(tuple(_merged(written)), bars, ((Fraction(0), tempo),), melody.title)


def _transposed(notes: tuple[Pitch, ...], rng: np.random.Generator) -> list[Pitch]:
    """Moved by a random interval that keeps all in the range."""
    pitches = [p for p, _ in notes if p is not None]
    down, up = LOWEST - min(pitches), HIGHEST - max(pitches)
    shift = int(rng.integers(min(down, up), max(down, up) + 1))
    return [(None if p is None else p + shift, beats) for p, beats in notes]


def _rested(notes: list[Pitch], tempo: float, rng: np.random.Generator) -> list[Pitch]:
    """With a rest after a long note wherever one has sung for long."""
    found: list[Pitch] = []
    since, limit = 0.0, rng.uniform(0.5, 1.0) * LONGEST_S
    for pitch, beats in notes:
        since = 0.0 if pitch is None else since + float(beats) * 60 / tempo
        found.append((pitch, beats))
        if since > limit and (beats >= 1 or since > 1.3 * limit):
            found.append((None, Fraction(int(rng.integers(1, 3)))))
            since, limit = 0.0, rng.uniform(0.5, 1.0) * LONGEST_S
    return found


def _phrased(notes: list[Pitch], tempo: float, rng: np.random.Generator) -> list[Note]:
    """With words; some notes are slurred to the one before, some end with a breath."""
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
        lyric = "" if slur else _syllable(rng, seconds)
        found.append(Note(beats, float(pitch), lyric, slur, breath))
    return _stopped(found, rng)


def _syllable(rng: np.random.Generator, seconds: float) -> str:
    table = kana_table()
    if rng.random() < 0.5:
        kana = str(rng.choice(_COMMON))
    else:
        kana = str(rng.choice([k for k in table if k not in _UNKNOWN and k != "っ"]))
    if seconds > 0.35 and kana != "ん" and rng.random() < 0.08:
        kana += "ん" if rng.random() < 0.6 else _another(rng, kana)
    return kana


def _another(rng: np.random.Generator, kana: str) -> str:
    """A vowel that is not the syllable's own."""
    table = kana_table()
    return str(rng.choice([v for v in "いうあえお" if table[v][-1] != table[kana][-1]]))


def _stopped(notes: list[Note], rng: np.random.Generator) -> list[Note]:
    """With っ at the end of some notes before a consonant that can be long."""
    table = kana_table()
    for k in range(len(notes) - 1):
        one, two = notes[k], notes[k + 1]
        plain = table.get(one.lyric) and table[one.lyric] != (NASAL,)
        if not (plain and two.lyric) or one.breath:
            continue
        first: Mora = table.get(two.lyric[:2]) or table[two.lyric[0]]
        if first[0] in _STOPPABLE and first[-1] in VOWELS and rng.random() < 0.12:
            notes[k] = replace(one, lyric=one.lyric + "っ")
    return notes


def _merged(notes: list[Note]) -> list[Note]:
    """With rests next to each other as one."""
    found: list[Note] = []
    for note in notes:
        if found and note.midi is None and found[-1].midi is None:
            found[-1] = replace(found[-1], beats=found[-1].beats + note.beats)
        else:
            found.append(note)
    return found
