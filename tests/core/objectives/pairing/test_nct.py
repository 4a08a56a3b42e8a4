"""Noise consistency: the law of the noise given a control, and what the student is told."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from support.exact import seeded
from support.matching.bench import normal_nodes
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.objectives import NoiseConsistency
from oneleap.core.objectives.pairing import nct
from oneleap.core.objectives.pairing.nct import MeanLevel, noised, with_control
from oneleap.core.paths.base import expand
from oneleap.core.types import Conditioned, Draw, TrainingBatch

Patch = pytest.MonkeyPatch


def test_noise_is_standard_normal_at_every_level() -> None:
    e, n = torch.randn(2, 100_000, 1, generator=seeded(), dtype=torch.float64)
    for level in (0.0, 0.3, 0.8, 1.0):
        z = noised(e, n, torch.full((len(e),), level).double())
        assert z.mean().item() == pytest.approx(0.0, abs=0.01)
        assert z.var().item() == pytest.approx(1.0, abs=0.01)
    assert torch.equal(noised(e, n, torch.zeros(len(e)).double()), e)
    torch.testing.assert_close(noised(e, n, torch.ones(len(e)).double()), n)


# The closed form: f(e) = e and c = e + noise of variance 1, so e given c is N(c / 2, 1 / 2). The
# consistency function of the chain carries z at a level along its probability flow to level 0.


def exact(z: Tensor, level: Tensor, c: Tensor) -> Tensor:
    keep = (1 - level.square()).clamp(min=0.0).sqrt()
    variance = keep.square() / 2 + level.square()
    return c / 2 + (0.5 / variance).sqrt() * (z - keep * c / 2)


def slopes(steps: int, shape: Any = noised) -> tuple[Tensor, Tensor]:
    """Gradient of the loss at the exact student, along a shift and a scale, over the step's size.

    Expectations over ``e`` given ``c`` and over ``n`` are sums over nodes.
    """
    nodes, weights = normal_nodes(16)
    e, n = torch.meshgrid(nodes, nodes, indexing="ij")
    weight = torch.outer(weights, weights).flatten()
    c = torch.full_like(weight, 0.8).unsqueeze(1)
    e = c / 2 + 0.5**0.5 * e.flatten().unsqueeze(1)
    n = n.flatten().unsqueeze(1)
    shift, scale = torch.zeros(2, dtype=torch.float64, requires_grad=True)

    def net(z: Tensor, r: Tensor, t: Tensor, c: Tensor) -> Tensor:
        level = expand(1 - r, z)
        sample = exact(z, level, c) + level * (shift + scale * z)
        return z - sample

    def generator(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return torch.zeros_like(z)

    batch = TrainingBatch(field=Conditioned(net, (c,)), x=0 * e, teacher=generator)
    level = torch.full_like(weight, 0.5)
    draw = Draw(e, 1 - level, torch.ones_like(level), 1 - level + 1 / steps, renoise=(n,))
    loss = NoiseConsistency(steps=steps).loss(batch, draw)
    assert loss.logs["boundary"] < 1e-20
    total = (weight * loss.per_sample).sum() * steps
    a, b = torch.autograd.grad(total, (shift, scale))
    return a.abs(), b.abs()


def test_the_exact_student_is_stationary_as_levels_become_many() -> None:
    """At step ``h`` the gradient is ``O(h^2)``: over ``h`` it falls in proportion to ``h``."""
    coarse, fine = slopes(100), slopes(800)
    for a, b in zip(coarse, fine, strict=True):
        assert b < 0.002
        assert b < 0.15 * a + 1e-9


def test_a_chain_that_does_not_keep_the_variance_is_a_mutant(monkeypatch: Patch) -> None:
    monkeypatch.setattr(
        nct, "noised", lambda e, n, level: (1 - expand(level, e)) * e + expand(level, e) * n
    )
    assert max(slopes(800)) > 0.05


def test_a_target_without_its_own_level_is_a_mutant(monkeypatch: Patch) -> None:
    clean = nct.noised
    monkeypatch.setattr(nct, "noised", lambda e, n, level: clean(e, n, 0.9 * level))
    assert max(slopes(800)) > 0.02


def test_the_frozen_generator_is_the_boundary() -> None:
    def generator(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return z - (0.7 + 0.5 * z)  # one step gives 0.7 + 0.5 e

    x = torch.randn(8, 3, generator=seeded(), dtype=torch.float64)
    objective = NoiseConsistency(boundary=2.0)
    draw = objective.draw(x, seeded(1))
    assert bool(((draw.r >= -1e-9) & (draw.r < 1)).all())
    assert draw.s is not None
    torch.testing.assert_close(draw.s - draw.r, torch.full((8,), 1 / 20).double())
    same = TrainingBatch(field=generator, x=x, teacher=generator)
    assert objective.loss(same, draw).logs["boundary"] < 1e-20
    off = replace(same, field=lambda z, r, t: generator(z, r, t) + 1)
    assert objective.loss(off, draw).logs["boundary"].item() == pytest.approx(1.0)


def test_the_control_is_measured_on_the_frozen_generators_samples() -> None:
    seen: list[Tensor] = []

    def net(z: Tensor, r: Tensor, t: Tensor, c: Tensor) -> Tensor:
        seen.append(c)
        return 0 * z

    x = torch.zeros(4, 3).double()
    c = torch.arange(8).double().view(4, 2)
    batch = TrainingBatch(field=Conditioned(net, (c,)), x=x, teacher=lambda z, r, t: 0 * z)
    objective = NoiseConsistency(control=MeanLevel())
    draw = objective.draw(x, seeded())
    objective.loss(batch, draw)
    for found in seen:
        torch.testing.assert_close(found[:, 0], c[:, 0])
        torch.testing.assert_close(found[:, 1], draw.e.mean(1))
    with pytest.raises(InputError, match="no condition vector"):
        with_control(lambda z, r, t: z, torch.zeros(4, 1))


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="steps of NoiseConsistency"):
        NoiseConsistency(steps=0)
    with pytest.raises(InputError, match="boundary must not be negative"):
        NoiseConsistency(boundary=-1.0)
