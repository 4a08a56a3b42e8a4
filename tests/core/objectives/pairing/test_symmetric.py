"""Two modalities, opposite ways: closed forms of a Gaussian pair, and what the flow cannot keep."""

from dataclasses import dataclass, replace

import pytest
import torch
from support.exact import seeded
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields import reversible as file
from oneleap.core.fields.reversible import ReversibleNet, reversible
from oneleap.core.losses.parts import PartsError
from oneleap.core.objectives import FlowMatching, MeanFlow, SplitMeanFlow, Symmetric
from oneleap.core.paths.base import expand
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.sampling.samplers import HeunSampler
from oneleap.core.sampling.symmetric import make, read
from oneleap.core.types import Conditioned, Draw, Objective, TrainingBatch

SX, SC = 0.5, 1.5
PAIRS = TimePairs(Uniform(), p_equal=0.5)


@dataclass(frozen=True)
class Pair:
    """Velocity of the joint flow of ``x ~ N(0, SX^2)`` and ``c ~ N(0, SC^2)``, correlated.

    The ends ``A = (x, e_c)`` at 0 and ``B = (e, c)`` at 1 have the covariance ``C = Cov(A, B)``.
    """

    rho: float

    def matrix(self, t: float) -> Tensor:
        """``v = matrix(t) z``: the regression of ``B - A`` on ``z_t``."""
        a = torch.diag(torch.tensor([SX**2, 1.0], dtype=torch.float64))
        b = torch.diag(torch.tensor([1.0, SC**2], dtype=torch.float64))
        cross = torch.zeros(2, 2, dtype=torch.float64)
        cross[0, 1] = self.rho * SX * SC
        at = (1 - t) ** 2 * a + t**2 * b + t * (1 - t) * (cross + cross.T)
        return ((1 - t) * (cross.T - a) + t * (b - cross)) @ torch.linalg.inv(at)

    def __call__(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        matrices = {now: self.matrix(now).to(z) for now in set(t.tolist())}
        return torch.stack([matrices[float(now)] @ row for row, now in zip(z, t, strict=True)])

    def batch(self, n: int) -> tuple[Tensor, Tensor]:
        """Data ``(x, c)`` and noise, whose moments within the batch are exact."""
        raw = torch.randn(n, 4, generator=seeded(), dtype=torch.float64)
        raw = raw - raw.mean(0)
        white = raw @ torch.linalg.inv(torch.linalg.cholesky(raw.T @ raw / n)).T
        x = SX * white[:, :1]
        c = SC * (self.rho * white[:, :1] + (1 - self.rho**2) ** 0.5 * white[:, 1:2])
        return torch.cat([x, c], 1), white[:, 2:]


def at(draw: Draw, t: float) -> Draw:
    """One time for all rows."""
    return replace(draw, r=torch.full_like(draw.t, t), t=torch.full_like(draw.t, t))


@pytest.mark.parametrize("t", [0.1, 0.5, 0.8])
def test_the_loss_is_smallest_at_the_velocity_of_the_gaussian_pair(t: float) -> None:
    """A linear field has its minimum where the regression of the batch's own moments says."""
    pair = Pair(0.9)
    x, e = pair.batch(64)
    weight = pair.matrix(t).clone().requires_grad_()
    objective = Symmetric(FlowMatching(), both=False)
    draw = at(replace(objective.draw(x, seeded()), e=e), t)
    batch = TrainingBatch(field=lambda z, r, now: z @ weight.T, x=x)
    objective.loss(batch, draw).per_sample.mean().backward()
    assert weight.grad is not None
    assert weight.grad.abs().max() < 1e-12
    one_way = objective.inner.loss(batch, draw).per_sample.mean()  # both from noise to data
    (wrong,) = torch.autograd.grad(one_way, weight)
    assert wrong.abs().max() > 0.1


def test_rows_from_the_other_end_ask_for_the_same_velocity() -> None:
    """The network is asked at the same states and times, and its loss is the same."""
    pair = Pair(0.5)
    x, e = pair.batch(16)
    draw = at(replace(Symmetric(FlowMatching()).draw(x, seeded()), e=e), 0.3)
    mirrored = at(draw, 0.7)
    batch = TrainingBatch(field=pair, x=x)
    one = Symmetric(FlowMatching(), both=False).loss(batch, draw).per_sample
    both = Symmetric(FlowMatching()).loss(batch, mirrored).per_sample
    back = (torch.arange(16) // 4) % 2 == 1
    torch.testing.assert_close(both[back], one[back], atol=1e-12, rtol=0)
    assert not torch.allclose(both[~back], one[~back])


def line(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
    """Mean velocity of the straight lines from ``A = (x, 2 x)`` to ``B = -A``."""
    start = z / (1 - 2 * expand(t, z))
    return -2 * start


@pytest.mark.parametrize("inner", [MeanFlow(PAIRS), SplitMeanFlow(PAIRS)], ids=["mean", "split"])
def test_straight_lines_leave_no_residual_either_way(inner: Objective) -> None:
    x = torch.randn(64, 1, generator=seeded(), dtype=torch.float64)
    data, noise = torch.cat([x, -2 * x], 1), torch.cat([-x, 2 * x], 1)
    objective = Symmetric(inner)
    draw = replace(objective.draw(data, seeded()), e=noise)
    quarter = {name: getattr(draw, name) / 4 for name in ("r", "t")}  # away from t = 1/2
    draw = replace(draw, **quarter, s=None if draw.s is None else draw.s / 4)
    batch = TrainingBatch(field=line, x=data)
    assert objective.loss(batch, draw).per_sample.max() < 1e-20


MUTANTS = {
    "time not turned": lambda self, z, r, t, back, *c: torch.where(
        expand(back, z), -self.net(z, r, t, *c), self.net(z, r, t, *c)
    ),
    "sign not turned": lambda self, z, r, t, back, *c: self.net(
        z, torch.where(back, 1 - r, r), torch.where(back, 1 - t, t), *c
    ),
    "r and t exchanged": lambda self, z, r, t, back, *c: torch.where(
        expand(back, z),
        -self.net(z, torch.where(back, 1 - t, t), torch.where(back, 1 - r, r), *c),
        self.net(z, r, t, *c),
    ),
}


def curved(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
    """Mean velocity of the flow ``z_t = z_0 (1 + t^2)``."""
    start = z / (1 + expand(t, z).square())
    return start * expand(r + t, z)


def missed(net: object = None) -> float:
    """Distance of one step from the other end to where the flow ends."""
    x = torch.randn(8, 2, generator=seeded(), dtype=torch.float64)
    back = torch.ones(8, dtype=torch.bool)
    zero, one = torch.zeros(8).double(), torch.ones(8).double()
    found = x - reversible(curved, back)(x, zero, one)
    return float((found - 2 * x).abs().max())


def test_one_step_leads_from_the_data_to_the_other_end() -> None:
    assert missed() < 1e-12


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_wrong_reversal_misses_the_other_end(
    mutant: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReversibleNet, "__call__", mutant)
    assert missed() > 1e-2


def test_ends_exchanged_leave_a_residual(monkeypatch: pytest.MonkeyPatch) -> None:
    pair, ends = Pair(0.9), Symmetric.ends
    x, e = pair.batch(64)
    objective = Symmetric(FlowMatching())
    draw = at(replace(objective.draw(x, seeded()), e=e), 0.2)
    batch = TrainingBatch(field=pair, x=x)
    right = objective.loss(batch, draw).per_sample.mean()
    monkeypatch.setattr(Symmetric, "ends", lambda self, x, e: ends(self, x, e)[::-1])
    assert objective.loss(batch, draw).per_sample.mean() > 1.2 * right


@pytest.mark.parametrize(("rho", "slope", "spread"), [(0.5, 0.718, 1.078), (0.9, 0.699, 1.784)])
def test_the_flow_keeps_the_laws_of_both_ends_and_not_the_pairs(
    rho: float, slope: float, spread: float
) -> None:
    """What is made follows ``c`` too little; the figures are in the docstring of Symmetric."""
    pair, sampler = Pair(rho), HeunSampler(200)
    unit = torch.eye(2, dtype=torch.float64)
    made = make(pair, unit[:, 1:], unit[:, :1], sampler)  # the flow is linear: its matrix
    gain, of_c = float(made[0]), float(made[1])
    assert gain**2 + of_c**2 * SC**2 == pytest.approx(SX**2, rel=1e-4)  # the law of x
    assert of_c / (rho * SX / SC) == pytest.approx(slope, abs=2e-3)
    assert abs(gain) / (SX * (1 - rho**2) ** 0.5) == pytest.approx(spread, abs=2e-3)
    found = read(pair, unit[:, :1], unit[:, 1:], sampler)
    assert float((found[0] * SX) ** 2 + found[1] ** 2) == pytest.approx(SC**2, rel=1e-4)


def test_conditions_stay_with_their_rows() -> None:
    c = torch.arange(4.0).unsqueeze(1)
    back = torch.tensor([False, True, False, True])
    field = Conditioned(lambda z, r, t, c: z + c, (c,), (torch.zeros_like(c),))
    turned = reversible(field, back)
    z, r, t = torch.ones(4, 1), torch.zeros(4), torch.ones(4)
    assert turned(z, r, t).flatten().tolist() == [1, -2, 3, -4]
    assert turned.rows(slice(1, 3))(z[1:3], r[1:3], t[1:3]).flatten().tolist() == [-2, 3]
    assert turned.drop(back)(z, r, t).flatten().tolist() == [1, -1, 3, -1]
    assert file.__doc__


def test_each_modality_has_its_weight() -> None:
    a, b = torch.zeros(1, 3, 2), torch.ones(1, 3, 2)
    b[:, 2:] = 3.0
    assert PartsError(1, 0.25)(a, b).tolist() == [0.25 * 1 + 0.75 * 9]
    mask = torch.tensor([[[True, False]]])
    b[..., 1] = 100.0
    assert PartsError(1, 0.25)(a, b, mask).tolist() == [0.25 * 1 + 0.75 * 9]
    with pytest.raises(InputError, match="must lie in"):
        PartsError(1, 2.0)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="read of Symmetric must be at least 1"):
        Symmetric(read=0)
    objective, x = Symmetric(read=2), torch.randn(16, 2)
    draw = objective.draw(x, seeded())
    with pytest.raises(InputError, match="2 of 2 channels"):
        objective.loss(TrainingBatch(field=line, x=x), draw)
    with pytest.raises(InputError, match="depth to 1"):
        Symmetric().loss(TrainingBatch(field=line, x=x, depth=0.5), draw)
    assert Symmetric(SplitMeanFlow()).teacher_use() == "none"
