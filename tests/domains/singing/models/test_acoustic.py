"""Acoustic model: segments, padding, losses, shallow starts, students, saving."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.exact import seeded
from support.tiny_singing import DECODER, MEL, SMALL, SPEC, acoustic, curves, songs

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import AbsoluteError
from oneleap.core.objectives import FlowMatching, NoisePrediction, SplitMeanFlow
from oneleap.core.sampling.ode import sample
from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    DDPMSampler,
    EulerSampler,
    FlowMapSampler,
    PLMSSampler,
    Sampler,
    with_steps,
)
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import Step
from oneleap.domains.singing.models.acoustic import AcousticModel
from oneleap.domains.singing.models.curves import CurveModel
from oneleap.domains.singing.models.nets import (
    AuxDecoderConfig,
    ConvNeXtConfig,
    DecoderConfig,
    WaveNetConfig,
)
from oneleap.domains.singing.models.sampling import (
    CoarseMelSampler,
    diffsinger_schedule,
    limit_depth,
    needs_coarse_mel,
)


def test_segments_match_their_phonemes_and_pitch() -> None:
    model, batch = acoustic(), songs()
    whole, crop = model.frame_batch(batch), model.frame_batch(batch, crop=20, generator=seeded(0))
    again = model.frame_batch(batch, crop=20, generator=seeded(0))
    assert all(torch.equal(a, b) for a, b in zip(crop, again, strict=True))
    for i in range(3):
        n = int(batch.num_frames[i])
        starts = [k for k in range(n - 19) if torch.equal(whole.x[i, :, k : k + 20], crop.x[i])]
        assert len(starts) == 1
        part = slice(starts[0], starts[0] + 20)
        assert torch.equal(whole.frame_to_token[i, part], crop.frame_to_token[i])
        assert torch.equal(whole.position[i, part], crop.position[i])
        assert torch.equal(whole.f0[i, part], crop.f0[i])
    assert whole.mask.sum(2).flatten().tolist() == batch.num_frames.tolist()


@pytest.mark.parametrize("depth", [1.0, 0.6])
def test_padding_has_no_influence(depth: float) -> None:
    model, batch = acoustic(depth=depth), songs()
    whole = model.frame_batch(batch)
    draw = model.objective.draw(whole.x, seeded(1))
    wanted = model.loss(whole, draw).per_sample
    spoiled = whole._replace(
        x=torch.where(whole.mask, whole.x, 9.0), f0=torch.where(whole.mask[:, 0], whole.f0, 5.0)
    )
    torch.testing.assert_close(model.loss(spoiled, draw).per_sample, wanted)


def test_a_tenth_of_the_aux_gradient_reaches_the_encoder() -> None:
    model, batch = acoustic(), acoustic().frame_batch(songs())
    grads = []
    for share in (1.0, 0.1):
        model.zero_grad()
        cond = model.net.encode(batch)
        model.net.coarse_mel(cond, batch.mask, share).sum().backward()
        assert model.net.phoneme.weight.grad is not None
        grads.append(model.net.phoneme.weight.grad.clone())
    torch.testing.assert_close(grads[1], 0.1 * grads[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("decoder", [WaveNetConfig(8, 2), ConvNeXtConfig(8, 1, 1), DECODER])
def test_diffsinger_overfits_a_few_frames(decoder: DecoderConfig) -> None:
    objective = NoisePrediction(diffsinger_schedule(), AbsoluteError())
    model = AcousticModel(
        SPEC, objective, encoder=SMALL, aux=AuxDecoderConfig(8, 8, 1), decoder=decoder
    )
    batch = model.frame_batch(songs(), crop=10, generator=seeded(0))
    optimizer, losses = torch.optim.Adam(model.net.parameters(), 5e-3), []
    for step in range(30):
        loss = model.loss(batch, objective.draw(batch.x, seeded(step % 3))).per_sample.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-3:]) < 0.95 * sum(losses[:3])


def test_one_step_from_noise_and_from_the_coarse_mel() -> None:
    model, e = acoustic(), torch.randn(3, 10, 75, generator=seeded(4))
    batch = model.frame_batch(songs())
    net = model.average
    field = net.field(net.encode(batch), batch.mask, net.melody(batch))
    made, _ = model.generate(batch, e, FlowMapSampler(1))
    torch.testing.assert_close(made, sample(field, e))
    shallow, coarse_mel = model.generate(batch, e, FlowMapSampler(1, 0.6))
    z = 0.4 * coarse_mel + 0.6 * e
    zero, t0 = torch.zeros(3), torch.full((3,), 0.6)
    torch.testing.assert_close(shallow, z - 0.6 * field(z, zero, t0))


def test_samplers_start_no_later_than_the_trained_depth() -> None:
    assert limit_depth(FlowMapSampler(1, 1.0), 0.6) == FlowMapSampler(1, 0.6)
    assert limit_depth(EulerSampler(5, depth=0.3), 0.6) == EulerSampler(5, depth=0.3)
    assert limit_depth(PLMSSampler(), 0.6) == PLMSSampler()
    shallow = (FlowMapSampler(1, 0.5), CoarseMelSampler(), PLMSSampler(start_step=5))
    assert all(needs_coarse_mel(sampler) for sampler in shallow)
    assert not any(needs_coarse_mel(sampler) for sampler in (FlowMapSampler(), PLMSSampler()))
    assert with_steps(EulerSampler(20), 3) == EulerSampler(3)
    with pytest.raises(InputError, match="steps: at least 1"):
        with_steps(EulerSampler(20), 0)


@pytest.mark.parametrize(
    "sampler",
    [
        FlowMapSampler(2),
        EulerSampler(3),
        ConsistencySampler(1),  # further steps draw noise for the whole batch
        DDPMSampler(diffsinger_schedule(), steps=1, clip=None),
        PLMSSampler(diffsinger_schedule(), steps=3),
    ],
)
def test_a_phrase_is_the_same_alone_and_in_a_batch(sampler: Sampler) -> None:
    model, batch = acoustic(), songs()
    together = model.frame_batch(batch)
    e = torch.randn(together.x.shape, generator=seeded(0))
    made, _ = model.generate(together, e, sampler)
    n = int(batch.num_frames[0])
    one = type(together)(*(x[:1] for x in together))
    one = one._replace(
        frame_to_token=one.frame_to_token[:, :n],
        position=one.position[:, :n],
        f0=one.f0[:, :n],
        curves=one.curves[:, :n],
        x=one.x[..., :n],
        mask=one.mask[..., :n],
    )
    alone, _ = model.generate(one, e[:1, :, :n], sampler)
    torch.testing.assert_close(made[:1, :, :n], alone, atol=1e-4, rtol=1e-4)


def test_a_student_trains_only_its_decoder() -> None:
    teacher = acoustic()
    model = AcousticModel(
        SPEC,
        SplitMeanFlow(),
        encoder=SMALL,
        aux=AuxDecoderConfig(8, 8, 1),
        decoder=DECODER,
        depth=0.6,
        recipe=Recipe(teacher="somewhere", from_teacher=True),
    )
    model._teacher = [teacher]
    batch = model.frame_batch(songs(), crop=16)
    batch = type(batch)(*(torch.cat([v, v]) for v in batch))
    draw = model.objective.draw(batch.x, seeded(0))
    loss = model.loss(batch, draw)
    assert "aux_l1" not in loss.logs
    loss.per_sample.mean().backward()
    trained = {n.partition(".")[0] for n, p in model.net.named_parameters() if p.grad is not None}
    assert trained == {"decoder"}
    field = model.teacher_field(batch)
    assert field is not None
    t = torch.full((6,), 0.5)
    net = teacher.average
    own = net.field(net.encode(batch), batch.mask, net.melody(batch))
    torch.testing.assert_close(field(batch.x, t, t), 0.6 * own(batch.x, 0.6 * t, 0.6 * t))


def test_unsuitable_teachers_are_rejected(tmp_path: Path) -> None:
    acoustic(depth=0.5).save_pretrained(tmp_path / "shallow")
    curves().save_pretrained(tmp_path / "curves")
    for folder, message in (("shallow", "set depth to 0.5"), ("curves", "holds a CurveModel")):
        model = AcousticModel(
            SPEC,
            SplitMeanFlow(),
            decoder=DECODER,
            recipe=Recipe(teacher=str(tmp_path / folder)),
            depth=0.6,
        )
        with pytest.raises(InputError, match=message):
            model.load_teacher()
    other = replace(SPEC, mel=replace(MEL, hop=64))
    acoustic().save_pretrained(tmp_path / "teacher")
    student = AcousticModel(
        other, SplitMeanFlow(), decoder=DECODER, recipe=Recipe(teacher=str(tmp_path / "teacher"))
    )
    with pytest.raises(InputError, match="mel format"):
        student.load_teacher()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"depth": 0.0}, "depth"), ({"crop_s": 1e-4}, "crop_s"), ({"curves": ("x",)}, "no 'x'")],
)
def test_invalid_settings_are_rejected(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AcousticModel(SPEC, FlowMatching(), **settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="names"):
        CurveModel(SPEC, FlowMatching(), names=("x",))
    with pytest.raises(InputError, match=r"temperature: -0\.5 is negative"):
        CurveModel(SPEC, FlowMatching(), temperature=-0.5)


def test_saving_keeps_all_settings(tmp_path: Path) -> None:
    sampler = DDPMSampler(diffsinger_schedule(), 50, None, start_step=7)
    model = acoustic(SplitMeanFlow(), sampler, depth=0.7)
    model.save_pretrained(tmp_path / "a")
    again = AcousticModel.from_pretrained(tmp_path / "a")
    assert (again.spec, again.sampler, again.depth) == (SPEC, sampler, 0.7)
    assert (again.decoder, again.encoder, again.aux) == (DECODER, SMALL, AuxDecoderConfig(8, 8, 1))
    pitch = curves()
    pitch.save_pretrained(tmp_path / "p")
    loaded = CurveModel.from_pretrained(tmp_path / "p")
    assert (loaded.names, loaded.bins) == (("pitch",), 2)


def test_the_coarse_mel_alone_is_fft_singer() -> None:
    model, noise = acoustic(), torch.zeros(3, 10, 75)
    samples, coarse_mel = model.generate(model.frame_batch(songs()), noise, CoarseMelSampler())
    assert samples is coarse_mel
    assert samples.abs().max() > 0


def test_dropped_rows_know_the_melody_and_not_the_phonemes() -> None:
    model = acoustic()
    batch, net = model.frame_batch(songs()), model.average
    field = net.field(net.encode(batch), batch.mask, net.melody(batch))
    other = batch._replace(tokens=torch.where(batch.tokens > 0, 1, 0))
    same = net.field(net.encode(other), batch.mask, net.melody(other))
    z, r, t = batch.x, torch.zeros(3), torch.full((3,), 0.5)
    every = torch.ones(3, dtype=torch.bool)
    assert not torch.allclose(field(z, r, t), same(z, r, t))
    torch.testing.assert_close(field.drop(every)(z, r, t), same.drop(every)(z, r, t))
    higher = batch._replace(f0=2 * batch.f0)
    moved = net.field(net.encode(higher), batch.mask, net.melody(higher)).drop(every)
    assert not torch.allclose(field.drop(every)(z, r, t), moved(z, r, t))


def test_a_share_of_the_rows_is_dropped_in_training_alone() -> None:
    model = acoustic(drop=0.5)
    rows = torch.cat([model.prepare(songs(), Step(0, k, k, 0.0)).dropped for k in range(60)])
    assert 0.35 < rows.float().mean() < 0.65
    assert not model.frame_batch(songs()).dropped.any()
    assert not acoustic().prepare(songs(), Step(0, 0, 0, 0.0)).dropped.any()
    with pytest.raises(InputError, match="drop: must be from 0 to below 1"):
        acoustic(drop=1.0)


def test_a_temperature_scales_the_noise() -> None:
    cold, warm = acoustic(temperature=0.5), acoustic()
    batch, e = warm.frame_batch(songs()), torch.randn(3, 10, 75, generator=seeded(4))
    torch.testing.assert_close(cold.generate(batch, e)[0], warm.generate(batch, 0.5 * e)[0])
    with pytest.raises(InputError, match=r"temperature: -1\.0 is negative"):
        acoustic(temperature=-1.0)
