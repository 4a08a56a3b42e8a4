"""Networks: shapes, dtypes, and the two times they are told."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.exact import seeded
from torch import Tensor, nn

from oneleap.core.fields.jvp import total_derivative
from oneleap.core.nets.activation import Mish, mish
from oneleap.core.nets.embed import TimeFeatures
from oneleap.core.nets.mlp import MLP


def times(n: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    r, t = torch.rand(2, n, generator=seeded(), dtype=dtype).sort(0).values
    return r, t


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("dim", "cond_dim", "depth"), [(1, 0, 1), (3, 0, 3), (6, 11, 2)])
def test_the_mlp_maps_a_state_to_a_velocity(
    dim: int, cond_dim: int, depth: int, dtype: torch.dtype
) -> None:
    net = MLP(dim, cond_dim, width=16, depth=depth, time_dim=8).to(dtype)
    cond = (torch.randn(5, cond_dim, dtype=dtype),) if cond_dim else ()
    u = net(torch.randn(5, dim, dtype=dtype), *times(5, dtype), *cond)
    assert (u.shape, u.dtype) == ((5, dim), dtype)
    assert sum(isinstance(m, nn.Linear) for m in net.modules()) == depth + 1


def test_the_mlp_depends_on_every_input() -> None:
    torch.manual_seed(0)
    net = MLP(2, cond_dim=3, width=16).double()
    r, t = times(4)
    inputs = [torch.randn(4, 2).double(), r, t, torch.randn(4, 3).double()]
    for tensor in inputs:
        tensor.requires_grad_()
    for gradient in torch.autograd.grad(net(*inputs).sum(), inputs):
        assert (gradient != 0).all()


def test_rows_do_not_mix() -> None:
    net = MLP(2, width=16).double()
    z, (r, t) = torch.randn(6, 2).double(), times(6)
    torch.testing.assert_close(net(z, r, t)[2:4], net(z[2:4], r[2:4], t[2:4]))


def test_constructor_arguments_are_kept() -> None:
    net = MLP(2, 3, width=16, depth=2, time_dim=8)
    assert (net.dim, net.cond_dim, net.width, net.depth, net.time_dim) == (2, 3, 16, 2, 8)


def test_time_features_are_sinusoids_of_the_time_and_the_interval() -> None:
    net, (r, t) = TimeFeatures(6, max_frequency=4.0).double(), times(5)
    features = net(r, t)
    frequencies = [0.25, 1.0, 4.0]
    angles = torch.stack([f * h for h in (t, t - r) for f in frequencies], 1)
    wanted = torch.cat([angles.sin(), angles.cos()], 1)
    torch.testing.assert_close(features, wanted, rtol=1e-6, atol=1e-6)
    assert net.state_dict() == {}


@given(st.floats(0, 1), st.floats(0, 1))
def test_time_features_change_no_faster_than_their_highest_frequency(
    start: float, end: float
) -> None:
    net = TimeFeatures(16, max_frequency=4.0)
    nothing = torch.zeros(1, 32)
    r, t = torch.tensor([start]), torch.tensor([end])
    _, slope = total_derivative(lambda z, r, t: net(r, t), nothing, r, t, nothing)
    assert slope.abs().max() <= 4.0 * (1 + 1e-5)


@pytest.fixture(params=[False, True], ids=["eager", "compiling"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mish has two forms: the library's, and one for compilation."""
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: request.param)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(("dtype", "tol"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_mish_is_the_library_one_in_value_and_gradient(dtype: torch.dtype, tol: float) -> None:
    x = torch.cat([torch.linspace(-30, 30, 4001), torch.tensor([-1e4, 1e4])]).to(dtype)
    x.requires_grad_()
    ours, theirs = Mish()(x), nn.functional.mish(x)
    torch.testing.assert_close(ours, theirs, rtol=10 * tol, atol=tol)
    (mine,) = torch.autograd.grad(ours.sum(), x)
    (wanted,) = torch.autograd.grad(theirs.sum(), x)
    torch.testing.assert_close(mine, wanted, rtol=10 * tol, atol=10 * tol)


@pytest.mark.usefixtures("form")
def test_mish_has_a_forward_derivative_equal_to_its_backward_one() -> None:
    x = torch.linspace(-25, 25, 101).double().requires_grad_()
    times = torch.zeros_like(x)
    _, forward = total_derivative(
        lambda z, r, t: mish(z), x.detach(), times, times, torch.ones_like(x)
    )
    (backward,) = torch.autograd.grad(mish(x).sum(), x)
    torch.testing.assert_close(forward, backward)


def test_an_mlp_at_fixed_times_equals_the_mlp() -> None:
    net = MLP(3, 2, width=16).double()
    z, s = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    r, t = torch.full((5,), 0.2, dtype=torch.float64), torch.full((5,), 0.7, dtype=torch.float64)
    fixed = net.at_times(0.2, 0.7)
    torch.testing.assert_close(fixed(z, t, r, s), net(z, r, t, s))
    assert not torch.allclose(fixed(z, r, t, s), net(z, r, r, s))
