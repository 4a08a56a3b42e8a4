"""What a singer takes, when its sound starts, its range, and the dynamics of a score."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.tiny_singing import RATE, SCORE, SPEC, TIMED, TWO, tiny_singer

from oneleap.core.errors import InputError
from oneleap.domains.singing import Singer
from oneleap.domains.singing.scores.musicxml_write import write_musicxml
from oneleap.domains.singing.scores.read import read_segments
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars
from oneleap.domains.singing.segments.segment import Curve, ScoreSegment
from oneleap.domains.singing.segments.timing import lead_in
from oneleap.domains.singing.voice.song_range import fit_range


@pytest.fixture
def singer() -> Singer:
    return tiny_singer()


def song(*lyrics: str, rest: int = 0) -> Score:
    notes = [Note(Fraction(rest), None)] if rest else []
    notes += [Note(Fraction(1), 60.0, lyric) for lyric in lyrics]
    beats = sum((n.beats for n in notes), Fraction(0))
    return Score(tuple(notes), uniform_bars(beats), ((Fraction(0), 120.0),))


def test_a_path_a_score_and_phrases_sound_the_same(singer: Singer, tmp_path: Path) -> None:
    pytest.importorskip("defusedxml")
    score = song("か", "に")
    write_musicxml(tmp_path / "a.musicxml", score)
    by_phrases = singer.sing(read_segments(tmp_path / "a.musicxml")).samples
    for same in (score, tmp_path / "a.musicxml", str(tmp_path / "a.musicxml")):
        assert np.array_equal(singer.sing(same).samples, by_phrases)
    with pytest.raises(InputError, match="no such file"):
        singer.sing("b.musicxml")


def test_the_sound_starts_with_the_first_beat_unless_a_consonant_comes_before(
    singer: Singer,
) -> None:
    vowel, consonant, later = (singer.sing(s) for s in (song("あ"), song("か"), song("か", rest=2)))
    assert vowel.seconds == pytest.approx(0.5 + 0.25, abs=0.03)
    assert consonant.seconds == pytest.approx(0.25 + 0.5 + 0.25, abs=0.03)
    assert later.seconds == pytest.approx(1.0 + 0.5 + 0.25, abs=0.03)
    assert not later.samples[: round(0.7 * RATE)].any()


@pytest.mark.parametrize(
    ("change", "seconds"),
    [
        ({"offset": 0.0}, 0.0),
        ({"offset": 2.0}, 0.0),
        ({"offset": -0.2}, 0.2),
        ({"offset": -0.2, "ph_seq": ("SP", "a", "n", "i", "SP"), "ph_num": (1, 2, 1, 1)}, 0.0),
        ({"offset": -0.3, "ph_seq": ("SP", "a", "n", "i", "SP"), "ph_num": (1, 2, 1, 1)}, 0.3),
        ({"offset": -0.1, "ph_seq": ("a", "n", "i", "a", "SP"), "ph_num": (2, 1, 1, 1)}, 0.1),
    ],
)
def test_lead_in(change: dict[str, object], seconds: float) -> None:
    assert lead_in([replace(SCORE, **change)]) == seconds  # type: ignore[arg-type]


def test_lead_in_of_known_durations() -> None:
    assert lead_in([replace(TIMED, offset=-0.15)]) == 0.0  # its consonant starts at 0
    assert lead_in([replace(TIMED, offset=-0.2)]) == 0.2


def test_dynamics_are_a_gain(singer: Singer) -> None:
    soft = replace(SCORE, dynamics=Curve(np.full(100, -20.0), 0.01))
    plain, quiet = singer.sing([SCORE]).samples, singer.sing([soft]).samples
    assert quiet == pytest.approx(plain / 10, abs=1e-6)
    half = singer.sing([soft], dynamics=0.5).samples
    assert half == pytest.approx(plain / 10**0.5, abs=1e-6)
    assert np.array_equal(singer.sing([soft], dynamics=0.0).samples, plain)
    with pytest.raises(InputError, match="dynamics: must be from 0 to 1, not 2"):
        singer.sing([soft], dynamics=2.0)


LOW, HIGH = SPEC.lowest - 2, SPEC.highest + 2


def with_notes(*midi: float) -> ScoreSegment:
    return replace(SCORE, note_midi=(None, *midi, None))


def test_the_advice_is_for_the_whole_song() -> None:
    assert fit_range(TWO, SPEC) == list(TWO)
    far = [with_notes(57.0, 60.0, 64.0), with_notes(69.0, 72.0, 64.0)]
    with pytest.raises(InputError) as error:
        fit_range(far, SPEC)
    assert str(error.value) == (
        "phrase 2: note 3 has pitch 72: the song goes from A3 to C5, but this voice sings G3 to "
        "B4: --key -1 brings the song into this range"
    )
    with pytest.raises(InputError, match="no key fits all of it: --fold-octaves"):
        fit_range([with_notes(40.0, 60.0, 64.0), with_notes(69.0, 72.0, 64.0)], SPEC)
    with pytest.raises(InputError, match=r"--key \+9 brings"):
        fit_range([with_notes(50.0, 52.0, 54.0)], SPEC, key=4.0)


@pytest.mark.parametrize(
    ("midi", "folded"),
    [
        ((57.0, 60.0, 64.0), (57.0, 60.0, 64.0)),
        ((45.0, 48.0, 50.0), (57.0, 60.0, 62.0)),  # the phrase
        ((80.0, 81.0, 82.0), (68.0, 69.0, 70.0)),
        ((33.0, 34.0, 35.0), (57.0, 58.0, 59.0)),  # two octaves
        ((57.0, 72.0, 74.0), (57.0, 60.0, 62.0)),  # the second word
        ((57.0, 50.0, 70.0), (57.0, 62.0, 70.0)),  # notes of the second word
    ],
)
def test_folding_by_octaves(midi: tuple[float, ...], folded: tuple[float, ...]) -> None:
    (found,) = fit_range([with_notes(*midi)], SPEC, fold_octaves=True)
    assert found.note_midi == (None, *folded, None)


def test_folding_moves_the_pitch_too() -> None:
    f0 = Curve(np.full(120, 220.0), 0.01)
    (found,) = fit_range([replace(with_notes(57.0, 72.0, 74.0), f0=f0)], SPEC, fold_octaves=True)
    assert found.f0 is not None
    assert found.f0.at(np.array([0.3, 0.7])).tolist() == [220.0, 110.0]


def test_folding_a_song_and_very_long_songs(singer: Singer) -> None:
    assert singer.sing([with_notes(45.0, 60.0, 74.0)], fold_octaves=True).seconds > 1
    endless = replace(SCORE, note_dur=(0.2, 1e12, 0.3, 0.2, 0.2))
    with pytest.raises(InputError, match="hours"):
        singer.sing([endless])


def test_phonemes_in_other_spellings(singer: Singer) -> None:
    other = replace(SCORE, ph_seq=("pau", "ja/k", "ja/a", "ja/n", "i", "sil"))
    assert np.array_equal(singer.sing([other]).samples, singer.sing([SCORE]).samples)
