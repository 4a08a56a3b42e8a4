"""A music model: the network predicts the data, guidance is an input, a teacher is a start."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny_music import BACKBONE, MEL, SPEC, batch, model, untagged
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import TargetGuidance
from oneleap.core.objectives import (
    ConsistencyDistillation,
    ConsistencyTrajectory,
    Denoising,
    FlowMatching,
    MeanFlow,
    SplitMeanFlow,
)
from oneleap.core.paths.base import expand
from oneleap.core.sampling.ode import euler
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Conditioned, Objective, TrainingBatch
from oneleap.domains.music.models.model import MusicModel, samples_guidance_scale
from oneleap.domains.music.models.nets import DiTConfig, MusicNet, UNetConfig
from oneleap.domains.music.spec import Spec

NETS = [
    DiTConfig(16, 1, 2, patch=4),
    DiTConfig(16, 2, 2, patch=1),
    UNetConfig((8, 16), 16, patch=2),
]
SCALED: list[Objective] = [
    ConsistencyDistillation(nodes=8, guidance=(1.0, 4.0)),
    ConsistencyTrajectory(nodes=8, guidance=(1.0, 4.0)),
]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("backbone", NETS, ids=str)
@pytest.mark.parametrize("frames", [16, 17, 3])
def test_a_clip_of_any_length(backbone: Any, frames: int) -> None:
    net = MusicNet(backbone, 10, tags=2)
    z, t = torch.randn(3, 10, frames, generator=draws()), torch.rand(3, generator=draws())
    u = net(z, t, t, torch.ones(3, 2))
    assert u.shape == z.shape
    assert u.isfinite().all()


def test_the_backbone_predicts_the_data_from_input_of_unit_variance() -> None:
    made = model().double().net
    z, t = torch.randn(4, 10, 16, dtype=torch.float64), torch.tensor([0.1, 0.4, 0.8, 1.0]).double()
    tags = torch.zeros(4, 2, dtype=torch.float64)
    predicted = z - expand(t, z) * made(z, t / 2, t, tags)
    p = BACKBONE.patch
    tokens = (
        (z / expand((t**2 + (1 - t) ** 2).sqrt(), z))
        .reshape(4, 10, 4, p)
        .permute(0, 3, 1, 2)
        .reshape(4, 10 * p, 4)
    )
    wanted = made.inner(tokens, t / 2, t, tags).reshape(4, p, 10, 4).permute(0, 2, 3, 1)
    assert torch.allclose(predicted, wanted.reshape(4, 10, 16), atol=1e-9)


def test_one_step_is_the_backbone_itself_and_the_velocity_at_data_is_finite() -> None:
    made = MusicNet(DiTConfig(16, 1, 2), 10)  # fresh: F is 0
    e = torch.randn(2, 10, 16, generator=draws())
    one, zero = torch.ones(2), torch.zeros(2)
    assert torch.equal(e - made(e, zero, one), torch.zeros_like(e))
    assert torch.allclose(made(e, zero, zero), 20 * e)


def test_a_backbone_narrower_than_its_tokens_leaves_no_noise_in_the_result() -> None:
    """The data have one direction out of forty; the backbone can represent that direction only."""
    made = MusicNet(DiTConfig(16, 1, 2, patch=4), 10).double()
    direction = torch.randn(40, generator=draws(1), dtype=torch.float64)
    direction /= direction.norm()

    class Narrow(torch.nn.Module):
        def forward(self, tokens: Tensor, r: Tensor, t: Tensor) -> Tensor:
            seen = torch.einsum("c,bcn->bn", direction, tokens)
            s = t[:, None]  # the posterior mean of data of unit variance
            share = (1 - s) / (s.square() + (1 - s).square()).sqrt()
            return torch.einsum("c,bn->bcn", direction, share * seen)

    made.inner = Narrow()  # type: ignore[assignment]
    e = torch.randn(3, 10, 16, generator=draws(), dtype=torch.float64)
    found = euler(made, e, steps=40)
    tokens = found.reshape(3, 10, 4, 4).permute(0, 3, 1, 2).reshape(3, 40, 4)
    along = torch.einsum("c,bcn->bn", direction, tokens)
    rest = tokens - torch.einsum("c,bn->bcn", direction, along)
    assert rest.square().mean() < 1e-3
    assert along.square().mean() > 0.3


def test_the_data_are_normalized_band_by_band() -> None:
    made, rows = model(), batch()
    x = made.data(rows)
    assert torch.allclose(made.denormalize(x), rows.mel, atol=1e-6)
    assert torch.allclose(x[:, 3], (rows.mel[:, 3] - SPEC.mean[3]) / SPEC.std[3])


@pytest.mark.parametrize("objective", SCALED, ids=lambda o: type(o).__name__)
def test_the_guidance_scale_is_an_input_if_the_objective_draws_it(objective: Objective) -> None:
    made = model(objective)
    assert made.guided
    rows = batch(8)
    made._teacher = [model(FlowMatching(), seed=9)]
    many = objective.draw(torch.zeros(99, 2), draws()).w
    assert many is not None
    assert 1 <= many.min() < 1.2 < 3.8 < many.max() <= 4
    draw = objective.draw(made.data(rows), draws())
    assert draw.w is not None
    losses = [
        objective.loss(made.bind(rows), replace(draw, w=w)).per_sample
        for w in (draw.w, draw.w, 5 - draw.w)
    ]
    assert torch.equal(losses[0], losses[1])
    assert (losses[0] - losses[2]).abs().min() > 0


@pytest.mark.parametrize("objective", [*SCALED, SplitMeanFlow(guidance=2.0)], ids=str)
def test_music_without_tags_trains_a_guided_student_too(objective: Objective) -> None:
    made = model(objective, untagged())
    made._teacher = [model(FlowMatching(), untagged(), seed=9)]
    rows = batch(4)._replace(tags=torch.zeros(4, 0))
    loss = made.loss(rows, objective.draw(made.data(rows), draws()))
    assert loss.per_sample.isfinite().all()


def test_consistency_distillation_follows_the_guided_teacher() -> None:
    """A student that follows the guided teacher's trajectory only has the error of the solver."""
    objective = ConsistencyDistillation(nodes=8, guidance=(2.0, 2.0), heun=False)
    x = torch.randn(6, 4, generator=draws(), dtype=torch.float64)
    ones = torch.ones(6, 1, dtype=torch.float64)

    def drift(z: torch.Tensor, r: torch.Tensor, t: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return c.expand_as(z)  # the teacher's velocity is its condition: 1, or 0 if dropped

    def at_scale(
        z: torch.Tensor,
        r: torch.Tensor,
        t: torch.Tensor,
        c: torch.Tensor,
        guidance: torch.Tensor,
    ) -> torch.Tensor:
        return guidance[:, None].expand_as(z)  # guided: null + w (cond - null) = w

    teacher = Conditioned(drift, (ones,), (torch.zeros_like(ones),))
    student = Conditioned(at_scale, (ones,), (torch.zeros_like(ones),))
    bound = TrainingBatch(field=student, x=x, teacher=teacher)
    draw = objective.draw(x, draws())
    assert objective.loss(bound, draw).per_sample.max() < 1e-20
    wrong = replace(draw, w=torch.full_like(draw.t, 3.0))
    wrong_student = TrainingBatch(field=ignoring_the_scale(student), x=x, teacher=teacher)
    assert objective.loss(wrong_student, wrong).per_sample.max() > 1e-4


def ignoring_the_scale(student: Conditioned) -> Conditioned:
    """A student that uses the scale 2 at any scale."""

    def net(*args: torch.Tensor, guidance: torch.Tensor) -> torch.Tensor:
        u: torch.Tensor = student.net(*args, guidance=torch.full_like(guidance, 2.0))
        return u

    return Conditioned(net, student.cond, student.null)


def test_which_objectives_draw_guidance_scales() -> None:
    assert all(samples_guidance_scale(o) for o in SCALED)
    assert samples_guidance_scale(MeanFlow(guidance=TargetGuidance(scales=(1.0, 4.0))))
    for objective in (FlowMatching(), SplitMeanFlow(guidance=2.0), ConsistencyTrajectory()):
        assert not samples_guidance_scale(objective)
    assert not samples_guidance_scale(MeanFlow(guidance=TargetGuidance()))
    assert not samples_guidance_scale(Denoising())


@pytest.mark.parametrize("objective", [*SCALED, SplitMeanFlow()], ids=lambda o: type(o).__name__)
def test_a_student_starts_as_its_teacher_at_every_interval_and_scale(
    objective: Objective, tmp_path: Path
) -> None:
    teacher = model()
    teacher.save_pretrained(tmp_path / "teacher")
    student = MusicModel(
        SPEC,
        objective,
        backbone=BACKBONE,
        recipe=Recipe(teacher=str(tmp_path / "teacher"), from_teacher=True, seed=8),
    )
    student.load_teacher()
    student.start_from_teacher()
    z, t = torch.randn(3, 10, 16, generator=draws()), torch.tensor([0.2, 0.6, 1.0])
    tags = torch.ones(3, 2)
    scale = torch.tensor([1.0, 2.0, 4.0]) if student.guided else None
    u = student.net(z, t / 2, t, tags, guidance=scale)
    assert torch.allclose(u, teacher.average(z, t, t, tags), atol=1e-5)
    assert torch.equal(u, student.average(z, t / 2, t, tags, guidance=scale))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (replace(SPEC, tags=("calm", "slow")), r"has tags \('calm', 'fast'\), the data"),
        (replace(SPEC, std=(2.0,)), "has std"),
        (replace(SPEC, mel=replace(MEL, floor=1e-2)), "mel format: teacher .* has floor"),
    ],
)
def test_a_teacher_of_other_data_is_refused(spec: Spec, words: str, tmp_path: Path) -> None:
    model().save_pretrained(tmp_path / "teacher")
    recipe = Recipe(teacher=str(tmp_path / "teacher"))
    student = MusicModel(spec, SplitMeanFlow(), backbone=BACKBONE, recipe=recipe)
    with pytest.raises(InputError, match=words):
        student.load_teacher()


def test_a_teacher_of_another_size_is_refused(tmp_path: Path) -> None:
    model(backbone=DiTConfig(32, 1, 2)).save_pretrained(tmp_path / "teacher")
    student = MusicModel(
        SPEC,
        FlowMatching(),
        backbone=BACKBONE,
        recipe=Recipe(teacher=str(tmp_path / "teacher"), from_teacher=True),
    )
    student.load_teacher()
    with pytest.raises(InputError, match="has another network"):
        student.start_from_teacher()


def test_invalid_statistics_are_refused() -> None:
    with pytest.raises(InputError, match="mean: expected 1 or 10 numbers"):
        Spec(MEL, mean=(0.0, 1.0))
    with pytest.raises(InputError, match="a band that never changes"):
        Spec(MEL, std=(0.0,))
    with pytest.raises(InputError, match="drop: expected a probability"):
        MusicModel(SPEC, FlowMatching(), drop=1.0)
