"""The acoustic model: losses in closed form, no effect of padding, sampling, students."""

import math
from dataclasses import replace

import pytest
import torch
from support.tiny_speech import DECODER, MEL, SPEC, TEXT, acoustic, batch, utterances

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import guide
from oneleap.core.objectives import FlowMatching, MeanFlow, SplitMeanFlow
from oneleap.core.sampling.ode import sample
from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    EDMSampler,
    EulerSampler,
    FlowMapSampler,
    Sampler,
)
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Conditioned
from oneleap.domains.audio.mel import Mel
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.models.encoder import DurationPredictor, round_durations
from oneleap.domains.speech.models.nets import (
    AcousticNet,
    ConvNeXtConfig,
    DecoderConfig,
    DiTConfig,
    TextEncoderConfig,
    UNetConfig,
)
from oneleap.domains.speech.models.text_losses import text_losses
from oneleap.domains.speech.spec import AlignedBatch, SpeakerMix, Spec

TWO = replace(SPEC, speakers=("a", "b"))


def test_sizes() -> None:
    model = AcousticModel(Spec(), FlowMatching())
    assert 5e6 < sum(p.numel() for p in model.net.parameters()) < 6.5e6


def test_the_prior_is_the_distance_to_the_frames_without_its_constant() -> None:
    model, rows = acoustic(), batch()
    encoded = model.net.encode(rows.tokens, rows.token_mask, rows.speaker)

    def slow(means: torch.Tensor) -> torch.Tensor:
        mu = model.net.field(encoded._replace(means=means), rows.frame_to_token, rows.mask).cond[0]
        gap = (rows.x - mu).square().masked_fill(~rows.mask, 0.0)
        return 0.5 * gap.sum((1, 2)) / rows.mask.sum((1, 2)) / MEL.n_mels

    fast = text_losses(rows, encoded)[0]
    shifted = encoded._replace(means=encoded.means + 0.3)
    want = slow(shifted.means) - slow(encoded.means)
    torch.testing.assert_close(text_losses(rows, shifted)[0] - fast, want)
    best = encoded._replace(means=rows.means)
    assert float(text_losses(rows, best)[0].abs().max()) == 0


def test_the_duration_loss_is_the_deviance() -> None:
    model, rows = acoustic(), batch()
    encoded = model.net.encode(rows.tokens, rows.token_mask, rows.speaker)
    exact = rows.durations.clamp(min=1).float().log()
    right = text_losses(rows, encoded._replace(log_durations=exact))[1]
    torch.testing.assert_close(right, torch.zeros(3), atol=1e-6, rtol=0)
    junk = torch.where(rows.token_mask, exact + 0.5, 99.0)
    off = text_losses(rows, encoded._replace(log_durations=junk))[1]
    torch.testing.assert_close(off, torch.full((3,), math.exp(0.5) - 1.5))


def test_the_best_duration_of_equal_tokens_is_their_mean() -> None:
    """The mean logarithm of 2 and 8 frames would give 4 frames."""
    model, rows = acoustic(), batch()
    encoded = model.net.encode(rows.tokens, rows.token_mask, rows.speaker)
    durations = torch.where(torch.arange(rows.tokens.shape[1]) % 2 == 0, 2, 8) * rows.token_mask
    mean = (durations.sum() / rows.token_mask.sum()).log()
    rows = rows._replace(durations=durations)

    def off(log_durations: torch.Tensor) -> float:
        guess = log_durations.expand(durations.shape)
        found = text_losses(rows, encoded._replace(log_durations=guess))[1]
        return float((found * durations.sum(1)).sum())

    assert off(mean) < min(off(mean - 0.05), off(mean + 0.05))


def test_padding_and_other_rows_change_no_loss() -> None:
    model, rows = acoustic(), batch()
    draw = model.objective.draw(rows.x, torch.Generator().manual_seed(0))
    together = model.loss(rows, draw).per_sample
    padding = ~rows.mask
    junk = rows._replace(
        x=rows.x.masked_fill(padding, 1e4), tokens=torch.where(rows.token_mask, rows.tokens, 7)
    )
    torch.testing.assert_close(model.loss(junk, draw).per_sample, together)
    n, long = 9, 2  # the last row, alone
    row = slice(2, 3)
    alone = AlignedBatch(
        rows.tokens[row, :long],
        rows.token_mask[row, :long],
        rows.speaker[row],
        rows.durations[row, :long],
        rows.means[row, :, :long],
        rows.x[row, :, :n],
        rows.frame_to_token[row, :n],
        rows.mask[row, :, :n],
        rows.dropped[row],
    )
    cut = replace(draw, e=draw.e[row, :, :n], r=draw.r[row], t=draw.t[row])
    torch.testing.assert_close(model.loss(alone, cut).per_sample, together[row])


