"""Acoustic, duration and curve models: what they learn, what a student keeps, what masks hide."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.exact import seeded
from support.tiny_singing import (
    DECODER,
    MEL,
    SMALL,
    SPEC,
    acoustic,
    curves,
    durations,
    songs,
)

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import AbsoluteError
from oneleap.core.objectives import FlowMatching, NoisePrediction, SplitMeanFlow
from oneleap.core.sampling.ode import sample
from oneleap.core.sampling.samplers import with_steps
from oneleap.domains.singing.models.acoustic import AcousticModel, needs_rough
from oneleap.domains.singing.models.curves import CurveModel, hertz, semitones
from oneleap.domains.singing.models.nets import Aux, ConvNeXt, Decoder, Wave
from oneleap.domains.singing.models.samplers import (
    ConsistencySampler,
    DDPMSampler,
    EulerSampler,
    FlowMapSampler,
    PLMSSampler,
    CoarseMelSampler,
    diffsinger,
)


def doubled() -> object:
    from oneleap.domains.singing.spec import SingingBatch

    return SingingBatch(*(torch.cat([v, v]) for v in songs()))


def test_crops_are_pieces_and_know_their_phonemes() -> None:
    model, batch = acoustic(), songs()
    whole, crop = model.framed(batch), model.framed(batch, crop=20, generator=seeded(0))
    again = model.framed(batch, crop=20, generator=seeded(0))
    assert all(torch.equal(a, b) for a, b in zip(crop, again, strict=True))
    for i in range(3):
        n = int(batch.frames[i])
        starts = [k for k in range(n - 19) if torch.equal(whole.x[i, :, k : k + 20], crop.x[i])]
        assert len(starts) == 1
        part = slice(starts[0], starts[0] + 20)
        assert torch.equal(whole.owner[i, part], crop.owner[i])
        assert torch.equal(whole.place[i, part], crop.place[i])
        assert torch.equal(whole.f0[i, part], crop.f0[i])
    assert whole.mask.sum(2).flatten().tolist() == batch.frames.tolist()


@pytest.mark.parametrize("depth", [1.0, 0.6])
def test_padding_changes_nothing(depth: float) -> None:
    model, batch = acoustic(depth=depth), songs()
    whole = model.framed(batch)
    draw = model.objective.draw(whole.x, seeded(1))
    wanted = model.loss(whole, draw).per_sample
    spoiled = whole._replace(
        x=torch.where(whole.mask, whole.x, 9.0), f0=torch.where(whole.mask[:, 0], whole.f0, 5.0)
    )
    torch.testing.assert_close(model.loss(spoiled, draw).per_sample, wanted)


def test_the_aux_loss_reaches_the_encoder_by_a_tenth() -> None:
    model, batch = acoustic(), acoustic().framed(songs())
    grads = []
    for share in (1.0, 0.1):
        model.zero_grad()
        cond = model.net.encode(batch)
        model.net.rough(cond, batch.mask, share).sum().backward()
        assert model.net.phoneme.weight.grad is not None
        grads.append(model.net.phoneme.weight.grad.clone())
    torch.testing.assert_close(grads[1], 0.1 * grads[0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("decoder", [Wave(8, 2), ConvNeXt(8, 1, 1), DECODER])
def test_diffsinger_learns_a_few_frames(decoder: Decoder) -> None:
    objective = NoisePrediction(diffsinger(), AbsoluteError())
    model = AcousticModel(SPEC, objective, encoder=SMALL, aux=Aux(8, 8, 1), decoder=decoder)
    batch = model.framed(songs(), crop=10, generator=seeded(0))
    optimizer, losses = torch.optim.Adam(model.net.parameters(), 5e-3), []
    for step in range(30):
        loss = model.loss(batch, objective.draw(batch.x, seeded(step % 3))).per_sample.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-3:]) < 0.95 * sum(losses[:3])


def test_one_step_is_the_convention_deep_and_shallow() -> None:
    model, e = acoustic(), torch.randn(3, 10, 75, generator=seeded(4))
    batch = model.framed(songs())
    field = model.average.field(model.average.encode(batch), batch.mask)
    made, _ = model.generate(batch, e, FlowMapSampler(1))
    torch.testing.assert_close(made, sample(field, e))
    shallow, rough = model.generate(batch, e, FlowMapSampler(1, 0.6))
    z = 0.4 * rough + 0.6 * e
    zero, t0 = torch.zeros(3), torch.full((3,), 0.6)
    torch.testing.assert_close(shallow, z - 0.6 * field(z, zero, t0))


def test_a_start_is_no_deeper_than_was_trained() -> None:
    model = acoustic(depth=0.6)
    assert model.within(FlowMapSampler(1, 1.0)) == FlowMapSampler(1, 0.6)
    assert model.within(EulerSampler(5, 0.3)) == EulerSampler(5, 0.3)
    assert [
        needs_rough(s)
        for s in (
            FlowMapSampler(),
            FlowMapSampler(1, 0.5),
            CoarseMelSampler(),
            PLMSSampler(),
            PLMSSampler(boundary=5),
        )
    ] == [
        False,
        True,
        True,
        False,
        True,
    ]
    assert with_steps(EulerSampler(20), 3) == EulerSampler(3)
    with pytest.raises(InputError, match="steps: at least 1"):
        with_steps(EulerSampler(20), 0)


@pytest.mark.parametrize(
    "sampler",
    [FlowMapSampler(2), EulerSampler(3), ConsistencySampler(2), DDPMSampler(4), PLMSSampler(3)],
)
def test_a_phrase_is_the_same_alone_and_in_company(
    sampler: FlowMapSampler | EulerSampler | ConsistencySampler | DDPMSampler | PLMSSampler,
) -> None:
    if isinstance(sampler, DDPMSampler):
        sampler = replace(sampler, steps=1)  # of several, noise is drawn for the batch as a whole
    if isinstance(sampler, ConsistencySampler):
        sampler = replace(sampler, steps=1)
    model, batch = acoustic(), songs()
    together = model.framed(batch)
    e = torch.randn(together.x.shape, generator=seeded(0))
    made, _ = model.generate(together, e, sampler)
    n = int(batch.frames[0])
    one = type(together)(*(x[:1] for x in together))
    one = one._replace(
        owner=one.owner[:, :n],
        place=one.place[:, :n],
        f0=one.f0[:, :n],
        curves=one.curves[:, :n],
        x=one.x[..., :n],
        mask=one.mask[..., :n],
    )
    alone, _ = model.generate(one, e[:1, :, :n], sampler)
    torch.testing.assert_close(made[:1, :, :n], alone, atol=1e-4, rtol=1e-4)


def test_a_student_trains_its_decoder_alone_from_its_teachers_field() -> None:
    teacher = acoustic()
    model = AcousticModel(
        SPEC,
        SplitMeanFlow(),
        encoder=SMALL,
        aux=Aux(8, 8, 1),
        decoder=DECODER,
        depth=0.6,
        teacher="somewhere",
        from_teacher=True,
    )
    model._teacher = [teacher]
    batch = model.framed(songs(), crop=16)
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
    own = teacher.average.field(teacher.average.encode(batch), batch.mask)
    torch.testing.assert_close(field(batch.x, t, t), 0.6 * own(batch.x, 0.6 * t, 0.6 * t))


def test_teachers_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    acoustic(depth=0.5).save_pretrained(tmp_path / "shallow")
    curves().save_pretrained(tmp_path / "curves")
    for folder, message in (("shallow", "set depth to 0.5"), ("curves", "holds a Curves")):
        model = AcousticModel(
            SPEC, SplitMeanFlow(), decoder=DECODER, teacher=str(tmp_path / folder), depth=0.6
        )
        with pytest.raises(InputError, match=message):
            model.load_teacher()
    other = replace(SPEC, mel=replace(MEL, hop=64))
    acoustic().save_pretrained(tmp_path / "teacher")
    student = AcousticModel(other, SplitMeanFlow(), decoder=DECODER, teacher=str(tmp_path / "teacher"))
    with pytest.raises(InputError, match="mel format"):
        student.load_teacher()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"depth": 0.0}, "depth"), ({"crop_s": 1e-4}, "crop_s"), ({"curves": ("x",)}, "no 'x'")],
)
def test_bad_settings_are_told(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        AcousticModel(SPEC, FlowMatching(), **settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="names"):
        CurveModel(SPEC, FlowMatching(), names=("x",))
    with pytest.raises(InputError, match=r"temperature: -0\.5 is negative"):
        CurveModel(SPEC, FlowMatching(), temperature=-0.5)


def test_the_temperature_of_curves_is_of_their_noise() -> None:
    model = curves()
    sheet = model.sheet(songs())
    noise = torch.randn(sheet.x.shape, generator=torch.Generator().manual_seed(0))
    cool = model.generate(sheet, 0.5 * noise)
    model.temperature = 0.25
    torch.testing.assert_close(model.generate(sheet, noise), cool)
    assert not torch.allclose(model.generate(sheet, 2 * noise), cool)


def test_curves_are_distances_from_the_score_and_back() -> None:
    model, batch = curves(), songs()
    sheet = model.sheet(batch)
    assert sheet.x.shape == (3, 2, 75)
    off = model.averaged(sheet.x)[:, 0]
    found = hertz(batch.base + off)
    real = sheet.mask[:, 0]
    torch.testing.assert_close(found[real], batch.f0[real])
    assert semitones(torch.tensor([440.0, 880.0])).tolist() == [69, 81]
    both = curves(("energy", "breathiness"))
    loud = both.averaged(both.sheet(batch).x)
    torch.testing.assert_close(loud[:, 0], batch.energy, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(loud[:, 1], batch.breathiness, rtol=1e-4, atol=1e-3)


def test_curve_models_do_not_heed_padding() -> None:
    model, batch = curves(), songs()
    sheet = model.sheet(batch)
    n = int(batch.frames[0])
    one = type(sheet)(*(x[:1] for x in sheet))
    one = one._replace(base=one.base[:, :n], x=one.x[..., :n], mask=one.mask[..., :n])
    e = torch.randn(sheet.x.shape, generator=seeded(0))
    together = model.generate(sheet, e)
    alone = model.generate(one, e[:1, :, :n])
    torch.testing.assert_close(together[:1, :, :n], alone, atol=1e-4, rtol=1e-4)


def test_durations_learn_and_are_positive() -> None:
    from oneleap.domains.singing.models.durations import DurationModel, duration_losses

    model, batch = DurationModel(SPEC, encoder=SMALL, depth=1), songs()
    mask, losses = batch.tokens > 0, []
    optimizer = torch.optim.Adam(model.net.parameters(), 1e-2)
    for _ in range(40):
        made = model.predict(batch, model.net)
        assert (made[mask] > 0).all()
        loss = torch.stack(duration_losses(made, batch.durations, batch.word, mask)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    assert (durations().predict(batch)[~mask] == 0).all()


def test_all_that_makes_a_model_is_kept(tmp_path: Path) -> None:
    model = acoustic(SplitMeanFlow(), DDPMSampler(50, boundary=7), depth=0.7)
    model.save_pretrained(tmp_path / "a")
    again = AcousticModel.from_pretrained(tmp_path / "a")
    assert (again.spec, again.sampler, again.depth) == (SPEC, DDPMSampler(50, boundary=7), 0.7)
    assert (again.decoder, again.encoder, again.aux) == (DECODER, SMALL, Aux(8, 8, 1))
    pitch = curves()
    pitch.save_pretrained(tmp_path / "p")
    loaded = CurveModel.from_pretrained(tmp_path / "p")
    assert (loaded.names, loaded.bins) == (("pitch",), 2)
