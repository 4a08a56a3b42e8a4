"""A score to segments: beats to seconds, lyrics to phonemes, and phrases between rests."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.english import LyricError
from oneleap.domains.singing.lyrics.phonemizer import Phonemizer
from oneleap.domains.singing.scores.dynamics import Loudness
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.segment import BREATH, PAUSES, SILENCE, ScoreSegment
from oneleap.domains.singing.segments.timing import check_length

MARGIN_S = 0.25
"""Longest silence before and after a phrase, seconds."""

MIN_REST_S = 1.0
"""Shortest rest that always separates two phrases, seconds."""

BREATH_S = 0.3
"""Longest breath, seconds."""

NOTE_SHARE, REST_SHARE = 0.35, 0.5
"""Largest fraction of a note, and of a rest, that a breath takes."""

MAX_PHRASE_S = 8.0
"""Length of a phrase after which any rest or breath ends it, seconds."""


@dataclass
class _Word:
    """Phonemes from a vowel up to the next vowel, and the notes on which they are sung.

    Attributes:
        phonemes: Phonemes.
        midi: Pitch of each note.
        seconds: Duration of each note.
        lyric: Lyric of the first note.
        locations: Location of each note in the score; empty for pauses that are not in it.
    """

    phonemes: list[str]
    midi: list[float | None]
    seconds: list[float]
    lyric: str = ""
    locations: list[str] = field(default_factory=list)

    @property
    def silent(self) -> bool:
        return self.phonemes[0] == SILENCE

    @property
    def total(self) -> float:
        return sum(self.seconds)


def score_to_segments(
    score: Score,
    phonemizer: Phonemizer,
    *,
    min_rest_s: float = MIN_REST_S,
    max_phrase_s: float = MAX_PHRASE_S,
) -> tuple[ScoreSegment, ...]:
    """Convert a score to phrases without durations of phonemes, which a model predicts.

    The first vowel of a note is on the beat. The consonants before it belong to the word before, as
    in openvpi's files. A breath takes up to 0.3 s from the end of its note, or from the rest that
    follows.

    Each phrase starts and ends with silence. If a breath separates two phrases, their silences
    overlap, so the sounds of phrases must be added. ``offset`` is the time at which a phrase
    starts; time 0 is the first beat of the score. If the score starts with a note, its first
    phrase starts 0.25 s before time 0.

    Args:
        score: The score.
        phonemizer: Converts its lyrics to phonemes.
        min_rest_s: Shortest rest that always separates two phrases, seconds.
        max_phrase_s: Length of a phrase after which any rest or breath ends it, seconds.

    Returns:
        Phrases in order.

    Raises:
        InputError: If a lyric has no phonemes, naming the bar and the note, all notes are rests, or
            the song is too long.
    """
    words = _make_words(score, phonemizer)
    if all(word.silent for word in words):
        raise InputError("the score contains only rests: there is nothing to sing")
    starts = list(accumulate((w.total for w in words), initial=0.0))
    found: list[ScoreSegment] = []
    first: int | None = None
    for k, word in enumerate(words):
        if first is None:
            first = None if word.silent else k
            continue
        late = starts[k] - starts[first] > max_phrase_s
        rest = word.silent and (late or word.total >= min_rest_s)
        breath = words[k - 1].phonemes[0] == BREATH and late
        if rest or breath:
            found.append(_make_segment(words, first, k, starts))
            first = k if breath and not word.silent else None
    if first is not None:
        stop = len(words) - words[-1].silent
        found.append(_make_segment(words, first, stop, starts))
    check_length(found)
    loudness = Loudness.of(score)
    return tuple(replace(s, dynamics=loudness.curve(s.offset, s.seconds)) for s in found)


def _make_words(score: Score, phonemizer: Phonemizer) -> list[_Word]:
    """Make all words of a score; the first is silence."""
    words = [_Word([SILENCE], [None], [0.0])]
    beat = Fraction(0)
    read = _read_lyrics(score, phonemizer)
    for i, note in enumerate(score.notes):
        seconds = score.time_at(beat + note.beats) - score.time_at(beat)
        beat += note.beats
        if note.midi is None:
            _add_rest(words, seconds, score, i)
            continue
        if note.slur or not read[i]:
            words[-1].midi.append(note.midi)
            words[-1].seconds.append(seconds)
            words[-1].locations.append(score.location(i))
        else:
            phonemes = read[i]
            nucleus = phonemizer.nucleus_index(phonemes)
            words[-1].phonemes += phonemes[:nucleus]
            pause = phonemes[nucleus] in PAUSES
            midi = None if pause else note.midi
            lyric = "" if pause else note.lyric
            location = [score.location(i)]
            words.append(_Word(list(phonemes[nucleus:]), [midi], [seconds], lyric, location))
        rest_follows = i + 1 < len(score.notes) and score.notes[i + 1].midi is None
        if note.breath and not rest_follows:
            _add_breath(words, NOTE_SHARE)
    return words


def _read_lyrics(score: Score, phonemizer: Phonemizer) -> dict[int, tuple[str, ...]]:
    """Phonemes of each note that has a lyric, by its index."""
    sung = [i for i, note in enumerate(score.notes) if note.midi is not None and not note.slur]
    try:
        found = phonemizer.read([score.notes[i].lyric + "-" * score.notes[i].hyphen for i in sung])
    except LyricError as error:
        raise InputError(f"{score.location(sung[error.index])}: {error}") from None
    return dict(zip(sung, found, strict=True))


def _add_rest(words: list[_Word], seconds: float, score: Score, i: int) -> None:
    """Add the rest at index ``i``, and a breath at its end if the note before asks for one."""
    if words[-1].phonemes == [SILENCE]:
        words[-1].seconds[0] += seconds
    else:
        words.append(_Word([SILENCE], [None], [seconds]))
    if i and score.notes[i - 1].breath and i + 1 < len(score.notes):
        _add_breath(words, REST_SHARE)


def _add_breath(words: list[_Word], share: float) -> None:
    """Add a breath, which takes its time from the end of the last note or rest."""
    taken = min(BREATH_S, share * words[-1].seconds[-1])
    words[-1].seconds[-1] -= taken
    words.append(_Word([BREATH], [None], [taken]))


def _make_segment(words: list[_Word], first: int, stop: int, starts: list[float]) -> ScoreSegment:
    """Make a segment of the words ``first`` to ``stop - 1``, with silence before and after."""
    before, inner = words[first - 1], words[first:stop]
    tail_s = lead_s = MARGIN_S
    if before.silent and first > 1:
        lead_s = min(MARGIN_S, before.total / 2)
    if stop < len(words) and words[stop].silent:
        tail_s = min(MARGIN_S, words[stop].total / 2)
    if inner[-1].phonemes[0] == BREATH:  # its consonants lead to the next phrase
        inner[-1] = replace(inner[-1], phonemes=[BREATH])
    lead = _Word([SILENCE, *before.phonemes[1:]], [None], [lead_s])
    parts = [lead, *inner, _Word([SILENCE], [None], [tail_s])]
    return ScoreSegment(
        ph_seq=tuple(p for word in parts for p in word.phonemes),
        ph_num=tuple(len(word.phonemes) for word in parts),
        note_midi=tuple(midi for word in parts for midi in word.midi),
        note_dur=tuple(seconds for word in parts for seconds in word.seconds),
        note_slur=tuple(k > 0 for word in parts for k in range(len(word.midi))),
        offset=starts[first] - lead_s,
        text=" ".join(word.lyric for word in inner if word.lyric),
        note_lyrics=tuple(
            word.lyric if k == 0 else "" for word in parts for k in range(len(word.midi))
        ),
        note_locations=tuple(
            location for w in parts for location in w.locations or [w.phonemes[0]] * len(w.midi)
        ),
    )
