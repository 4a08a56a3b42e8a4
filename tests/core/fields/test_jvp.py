"""The total derivative against central differences along the trajectory."""

import pytest
import torch
from support.exact import Gaussian, seeded
from torch import Tensor, nn

from oneleap.core.fields.jvp import total_derivative
from oneleap.core.nets.mlp import MLP
from oneleap.core.types import Conditioned, Field


def mlp() -> Field:
    torch.manual_seed(0)
    cond = torch.randn(16, 3, dtype=torch.float64)
    return Conditioned(MLP(5, cond_dim=3, width=32).double(), (cond,))


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    g = seeded()
    z, v = torch.randn(2, 16, 5, generator=g, dtype=torch.float64)
    r, t = (0.1 + 0.8 * torch.rand(2, 16, generator=g, dtype=torch.float64)).sort(0).values
    r[:4] = t[:4]
    return z, r, t, v


FIELDS = [Gaussian(), Gaussian(-0.3, 1.4), Gaussian(1.0, 0.0), mlp()]


@pytest.mark.parametrize("field", FIELDS, ids=["narrow", "wide", "point", "mlp"])
def test_it_equals_the_central_difference(field: Field) -> None:
    z, r, t, v = inputs()
    h = 1e-5
    after = field(z + h * v, r, t + h)
    before = field(z - h * v, r, t - h)
    u, dudt = total_derivative(field, z, r, t, v)
    assert torch.equal(u, field(z, r, t))
    torch.testing.assert_close(dudt, (after - before) / (2 * h), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("std", [0.0, 0.5, 1.4])
def test_the_exact_field_fulfils_the_identity_at_every_interval(std: float) -> None:
    truth, (z, r, t, _) = Gaussian(0.7, std), inputs()
    u, dudt = total_derivative(truth, z, r, t, truth.velocity(z, t))
    residual = u + (t - r).unsqueeze(1) * dudt - truth.velocity(z, t)
    assert residual.square().max() < 1e-24


def test_gradients_flow_through_the_value_and_not_through_the_derivative() -> None:
    field, (z, r, t, v) = mlp(), inputs()
    net = field.net
    assert isinstance(net, nn.Module)
    v.requires_grad_()
    u, dudt = total_derivative(field, z, r, t, v)
    assert u.requires_grad
    assert not dudt.requires_grad
    wanted = torch.autograd.grad(field(z, r, t).square().sum(), list(net.parameters()))
    got = torch.autograd.grad(u.square().sum(), list(net.parameters()))
    for mine, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_one_pass_gives_value_and_derivative_the_same_dropout_mask() -> None:
    weight = torch.ones(16, 5, dtype=torch.float64)

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return nn.functional.dropout(weight * t.unsqueeze(1), 0.5)

    z, r, t, v = inputs()
    u, dudt = total_derivative(field, z, r, t, v)
    assert torch.equal(u == 0, dudt == 0)
    torch.testing.assert_close(u, dudt * t.unsqueeze(1))