def test_dropped_rows_do_not_depend_on_the_text() -> None:
    model = acoustic(spec=TWO)
    model.drop = 0.5
    rows = batch(speakers=2)._replace(dropped=torch.tensor([True, False, True]))
    other = rows._replace(speaker=1 - rows.speaker, tokens=rows.tokens.flip(1))
    t = torch.full((3,), 0.4)
    a, b = (model.bind(r).field(rows.x, t, t) for r in (rows, other))
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[2], b[2])
    assert not torch.allclose(a[1], b[1])
    full = model.bind(rows, model.net).field(rows.x, t, t)  # a teacher drops nothing
    assert not torch.allclose(full[0], a[0])


def test_speakers_differ_only_in_color_and_tempo() -> None:
    """All speakers together teach the sequence of sounds and their relative lengths."""
    model, rows = acoustic(spec=TWO), batch(speakers=2)
    accent = model.net.accent
    assert accent is not None
    torch.nn.init.normal_(accent.film.weight)
    torch.nn.init.normal_(accent.tempo.weight)
    a, b = (
        model.net.encode(rows.tokens, rows.token_mask, torch.full_like(rows.speaker, k))
        for k in (0, 1)
    )
    assert not torch.allclose(a.means, b.means)
    slower = (a.log_durations - b.log_durations).detach()[rows.token_mask]
    assert abs(float(slower[0])) > 1e-3
    torch.testing.assert_close(slower, slower[0].expand_as(slower))
    shared = model.net.encoder(rows.tokens, rows.token_mask)
    (scale, shift) = accent.film(model.net.speakers(torch.tensor(1))).chunk(2)
    torch.testing.assert_close(b.means, model.net.mean(shared * (1 + scale) + shift).mT)


def test_a_mixed_speaker_has_mixed_means_and_own_durations() -> None:
    plain = acoustic(spec=TWO)
    assert plain.average.accent is not None
    torch.nn.init.normal_(plain.average.accent.film.weight)
    torch.nn.init.normal_(plain.average.accent.tempo.weight)
    model = AcousticModel(
        TWO,
        FlowMatching(),
        text=TEXT,
        decoder=DECODER,
        speaker_mixes=(SpeakerMix("b", other="a", weight=0.25),),
    )
    model.load_state_dict(plain.state_dict())
    rows = batch(speakers=2)
    a, b = (torch.full_like(rows.speaker, k) for k in (0, 1))
    said, own, other = (
        m.encode(rows.tokens, rows.token_mask, index)
        for m, index in ((model, b), (plain, b), (plain, a))
    )
    torch.testing.assert_close(said.means, 0.75 * own.means + 0.25 * other.means)
    assert torch.equal(said.log_durations, own.log_durations)
    assert said.speaker is not None
    assert own.speaker is not None
    assert torch.equal(said.speaker, own.speaker)
    assert torch.equal(model.encode(rows.tokens, rows.token_mask, a).means, other.means)
    trained = model.net.encode(rows.tokens, rows.token_mask, b).means
    assert torch.equal(trained, plain.net.encode(rows.tokens, rows.token_mask, b).means)


@pytest.mark.parametrize(
    ("mix", "message"),
    [(SpeakerMix("b", other="c"), "no speaker 'c'"), (SpeakerMix("b", "a", 1.5), "not 1.5")],
)
def test_a_wrong_mix_is_rejected(mix: SpeakerMix, message: str) -> None:
    with pytest.raises(InputError, match=message):
        AcousticModel(TWO, FlowMatching(), text=TEXT, decoder=DECODER, speaker_mixes=(mix,))


@pytest.mark.parametrize(
    "decoder", [ConvNeXtConfig(16, 1, 1), DiTConfig(16, 1, 2), UNetConfig((8, 16), 8)]
)
def test_every_decoder_takes_any_length(decoder: DecoderConfig) -> None:
    net, rows = AcousticNet(TWO, TEXT, decoder), batch(speakers=2)
    encoded = net.encode(rows.tokens, rows.token_mask, rows.speaker)
    u = net.field(encoded, rows.frame_to_token, rows.mask)(rows.x, torch.zeros(3), torch.ones(3))
    assert u.shape == rows.x.shape


