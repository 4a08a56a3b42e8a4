"""A network as what is added to the state, against what its definition gives."""

import copy

import torch
from support.exact import seeded

from oneleap.core.fields.jvp import total_derivative
from oneleap.core.nets import MLP, Residual
from oneleap.core.nets.embed import zero_interval_embedding
from oneleap.core.sampling.ode import sample


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def test_one_step_is_what_the_network_says_whatever_the_noise() -> None:
    net = MLP(3, 2, width=16).double()
    with torch.no_grad():
        net.layers[0].weight[:, :3] = 0  # it looks at the condition alone
    e, s = randn(8, 3), randn(1, 2, seed=1).expand(8, 2)
    x = sample(lambda z, r, t: Residual(net)(z, r, t, s), e)
    torch.testing.assert_close(x, -net(e, torch.zeros_like(e[:, 0]), torch.ones_like(e[:, 0]), s))
    torch.testing.assert_close(x, x[:1].expand(8, 3))


def test_its_derivative_is_the_network_s_and_the_velocity() -> None:
    net, z, v = MLP(3, width=16).double(), randn(8, 3), randn(8, 3, seed=1)
    r, t = torch.full((8,), 0.2, dtype=torch.float64), torch.full((8,), 0.7, dtype=torch.float64)
    u, dudt = total_derivative(Residual(net), z, r, t, v)
    f, dfdt = total_derivative(net, z, r, t, v)
    torch.testing.assert_close(u, z + f)
    torch.testing.assert_close(dudt, v + dfdt)


def test_it_zeroes_the_interval_embedding_of_its_network() -> None:
    net, z = Residual(MLP(3, width=16).double()), randn(8, 3)
    r, t = torch.full((8,), 0.2, dtype=torch.float64), torch.full((8,), 0.7, dtype=torch.float64)
    student = zero_interval_embedding(copy.deepcopy(net))
    torch.testing.assert_close(student(z, r, t), net(z, t, t))
    assert not torch.allclose(net(z, r, t), net(z, t, t))
