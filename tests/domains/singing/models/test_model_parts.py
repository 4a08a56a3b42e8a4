"""Frames, shallow starts, samplers and measures: closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.exact import seeded
from support.tiny_singing import MEL, SCORE, SPEC, TIMED
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching, MeanFlow, SplitMeanFlow
from oneleap.core.paths.ddpm import LinearBetas
from oneleap.core.types import Conditioned, TrainingBatch
from oneleap.domains.singing.commands.boundary import (
    by_classifier,
    first_indistinct,
    train_predictor,
)
from oneleap.domains.singing.data.batches import base_pitch, refuse_range, row, smoothed, tokens
from oneleap.domains.singing.evaluation.measures import (
    cepstral_distortion,
    score_pitch,
    sung_pitch,
    timing_error_ms,
    words_as_sung,
)
from oneleap.domains.singing.models.durations import duration_losses
from oneleap.domains.singing.models.frames import owners, places, spread, word_sums
from oneleap.domains.singing.models.samplers import (
    ConsistencySampler,
    DDPMSampler,
    EulerSampler,
    FlowMapSampler,
    PLMSSampler,
    CoarseMelSampler,
    Sampler,
    diffsinger,
)
from oneleap.domains.singing.models.shallow import FirstBetas, blend, scaled
from oneleap.domains.singing.segments.segment import Segment


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_owners_are_the_phonemes_repeated(each: list[int]) -> None:
    total = sum(each)
    found = owners(torch.tensor([each]), total + 2)[0]
    repeated = torch.repeat_interleave(torch.arange(len(each)), torch.tensor(each))
    assert torch.equal(found[:total], repeated)
    assert (found[total:] == len(each) - 1).all()


def test_places_count_from_both_ends() -> None:
    each = torch.tensor([[2, 4]])
    place = places(each, owners(each, 6))[0]
    torch.testing.assert_close(place[:, 0], torch.tensor([0, 0.5, 0, 0.25, 0.5, 0.75]))
    torch.testing.assert_close(place[2:, 2].mul(4).expm1(), torch.tensor([3.0, 2, 1, 0]))
    values = torch.tensor([[[1.0], [2.0]]])
    assert spread(values, owners(each, 6))[0, :, 0].tolist() == [1, 1, 2, 2, 2, 2]


def test_a_row_keeps_the_frames_of_the_recording() -> None:
    one = row(TIMED, SPEC, 70)
    assert int(one.each.sum()) == 70 == len(one.base)
    assert one.onset.tolist() == [True, False, True, False, True, True]
    assert one.word.tolist() == [0, 0, 1, 1, 2, 3]
    assert one.ph_midi.tolist() == [0, 0, 57, 57, 60, 0]
    seconds = one.word_dur / MEL.frame_rate
    torch.testing.assert_close(seconds, torch.tensor([0.2, 0.2, 0.3, 0.3, 0.5, 0.2]))
    assert one.notes.tolist() == [57, 57, 60, 64, 64]
    plain = row(SCORE, SPEC)
    assert int(plain.each.sum()) == 0
    assert len(plain.base) == round(1.2 * MEL.frame_rate)


def test_the_smoothed_score_has_the_notes_and_round_corners() -> None:
    base = base_pitch(np.array([60.0, 64.0]), np.array([50, 50]), 100, MEL)
    assert base[:40] == pytest.approx(60)
    assert base[60:] == pytest.approx(64)
    assert (np.diff(base) >= -1e-9).all()
    assert smoothed(np.ones(9), 0.1, MEL) == pytest.approx(1)


def test_what_a_voice_cannot_sing_is_told() -> None:
    with pytest.raises(InputError, match=r"phoneme 2 is 'zz', which this voice does not sing"):
        tokens(Segment(ph_seq=("a", "zz")), SPEC)
    high = Segment(ph_seq=("a",), note_midi=(80.0,), note_dur=(1.0,))
    with pytest.raises(InputError, match=r"note 1 has pitch 80, .* 55 to 71 .* --key -9"):
        refuse_range(high, SPEC)
    wide = Segment(ph_seq=("a",), note_midi=(40.0, 90.0), note_dur=(1.0, 1.0))
    with pytest.raises(InputError, match="spans too much"):
        refuse_range(wide, SPEC)
    refuse_range(TIMED, SPEC)


def line(x: Tensor, depth: float = 1.0) -> Conditioned:
    """The exact field of one data point: every path leads to it, ``u = (z - x) / t``."""
    del depth
    return Conditioned(lambda z, r, t: (z - x) / t[:, None, None].clamp(min=1e-9))


DATA = torch.randn(2, 3, 5, generator=seeded(1), dtype=torch.float64)
NOISE = torch.randn(2, 3, 5, generator=seeded(2), dtype=torch.float64)
ROUGH = DATA + 0.3


@pytest.mark.parametrize(
    "sampler",
    [
        FlowMapSampler(1),
        FlowMapSampler(3, 0.6),
        EulerSampler(20, 0.6),
        EulerSampler(1, 1.0),
        ConsistencySampler(2, 0.6),
        DDPMSampler(100),
        DDPMSampler(100, boundary=54),
        PLMSSampler(10, boundary=60),
        PLMSSampler(10),
    ],
)
def test_a_perfect_field_is_followed_from_any_start(sampler: Sampler) -> None:
    made = sampler(line(DATA), NOISE, ROUGH, seeded(0))
    torch.testing.assert_close(made, DATA, atol=1e-5, rtol=0)


def test_rough_is_left_as_it_is() -> None:
    assert CoarseMelSampler()(line(DATA), NOISE, ROUGH) is ROUGH


def test_shallow_starts_begin_between_the_rough_and_noise() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    def record_activations(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        seen.append((z, t))
        return torch.zeros_like(z)

    EulerSampler(5, 0.6)(Conditioned(record_activations), NOISE, ROUGH)
    torch.testing.assert_close(seen[0][0], 0.4 * ROUGH + 0.6 * NOISE)
    times = [float(t[0]) for _, t in seen]
    assert times == pytest.approx([0.6, 0.48, 0.36, 0.24, 0.12])
    seen.clear()
    PLMSSampler(4, boundary=54)(Conditioned(record_activations), NOISE, ROUGH)
    abar = float(diffsinger().alpha_bar[54])
    a, b = math.sqrt(abar), math.sqrt(1 - abar)
    torch.testing.assert_close(seen[0][0], (a * ROUGH + b * NOISE) / (a + b))
    assert float(seen[0][1][0]) == pytest.approx(b / (a + b))


def test_the_schedule_is_diffsingers_and_its_beginning_is_its_beginning() -> None:
    betas = diffsinger().betas()
    assert (betas[0], betas[99]) == pytest.approx((1e-4, 0.06))
    part = FirstBetas(diffsinger(), 54)
    assert part.alpha_bar == pytest.approx(diffsinger().alpha_bar[:55])
    with pytest.raises(InputError, match="boundary: a step from 1 to 100"):
        DDPMSampler(boundary=101)(line(DATA), NOISE, ROUGH)
    with pytest.raises(InputError, match="depth"):
        FlowMapSampler(1, 0.0)


def test_a_shallow_loss_is_the_loss_of_early_times() -> None:
    """``|| u' - v' ||^2`` in the time ``s`` is ``t0^2 || u - (e - x) ||^2`` at ``t = t0 s``."""
    depth, objective = 0.6, FlowMatching()
    field = Conditioned(lambda z, r, t: z.sin() * t[:, None, None] + r[:, None, None])
    draw = objective.draw(DATA, seeded(3))
    shallow = replace(draw, e=blend(DATA, draw.e, depth))
    found = objective.loss(TrainingBatch(field=scaled(field, depth), x=DATA), shallow).per_sample
    t = depth * draw.t
    z = (1 - t)[:, None, None] * DATA + t[:, None, None] * draw.e
    error = (field(z, t, t) - (draw.e - DATA)).square().mean((1, 2))
    torch.testing.assert_close(found, depth**2 * error)


@pytest.mark.parametrize("objective", [FlowMatching(), MeanFlow(), SplitMeanFlow()])
def test_objectives_have_no_loss_on_the_exact_field_of_a_shallow_path(
    objective: FlowMatching | MeanFlow | SplitMeanFlow,
) -> None:
    """Noise that is data of another kind: from ``x`` to ``e'`` the mean velocity is ``e' - x``."""
    depth, x = 0.6, DATA[:1].expand(8, -1, -1)
    draw = objective.draw(x, seeded(3))
    exact = Conditioned(lambda z, r, t, e: e - x[: len(z)], (draw.e,))
    shallow = replace(draw, e=blend(x, draw.e, depth))

    def loss(field: Conditioned) -> float:
        found = objective.loss(TrainingBatch(field=field, x=x), shallow)
        return float(found.per_sample.abs().max())

    assert loss(scaled(exact, depth)) < 1e-12
    assert loss(exact) > 0.01  # velocities of another time


def test_scaling_of_time_is_scaling_of_velocity() -> None:
    field = Conditioned(lambda z, r, t: z * t[:, None, None] + r[:, None, None])
    r, s = torch.tensor([0.1]), torch.tensor([0.5])
    z = torch.ones(1, 2, 2)
    torch.testing.assert_close(scaled(field, 0.6)(z, r, s), 0.6 * (0.3 * z + 0.06))
    assert scaled(field, 1.0) is field


def test_duration_losses_by_hand() -> None:
    made = torch.tensor([[1.0, 2.0, 3.0, 0.0]])
    wanted = torch.tensor([[2.0, 2.0, 5.0, 0.0]])
    word = torch.tensor([[0, 0, 1, 1]])
    mask = torch.tensor([[True, True, True, False]])
    log = math.log
    by_phoneme = ((log(2) - log(3)) ** 2 + (log(4) - log(6)) ** 2) / 3
    by_word = ((log(4) - log(5)) ** 2 + (log(4) - log(6)) ** 2) / 2
    by_phrase = (log(7) - log(10)) ** 2
    found = duration_losses(made, wanted, word, mask)
    assert [float(f) for f in found] == pytest.approx([by_phoneme, by_word, by_phrase], rel=1e-5)
    assert word_sums(made, word).tolist() == [[3, 3, 0, 0]]


def test_pitch_is_judged_in_the_middles_of_vowels() -> None:
    wanted = score_pitch(TIMED, 75, MEL)
    judged = np.flatnonzero(~np.isnan(wanted)) / MEL.frame_rate
    inside = [(0.25, 0.39), (0.55, 0.75), (0.85, 0.95)]  # 50 ms off notes and phonemes
    assert all(any(a - 0.02 <= t <= b for a, b in inside) for t in judged)
    assert set(wanted[~np.isnan(wanted)]) == {57, 60, 64}
    exact = 440 * 2 ** ((np.nan_to_num(wanted) - 69) / 12)
    perfect = sung_pitch(exact, wanted)
    assert np.abs(perfect.cents).max() < 1e-6
    assert perfect.hits == perfect.judged == len(judged)
    sharp = sung_pitch(exact * 2 ** (60 / 1200), wanted)
    assert np.median(sharp.cents) == pytest.approx(60)
    assert sharp.hits == 0
    silent = sung_pitch(np.zeros(75), wanted)
    assert (len(silent.cents), silent.judged) == (0, len(judged))


def test_cepstral_distortion_is_the_known_formula() -> None:
    k, n = 3, MEL.n_mels
    bands = torch.arange(n) + 0.5
    wave = torch.cos(math.pi / n * k * bands)
    real = torch.zeros(1, n, 4)
    found = cepstral_distortion(real + wave[:, None], real, MEL)
    c = float((wave * MEL.std * torch.cos(math.pi / n * k * bands)).sum()) * 2 / n
    torch.testing.assert_close(
        found, torch.full((1, 4), 10 / math.log(10) * math.sqrt(2) * c), rtol=1e-4, atol=0
    )
    assert float(cepstral_distortion(real + 1, real, MEL).abs().max()) < 1e-4  # loudness alone


def test_words_are_as_long_as_they_were_sung() -> None:
    found = words_as_sung(TIMED)
    assert found.note_dur == pytest.approx((0.2, 0.3, 0.3, 0.2, 0.2))
    late = Segment(
        ph_seq=TIMED.ph_seq,
        ph_num=TIMED.ph_num,
        ph_dur=(0.25, 0.05, 0.24, 0.06, 0.4, 0.2),
        note_midi=TIMED.note_midi,
        note_dur=TIMED.note_dur,
        note_slur=TIMED.note_slur,
    )
    assert words_as_sung(late).note_dur == pytest.approx((0.3, 0.3, 0.24, 0.16, 0.2))
    assert timing_error_ms(late, TIMED) == pytest.approx(1e3 * (4 * 0.1) / 6)


def test_the_boundary_is_where_the_classifier_gives_up() -> None:
    gaps = [0.9] * 53 + [0.01] * 47
    assert first_indistinct(gaps) == 54
    gaps[70] = gaps[80] = 0.5  # two of 47 may differ
    assert first_indistinct(gaps) == 54
    assert first_indistinct([0.9] * 100) == 100
    assert LinearBetas(100, 1e-4, 0.06) == diffsinger()


def test_the_classifier_learns_to_tell_and_the_boundary_follows_the_gap() -> None:
    """The rougher the spectrogram, the later it is lost in noise."""
    g = seeded(5)
    schedule, found = LinearBetas(20, 1e-4, 0.3), []
    for gap in (0.2, 3.0):
        pairs = []
        for _ in range(6):
            real = torch.randn(6, 12, generator=g)
            pairs.append((real, real + gap))
        predictor = train_predictor(pairs, schedule, steps=60, crop=12, seed=0)
        found.append(by_classifier(predictor, pairs, schedule, seed=0))
    assert 1 <= found[0] < found[1] <= 20