def test_gradients_of_durations_stop_at_the_encoder() -> None:
    model, rows = acoustic(), batch()
    encoded = model.net.encode(rows.tokens, rows.token_mask, rows.speaker)
    encoded.log_durations.sum().backward()
    assert all(p.grad is None for p in model.net.encoder.parameters())
    assert all(p.grad is not None for p in model.net.duration.parameters())


def test_rounded_durations_keep_their_sum_and_are_at_least_one() -> None:
    mask = torch.tensor([[True] * 6, [True, True, True, False, False, False]])
    logs = torch.log(torch.tensor([[1.4] * 6, [0.01, 0.02, 5.5, 9, 9, 9]]))
    durations = round_durations(logs, mask)
    assert durations[0].sum() == 8
    assert durations[1].tolist() == [1, 1, 6, 0, 0, 0]
    slow, fast = (round_durations(logs, mask, speed)[0].sum() for speed in (0.5, 1.4))
    assert (slow, fast) == (17, 6)


def test_a_new_predictor_gives_the_typical_duration_and_none_is_too_long() -> None:
    predictor, mask = DurationPredictor(4, 8, typical=5.0), torch.ones(1, 3, dtype=torch.bool)
    logs, spread = predictor(torch.randn(1, 3, 4), mask)
    assert spread is None
    torch.testing.assert_close(logs.exp(), torch.full((1, 3), 5.0))
    torch.nn.init.constant_(predictor.outward.bias, 50.0)
    assert float(predictor(torch.zeros(1, 3, 4), mask)[0].detach().exp().max()) < 201


SAMPLERS: list[Sampler] = [
    FlowMapSampler(2),
    EulerSampler(3, 1.5),
    EDMSampler(4),
    ConsistencySampler(2),
]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_text_gives_the_same_alone_and_in_a_batch(sampler: Sampler) -> None:
    model = acoustic(
        sampler=sampler if not isinstance(sampler, ConsistencySampler) else ConsistencySampler(1)
    )
    texts = [[1, 20, 30, 2], [1, 21, 2], [1, 25, 40, 41, 42, 2]]
    together = model.synthesize(texts, seeds=[5, 6, 7])
    for text, seed, mel in zip(texts, (5, 6, 7), together, strict=True):
        (alone,) = model.synthesize([text], seeds=[seed])
        torch.testing.assert_close(alone, mel, atol=1e-4, rtol=1e-4)
        assert torch.isfinite(alone).all()
    (other,) = model.synthesize([texts[0]], seeds=[6])
    assert not torch.allclose(other, together[0])


def test_steps_are_decoder_calls_and_speed_divides_durations() -> None:
    model, calls = acoustic(), list[int]()
    model.average.decoder.register_forward_hook(lambda *_: calls.append(1))
    for steps in (None, 1, 4):
        calls.clear()
        model.synthesize([[1, 20, 30, 2]], steps=steps)
        assert len(calls) == (steps or 1)
    torch.nn.init.constant_(model.average.duration.outward.bias, math.log(10.0))
    long, short = (model.synthesize([[1, 20, 30, 2]], speed=s)[0].shape[1] for s in (1.0, 2.0))
    assert short == pytest.approx(long / 2, abs=3)
    with pytest.raises(InputError, match="steps: at least 1"):
        model.synthesize([[1, 2]], steps=0)


def test_one_step_subtracts_the_mean_velocity() -> None:
    model = acoustic()
    (mel,) = model.synthesize([[1, 20, 30, 2]], seeds=[3])
    encoded = model.average.encode(
        torch.tensor([[1, 20, 30, 2]]), torch.ones(1, 4, dtype=torch.bool), torch.zeros(1).long()
    )
    durations = round_durations(encoded.log_durations, torch.ones(1, 4, dtype=torch.bool))
    noise = model.draw_noise([mel.shape[1]], [3])
    owner = torch.repeat_interleave(torch.arange(4), durations[0])[None]
    field = model.average.field(encoded, owner, torch.ones(1, 1, mel.shape[1], dtype=torch.bool))
    torch.testing.assert_close(mel, (noise - field(noise, torch.zeros(1), torch.ones(1)))[0])
    torch.testing.assert_close(mel[None], sample(field, noise))


def test_guidance_is_linear_and_off_at_scale_one() -> None:
    model, rows = acoustic(), batch()
    encoded = model.net.encode(rows.tokens, rows.token_mask, rows.speaker)
    field, t = model.net.field(encoded, rows.frame_to_token, rows.mask), torch.full((3,), 0.5)
    assert guide(field, 1.0, rows.x) is field
    a, b, c = (guide(field, w, rows.x)(rows.x, t, t) for w in (1.0, 2.0, 3.0))
    torch.testing.assert_close(c - b, b - a)
    assert not torch.allclose(a, b)
    assert isinstance(field, Conditioned)


