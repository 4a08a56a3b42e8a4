"""Pitch as two more features, and durations as a distribution."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_speech import DECODER, MEL, TEXT, batch, utterances

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching, SplitMeanFlow
from oneleap.core.training.seed import Step
from oneleap.core.types import Objective
from oneleap.domains.audio.pitch import PitchFormat
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.models.alignment import align_batch
from oneleap.domains.speech.models.encoder import sample_durations
from oneleap.domains.speech.models.text_losses import text_losses
from oneleap.domains.speech.spec import AlignedBatch, Spec, UtteranceBatch

PITCH = PitchFormat(center_hz=200.0, scale=0.25)
SPEC = Spec(MEL, pitch=PITCH)


def melodic(objective: Objective | None = None, std: float = 0.2) -> AcousticModel:
    text = replace(TEXT, duration_spread=True)
    model = AcousticModel(
        SPEC, objective or FlowMatching(), text=text, decoder=DECODER, crop_s=None
    )
    g = torch.Generator().manual_seed(3)
    for net in (model.net, model.average):
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=std, generator=g)
    return model.eval()


def sung() -> UtteranceBatch:
    rows = utterances()
    more = torch.randn(3, 2, 20, generator=torch.Generator().manual_seed(1))
    durations = batch().durations
    return rows._replace(features=torch.cat([rows.features, more], 1), durations=durations)


@given(st.lists(st.one_of(st.just(0.0), st.floats(50.0, 800.0)), min_size=1, max_size=30))
def test_pitch_survives_its_format(f0: list[float]) -> None:
    hz = np.array(f0)
    channels = PITCH.encode(hz)
    assert torch.isfinite(channels).all()
    np.testing.assert_allclose(PITCH.decode(channels[None])[0].numpy(), hz, rtol=1e-5)


def test_an_octave_above_the_center_is_log_two_over_scale() -> None:
    channels = PITCH.encode(np.array([400.0, 0.0, 100.0]))
    expected = [math.log(2) / 0.25, 0.0, -math.log(2) / 0.25]
    torch.testing.assert_close(channels[0], torch.tensor(expected), atol=1e-6, rtol=1e-5)
    assert channels[1].tolist() == [1, -1, 1]
    with pytest.raises(InputError, match="pitch: scale must be positive, not 0"):
        PitchFormat(scale=0.0)


def test_sampled_durations_keep_their_mean_at_every_temperature() -> None:
    log_means, spread = torch.full((1, 200_000), math.log(7.0)), torch.full((1, 200_000), 0.4)
    noise = torch.randn(1, 200_000, generator=torch.Generator().manual_seed(0))
    for temperature in (0.0, 0.5, 1.0):
        drawn = sample_durations(log_means, spread, noise, temperature)
        assert float(drawn.exp().mean()) == pytest.approx(7.0, rel=5e-3)
        assert float(drawn.std()) == pytest.approx(0.4 * temperature, rel=1e-2, abs=1e-6)


def test_the_spread_that_fits_best_is_that_of_the_data() -> None:
    log_d = 2.0 + 0.3 * torch.randn(4, 500, generator=torch.Generator().manual_seed(0))
    durations = log_d.exp().round().long()
    mask = torch.ones(4, 500, dtype=torch.bool)
    rows = AlignedBatch(
        *(torch.zeros(4, 500, dtype=torch.long), mask, torch.zeros(4, dtype=torch.long)),
        *(durations, torch.zeros(4, 1, 500), torch.zeros(4, 1, 1)),
        *(torch.zeros(4, 1, dtype=torch.long), torch.ones(4, 1, 1, dtype=torch.bool)),
        torch.zeros(4, dtype=torch.bool),
    )
    encoded = melodic().net.encode(rows.tokens, mask, rows.speaker)
    assert encoded.spread is not None
    log_m = durations.float().mean().log().expand(4, 500)

    def loss(s: float) -> float:
        means = torch.zeros(4, 1, 500)
        given = encoded._replace(means=means, log_durations=log_m, spread=torch.full((4, 500), s))
        return float(text_losses(rows, given)[1].mean())

    assert min((0.1, 0.2, 0.3, 0.45, 0.7), key=loss) == 0.3


def test_spreads_learn_without_moving_the_mean() -> None:
    model, rows = melodic(), align_batch(sung(), batch().durations)
    encoded = model.net.encode(rows.tokens, rows.token_mask, rows.speaker)
    assert encoded.spread is not None
    logs = encoded.log_durations.detach().requires_grad_()
    spread = encoded.spread.detach().requires_grad_()
    plain = encoded._replace(log_durations=logs, spread=None)
    (expected,) = torch.autograd.grad(text_losses(rows, plain)[1].sum(), logs)
    both = encoded._replace(log_durations=logs, spread=spread)
    moved, fitted = torch.autograd.grad(text_losses(rows, both)[1].sum(), (logs, spread))
    torch.testing.assert_close(moved, expected)
    assert float(fitted[rows.token_mask].abs().min()) > 0


def test_given_durations_replace_the_search() -> None:
    rows = sung()
    assert rows.durations is not None
    aligned = melodic().align(rows)
    assert torch.equal(aligned.durations, rows.durations)
    first = aligned.x[0, :, : int(rows.durations[0, 0])].mean(1)
    torch.testing.assert_close(aligned.means[0, :, 0], first)


def test_expressive_changes_melody_and_rhythm_alone() -> None:
    model, text = melodic(std=0.05), [1, 20, 30, 21, 33, 2]
    assert model.noise_scale(None, 0.5).shape == (MEL.n_mels + 2, 1)
    assert model.noise_scale(0.7, 0.5).flatten().unique().tolist() == pytest.approx([0.5, 0.7])
    torch.nn.init.zeros_(model.average.duration.spread.weight)  # type: ignore[union-attr]
    torch.nn.init.constant_(model.average.duration.spread.bias, math.log(0.8))  # type: ignore[union-attr]
    torch.nn.init.constant_(model.average.duration.outward.bias, math.log(9.0))
    even = {model.synthesize([text], seeds=[s], expressive=0.0)[0].shape[1] for s in range(6)}
    free = {model.synthesize([text], seeds=[s], expressive=1.0)[0].shape[1] for s in range(6)}
    assert len(even) == 1
    assert len(free) > 2
    (one,) = model.synthesize([text], seeds=[1], expressive=0.0)
    assert one.shape[0] == MEL.n_mels + 2
    assert float(one[MEL.n_mels].std()) < float(one[0].std())


@pytest.mark.parametrize("objective", [FlowMatching(), SplitMeanFlow()])
def test_pitch_is_trained_and_validated_with_the_spectrogram(objective: Objective) -> None:
    model, rows = melodic(objective), sung()
    step = Step(0)
    aligned = model.prepare(rows, step)
    assert model.data(aligned).shape[1] == MEL.n_mels + 2
    figures = model.validate(rows, step).figures
    assert set(figures) >= {"val/mel_l1", "val/pitch_cents"}
    assert all(math.isfinite(float(value)) for value in figures.values())
