"""A score to segments: beats to seconds, lyrics to phonemes, phrases between rests."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.phonemes import Phonemes
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.segment import BREATH, PAUSES, SILENCE, Segment

LEAD_S = 0.25
"""Silence before and after a phrase, seconds."""

SPLIT_S = 1.0
"""Rests of this length part two phrases, seconds."""

BREATH_S, BREATH_SHARE = 0.3, 0.35
"""Length of a breath, and the most that it takes of the note before it."""

LONGEST_S = 8.0
"""Seconds of a phrase after which a breath, or a shorter rest, parts it too."""


@dataclass
class _Word:
    """Phonemes from a vowel up to the next, with the notes they are sung on."""

    phonemes: list[str]
    midi: list[float | None]
    seconds: list[float]
    lyric: str = ""
    places: list[str] = field(default_factory=list)

    @property
    def silent(self) -> bool:
        return self.phonemes[0] == SILENCE

    @property
    def total(self) -> float:
        return sum(self.seconds)


def segments(
    score: Score, phonemes: Phonemes, *, split_s: float = SPLIT_S, longest_s: float = LONGEST_S
) -> tuple[Segment, ...]:
    """Phrases of a score, without durations of phonemes: a model gives those.

    A note's first vowel falls on its beat, and the consonants before it are in the word before, as
    in openvpi's files. A breath takes up to 0.3 s from the end of its note, or of the rest that
    follows. Each phrase begins and ends with silence, which may reach into the phrase beside it
    where a breath parts them: sounds are to be added up. ``offset`` is where a phrase begins: 0 is
    the score's first beat, or a quarter of a second before it if it begins with a note.

    Args:
        score: The score.
        phonemes: How its lyrics are said.
        split_s: Rests of this many seconds, and longer ones, part two phrases.
        longest_s: After so many seconds, any rest and any breath does.

    Raises:
        InputError: If a lyric cannot be said, naming bar and note, or nothing is sung.
    """
    words = _words(score, phonemes)
    if all(word.silent for word in words):
        raise InputError("nothing is sung: there are only rests")
    starts = list(accumulate((w.total for w in words), initial=0.0))
    found: list[Segment] = []
    first: int | None = None
    for k, word in enumerate(words):
        if first is None:
            first = None if word.silent else k
            continue
        late = starts[k] - starts[first] > longest_s
        rest = word.silent and (late or word.total >= split_s)
        breathed = words[k - 1].phonemes[0] == BREATH and late
        if rest or breathed:
            found.append(_segment(words, first, k, starts))
            first = k if breathed and not word.silent else None
    if first is not None:
        stop = len(words) - words[-1].silent
        found.append(_segment(words, first, stop, starts))
    early = max(0.0, -found[0].offset)
    return tuple(replace(s, offset=s.offset + early) for s in found)


def _words(score: Score, phonemes: Phonemes) -> list[_Word]:
    """All words; leading consonants are with the word before, the first word is silence."""
    words = [_Word([SILENCE], [None], [0.0])]
    beat = Fraction(0)
    for i, note in enumerate(score.notes):
        lasts = score.seconds(beat + note.beats) - score.seconds(beat)
        beat += note.beats
        if note.midi is None:
            _rest(words, lasts, score, i)
            continue
        if note.slur:
            words[-1].midi.append(note.midi)
            words[-1].seconds.append(lasts)
            words[-1].places.append(score.place(i))
        else:
            try:
                said = phonemes.of(note.lyric)
            except InputError as error:
                raise InputError(f"{score.place(i)}: {error}") from None
            at = phonemes.nucleus(said)
            words[-1].phonemes += said[:at]
            pause = said[at] in PAUSES
            midi = None if pause else note.midi
            lyric = "" if pause else note.lyric
            words.append(_Word(list(said[at:]), [midi], [lasts], lyric, [score.place(i)]))
        rests = i + 1 < len(score.notes) and score.notes[i + 1].midi is None
        if note.breath and not rests:
            _breathe(words, BREATH_SHARE)
    return words


def _rest(words: list[_Word], lasts: float, score: Score, i: int) -> None:
    if words[-1].phonemes == [SILENCE]:
        words[-1].seconds[0] += lasts
    else:
        words.append(_Word([SILENCE], [None], [lasts]))
    if i and score.notes[i - 1].breath and i + 1 < len(score.notes):
        _breathe(words, 0.5)


def _breathe(words: list[_Word], share: float) -> None:
    """Cut a breath from the end of the last word's last note."""
    taken = min(BREATH_S, share * words[-1].seconds[-1])
    words[-1].seconds[-1] -= taken
    words.append(_Word([BREATH], [None], [taken]))


def _segment(words: list[_Word], first: int, stop: int, starts: list[float]) -> Segment:
    """Words from first to stop - 1, with silence around."""
    before, inner = words[first - 1], words[first:stop]
    tail_s = lead_s = LEAD_S
    if before.silent and first > 1:
        lead_s = min(LEAD_S, before.total / 2)
    if stop < len(words) and words[stop].silent:
        tail_s = min(LEAD_S, words[stop].total / 2)
    if inner[-1].phonemes[0] == BREATH:  # what follows it leads to the next phrase
        inner[-1] = replace(inner[-1], phonemes=[BREATH])
    lead = _Word([SILENCE, *before.phonemes[1:]], [None], [lead_s])
    parts = [lead, *inner, _Word([SILENCE], [None], [tail_s])]
    return Segment(
        ph_seq=tuple(p for word in parts for p in word.phonemes),
        ph_num=tuple(len(word.phonemes) for word in parts),
        note_midi=tuple(midi for word in parts for midi in word.midi),
        note_dur=tuple(seconds for word in parts for seconds in word.seconds),
        note_slur=tuple(k > 0 for word in parts for k in range(len(word.midi))),
        offset=starts[first] - lead_s,
        text=" ".join(word.lyric for word in inner if word.lyric),
        places=tuple(p for w in parts for p in w.places or [w.phonemes[0]] * len(w.midi)),
    )