def test_alignment_uses_the_encoder_and_is_a_function_of_its_generator() -> None:
    pytest.importorskip("numba")
    model, rows = acoustic(), utterances()
    one, two = (
        model.align(rows, crop=6, drop=0.5, generator=torch.Generator().manual_seed(2))
        for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert torch.equal(one.durations.sum(1), rows.frames)
    assert ((one.durations > 0) == one.token_mask).all()


def test_a_student_trains_only_its_decoder() -> None:
    model = AcousticModel(
        SPEC,
        SplitMeanFlow(),
        text=TEXT,
        decoder=DECODER,
        recipe=Recipe(teacher="somewhere", from_teacher=True),
    )
    teacher = acoustic()
    model._teacher = [teacher]
    rows = batch()._replace(tokens=batch().tokens)
    rows = AlignedBatch(*(torch.cat([v, v]) for v in rows))
    draw = model.objective.draw(rows.x, torch.Generator().manual_seed(0))
    loss = model.loss(rows, draw)
    assert "prior" not in loss.logs
    loss.per_sample.mean().backward()
    trained = {
        name.partition(".")[0] for name, p in model.net.named_parameters() if p.grad is not None
    }
    assert trained == {"decoder"}


def test_a_student_conditions_its_teacher_by_its_own_copy_of_the_encoder() -> None:
    model, teacher, rows = acoustic(), acoustic(), batch()
    model.recipe, model._teacher = Recipe(teacher="somewhere", from_teacher=True), [teacher]
    model.net.load_state_dict(teacher.average.state_dict())
    for weight in teacher.average.decoder.parameters():
        torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(5))
    long, short = model.teacher_field(rows), model.bind(rows).teacher
    assert long is not None
    assert short is not None
    z, t = torch.randn(rows.x.shape), torch.full((3,), 0.6)
    torch.testing.assert_close(short(z, t, t), long(z, t, t))
    assert not torch.allclose(short(z, t, t), model.bind(rows).field(z, t, t))


def test_the_default_temperature_is_the_model_s_own() -> None:
    model, texts = acoustic(), [[1, 20, 30, 2]]
    warm = model.synthesize(texts)[0]
    model.temperature = 0.5
    torch.testing.assert_close(
        model.synthesize(texts)[0], model.synthesize(texts, temperature=0.5)[0]
    )
    torch.testing.assert_close(model.synthesize(texts, temperature=1.0)[0], warm)
    assert not torch.allclose(model.synthesize(texts)[0], warm)


def test_a_teacher_with_another_spec_is_rejected(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("teacher")
    acoustic().save_pretrained(folder)
    other = replace(SPEC, mel=replace(MEL, hop=64))
    for spec, message in (
        (other, "mel format: teacher .* has hop 128, the data has 64"),
        (replace(SPEC, speakers=("a",)), "has speakers"),
    ):
        recipe = Recipe(teacher=str(folder), from_teacher=True)
        model = AcousticModel(spec, MeanFlow(), text=TEXT, decoder=DECODER, recipe=recipe)
        with pytest.raises(InputError, match=message):
            model.load_teacher()


@pytest.mark.parametrize(
    ("name", "value"), [("crop_s", 0.001), ("drop", 1.0), ("temperature", 0.0)]
)
def test_wrong_settings_are_rejected(name: str, value: float) -> None:
    settings: dict[str, float] = {name: value}
    with pytest.raises(InputError, match=name):
        AcousticModel(SPEC, FlowMatching(), text=TEXT, decoder=DECODER, **settings)


def test_a_saved_model_keeps_its_spec_and_sizes(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("model")
    model = acoustic(spec=TWO, sampler=EulerSampler(4, 2.0))
    model.save_pretrained(folder)
    again = AcousticModel.from_pretrained(folder)
    assert again.spec == TWO
    assert again.sampler == EulerSampler(4, 2.0)
    assert again.text == TextEncoderConfig(16, 1, 2, 16, 8, 4)
    assert again.decoder == DECODER
    assert isinstance(again.spec.mel, Mel)
    texts = [[1, 20, 30, 2]]
    for a, b in zip(model.synthesize(texts), again.synthesize(texts), strict=True):
        torch.testing.assert_close(a, b)
