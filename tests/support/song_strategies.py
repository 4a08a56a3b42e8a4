"""Random segments and scores for property tests, and one segment for other tests.

The strategies draw functions that build a segment or score. In tests, the type checker looks at a
random item of each tuple, and Hypothesis forbids all randomness but its own while it draws.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np
from hypothesis import strategies as st

from oneleap.domains.singing.scores.score import Note, Score, uniform_bars
from oneleap.domains.singing.segments.segment import Curve, ScoreSegment, Segment

SAKURA = ScoreSegment(
    ph_seq=("SP", "s", "a", "k", "u", "r", "a", "SP"),
    ph_num=(2, 2, 2, 1, 1),
    ph_dur=(0.4, 0.1, 0.4, 0.1, 0.45, 0.05, 1.0, 0.5),
    note_midi=(None, 69.0, 69.0, 71.0, 72.0, None),
    note_dur=(0.5, 0.5, 0.5, 0.6, 0.4, 0.5),
    note_slur=(False, False, False, False, True, False),
)
"""Four syllables, the last on two notes, between rests."""

VOWELS = ("a", "i", "u", "e", "o")
LYRICS = ("さ", "く", "ら", "きゃ", "ん", "っ", "かん", "la", "shi", "あ い", "don't", "a<&>b")

seconds = st.integers(1, 3000).map(lambda ms: ms / 1000)
pitches = st.one_of(st.none(), st.integers(0, 12_700).map(lambda cents: cents / 100))
numbers = st.floats(-1e6, 1e6, allow_nan=False)


def curves() -> st.SearchStrategy[Curve]:
    values = st.lists(numbers, min_size=1, max_size=6).map(lambda v: np.array(v, np.float64))
    return st.builds(Curve, values, st.floats(1e-4, 1.0))


@st.composite
def segments(draw: st.DrawFn) -> Callable[[], Segment]:
    """Segments that use every field."""
    words = draw(st.integers(1, 5))
    ph_num = [draw(st.integers(1, 3)) for _ in range(words)]
    names = st.sampled_from(("SP", "AP", "ja/k", *VOWELS, "s", "N"))
    midi, dur, slur = list[float | None](), list[float](), list[bool]()
    for _ in range(words):
        midi.append(draw(pitches))
        slurs = draw(st.integers(0, 2)) if midi[-1] is not None else 0
        midi += [draw(pitches.filter(lambda m: m is not None)) for _ in range(slurs)]
        slur += [k > 0 for k in range(slurs + 1)]
        dur += [draw(seconds) for _ in range(slurs + 1)]
    maybe = st.one_of(st.none(), curves())
    either = st.one_of(st.none(), curves(), numbers)
    return partial(
        Segment,
        ph_seq=tuple(draw(names) for _ in range(sum(ph_num))),
        ph_num=tuple(ph_num),
        ph_dur=tuple(draw(seconds) for _ in range(sum(ph_num))) if draw(st.booleans()) else (),
        note_midi=tuple(midi),
        note_dur=tuple(dur),
        note_slur=tuple(slur),
        offset=draw(numbers),
        text=draw(st.text(max_size=5)),
        f0=draw(maybe),
        energy=draw(maybe),
        breathiness=draw(maybe),
        voicing=draw(maybe),
        tension=draw(maybe),
        dynamics=draw(maybe),
        gender=draw(either),
        velocity=draw(either),
        lang=draw(st.sampled_from((None, "ja"))),
        extra={"seed": draw(st.integers()), "spk_mix": {"a": "0.5 1"}}
        if draw(st.booleans())
        else {},
    )


@st.composite
def scores(draw: st.DrawFn, *, whole: bool = False, even: bool = False) -> Callable[[], Score]:
    """Scores.

    Args:
        draw: Function of Hypothesis that draws from a strategy.
        whole: Whether pitches are whole semitones.
        even: Whether the bars are those that MIDI would count.
    """
    beats = st.sampled_from([Fraction(n, d) for d in (1, 2, 3, 4, 6) for n in (1, 2, 3, 7)])
    notes: list[Note] = []
    for _ in range(draw(st.integers(1, 8))):
        resting = bool(notes) and notes[-1].midi is None
        kind = draw(st.sampled_from(("sung", "rest", "slur")))
        if kind == "rest" and not resting:
            notes.append(Note(draw(beats), None))
            continue
        cents = draw(st.integers(3600, 9600))
        midi = float(cents // 100) if whole else cents / 100
        slur = kind == "slur" and bool(notes) and not resting
        lyric = "" if slur else draw(st.sampled_from(LYRICS))
        signs = [draw(st.booleans()) and not (whole and k) for k in range(3)]
        hyphen = bool(lyric) and draw(st.booleans())
        notes.append(Note(draw(beats), midi, lyric, slur, signs[0], hyphen, *signs[1:]))
    if all(note.midi is None for note in notes):
        notes.append(Note(Fraction(1), 60.0, "あ"))
    total = sum((n.beats for n in notes), Fraction(0))
    time_signature = draw(st.sampled_from(((4, 4), (3, 4), (6, 8), (5, 4))))
    length = Fraction(4 * time_signature[0], time_signature[1])
    missing = -total % length
    if even and missing:
        if notes[-1].midi is None:
            notes[-1] = Note(notes[-1].beats + missing, None)
        else:
            notes.append(Note(missing, None))
        total += missing
    pickup = Fraction(0) if even else draw(st.sampled_from((Fraction(0), Fraction(1, 2))))
    tempo = st.integers(30, 240).map(float)
    changes = {Fraction(0): draw(tempo)}
    if draw(st.booleans()):
        changes[draw(st.sampled_from([Fraction(n, 4) for n in range(1, 9)]))] = draw(tempo)
    tempos = tuple(sorted((b, t) for b, t in changes.items() if b < total))
    title, part = draw(st.sampled_from(("", "Sakura", "a < b"))), draw(st.sampled_from(("", "V")))

    def build() -> Score:
        bars = uniform_bars(total, time_signature, min(pickup, total))
        return Score(tuple(notes), bars, tempos, title, part)

    return build
