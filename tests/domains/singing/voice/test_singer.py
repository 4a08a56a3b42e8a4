"""A singer: from score to sound, in another key and tempo, saved and loaded."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.tiny_singing import (
    DECODER,
    MEL,
    RATE,
    SCORE,
    SMALL,
    SPEC,
    TIMED,
    TWO,
    acoustic,
    curves,
    durations,
    randomize,
    vocoder,
)

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.samplers import FlowMapSampler
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.singing import AcousticModel, AuxDecoderConfig, Singer
from oneleap.domains.singing.lyrics.phonemizer import Phonemizer
from oneleap.domains.singing.models.durations import DurationModel
from oneleap.domains.singing.scores.phrasing import score_to_segments
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars
from oneleap.domains.singing.segments.segment import Curve, Segment


@pytest.fixture
def singer() -> Singer:
    return Singer(acoustic(sampler=FlowMapSampler(1)), durations(), curves(), vocoder())


def test_a_song_is_as_long_as_its_score(singer: Singer) -> None:
    wave = singer.sing(TWO)
    assert wave.seconds == pytest.approx(2.7, abs=0.03)
    assert np.isfinite(wave.samples).all()
    first = round(1.22 * RATE)
    assert not wave.samples[first : round(1.48 * RATE)].any()  # between the phrases
    assert singer.sing(TWO, tempo=2.0).seconds == pytest.approx(1.35, abs=0.03)


def test_negative_offsets_and_the_longest_song(singer: Singer) -> None:
    early = singer.sing([replace(SCORE, offset=-0.5), replace(SCORE, offset=1.0)])
    assert np.array_equal(early.samples, singer.sing(TWO).samples)
    with pytest.raises(InputError, match="hours"):
        singer.sing([replace(SCORE, offset=1e9)])


def test_seeds_are_repeatable_and_phrases_are_independent(singer: Singer) -> None:
    a, b, c = (singer.sing(TWO, seed=s).samples for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.allclose(a, c)
    alone = singer.sing([SCORE]).samples
    n = min(len(alone), round(1.2 * RATE))
    assert np.array_equal(a[:n], alone[:n])


def test_durations_fill_the_words_and_given_values_are_kept(singer: Singer) -> None:
    songs = singer.predict_durations(SCORE)
    frames = songs.durations[0]
    ends = frames.cumsum(0) / MEL.frame_rate
    assert [float(ends[i]) for i in (1, 3, 4, 5)] == pytest.approx([0.2, 0.5, 1.0, 1.2], abs=0.01)
    kept = singer.predict_durations(TIMED)
    frames = [d * MEL.frame_rate for d in TIMED.ph_dur]
    assert kept.exact_durations[0].tolist() == pytest.approx(frames)
    f0 = Curve(np.array([0, 200.0, 200.0, 0]), 0.4)
    n = kept.base_pitch.shape[1]
    assert singer.predict_f0(kept, replace(TIMED, f0=f0), 0).tolist() == [[200.0] * n]


def test_key_transposes_the_pitch(singer: Singer) -> None:
    songs = [singer.predict_durations(singer.prepare([SCORE], key, 1.0)[0]) for key in (0.0, 2.0)]
    assert float((songs[1].base_pitch - songs[0].base_pitch).mean()) == pytest.approx(2)


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({}, {"tempo": 9.0}, "tempo: must be a factor from"),
        (
            {},
            {"key": 24.0},
            r"phrase 1: note 2 has pitch 81: the song goes from A5 to E6, .* --key \+7",
        ),
        ({"ph_seq": ("SP", "k", "a", "zh", "i", "SP")}, {}, "phrase 1: ph_seq: phoneme 4 is 'zh'"),
    ],
)
def test_what_cannot_be_sung_is_an_error(
    change: dict[str, object], settings: dict[str, float], message: str, singer: Singer
) -> None:
    with pytest.raises(InputError, match=message):
        singer.sing([replace(SCORE, **change)], **settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no phrases"):
        singer.sing([])
    with pytest.raises(InputError, match="phrase 1: ph_num is missing"):
        singer.sing([Segment(ph_seq=SCORE.ph_seq)])


def test_an_unknown_phoneme_is_named_by_bar_and_note(singer: Singer) -> None:
    lyrics = ("か", "に", "ばん", "に")
    notes = tuple(Note(Fraction(2), 60.0, lyric) for lyric in lyrics)
    score = Score(notes, uniform_bars(Fraction(8)))
    with pytest.raises(InputError, match="phrase 1: bar 2, note 1: phoneme 6 is 'b'"):
        singer.sing(score_to_segments(score, Phonemizer()))


def test_the_default_number_of_steps_is_that_of_the_voice(singer: Singer) -> None:
    one, three = (singer.sing([SCORE], steps=n).samples for n in (1, 3))
    own = replace(singer, acoustic=acoustic(sampler=FlowMapSampler(3))).sing([SCORE]).samples
    assert np.array_equal(own, three)
    assert not np.allclose(own, one)


def test_a_saved_singer_sings_the_same(singer: Singer, tmp_path: Path) -> None:
    singer.save(tmp_path / "whole", card="# Nobody\n", bits=32)
    again = Singer.load(tmp_path / "whole")
    a, b = (s.sing([SCORE]).samples for s in (singer, again))
    assert np.abs(a - b).max() < 1e-5
    assert (tmp_path / "whole" / "README.md").read_text() == "# Nobody\n"
    again.save(tmp_path / "half")
    assert len(Singer.load(tmp_path / "half").sing([SCORE]).samples) == len(a)


def test_incompatible_models_are_rejected(singer: Singer, tmp_path: Path) -> None:
    other = NSF(replace(MEL, floor=1e-4), 8, 8, 1)
    with pytest.raises(InputError, match="mel format"):
        Singer.from_parts(singer.acoustic, singer.durations, singer.pitch, other)
    wrong = durations()
    wrong.spec = replace(SPEC, phonemes=("SP", "AP"))
    with pytest.raises(InputError, match="other phonemes"):
        Singer.from_parts(singer.acoustic, wrong, singer.pitch, singer.vocoder)
    with pytest.raises(InputError, match="generates energy"):
        Singer.from_parts(singer.acoustic, singer.durations, curves(("energy",)), singer.vocoder)
    acoustic().save_pretrained(tmp_path / "a")
    with pytest.raises(InputError, match=r"holds a .*AcousticModel, not a .*DurationModel"):
        Singer.load(tmp_path / "a")
    with pytest.raises(InputError, match="voice: no 'nobody'"):
        Singer.load("nobody")


def test_a_duration_model_may_know_marks_that_the_others_do_not(singer: Singer) -> None:
    plain = SPEC.phonemes
    marked = (*plain, *(p + mark for p in plain if p not in ("SP", "AP") for mark in ("1", "_b")))
    finer = DurationModel(replace(SPEC, phonemes=marked), encoder=SMALL, depth=1).eval()
    found = Singer.from_parts(singer.acoustic, finer, singer.pitch, singer.vocoder)
    names = tuple(p if p in ("SP", "AP") else f"{p}1" for p in SCORE.ph_seq)
    (prepared,) = found.prepare([replace(SCORE, ph_seq=names)], 0.0, 1.0)
    assert prepared.ph_seq == names  # durations see the marks
    sung = found.predict_durations(prepared)
    own = found.predict_durations(replace(SCORE, ph_dur=()))
    assert sung.tokens.tolist() == own.tokens.tolist()  # the acoustic model does not
    assert len(found.sing([replace(SCORE, ph_seq=names)]).samples)
    strange = DurationModel(replace(SPEC, phonemes=(*plain, "xyz")), encoder=SMALL, depth=1)
    with pytest.raises(InputError, match="other phonemes"):
        Singer.from_parts(singer.acoustic, strange, singer.pitch, singer.vocoder)


def test_a_model_conditioned_on_energy_needs_a_variance_model(singer: Singer) -> None:
    conditioned = AcousticModel(
        SPEC,
        FlowMatching(),
        encoder=SMALL,
        aux=AuxDecoderConfig(8, 8, 1),
        decoder=DECODER,
        curves=("energy", "breathiness"),
    )
    randomize(conditioned.average)
    parts = (singer.durations, singer.pitch, singer.vocoder)
    with pytest.raises(InputError, match="conditioned on breathiness: add a variance model"):
        Singer.from_parts(conditioned, *parts)
    loud = curves(("energy", "breathiness"))
    one = Singer.from_parts(conditioned, *parts, loud).sing([SCORE]).samples
    loud.average.decoder.outward.bias.data += 1.0
    assert not np.allclose(one, Singer.from_parts(conditioned, *parts, loud).sing([SCORE]).samples)
