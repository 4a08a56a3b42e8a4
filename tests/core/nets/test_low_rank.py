"""Adapters: the start is the network itself, and only they are trained."""

import copy

import pytest
import torch
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.nets import MLP, UNet1d
from oneleap.core.nets.low_rank import LowRank, adapt, load_plain
from oneleap.core.training.ema import frozen_view

T = torch.full((4,), 0.5)
NETS: dict[str, tuple[nn.Module, torch.Tensor]] = {
    "MLP": (MLP(3, width=16), torch.randn(4, 3, generator=torch.Generator().manual_seed(0))),
    "UNet1d": (
        UNet1d(3, widths=(8, 16)),
        torch.randn(4, 3, 8, generator=torch.Generator().manual_seed(0)),
    ),
}
each = pytest.mark.parametrize("name", NETS)


@each
def test_the_start_is_the_network_itself(name: str) -> None:
    net, z = NETS[name]
    adapted = copy.deepcopy(net)
    adapt(adapted, 2)
    assert torch.equal(adapted(z, T, T), net(z, T, T))
    trained = [n for n, p in adapted.named_parameters() if p.requires_grad]
    assert trained
    assert all(n.endswith((".up", ".down")) for n in trained)
    assert sum(isinstance(m, LowRank) for m in adapted.modules()) * 2 == len(trained)


@each
def test_adapters_change_the_network_and_its_weights_stay(name: str) -> None:
    net, z = NETS[name]
    adapted = copy.deepcopy(net)
    adapt(adapted, 2)
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        adapted(z, T, T).sub(1.0).square().mean().backward()
        optimizer.step()
    assert not torch.equal(adapted(z, T, T), net(z, T, T))
    view = frozen_view(adapted)
    assert torch.equal(view(z, T, T), adapted(z, T, T))
    for module in adapted.modules():
        if isinstance(module, LowRank):
            module.up.data.zero_()
    assert torch.equal(adapted(z, T, T), net(z, T, T))
    assert torch.equal(view(z, T, T), net(z, T, T))


def test_plain_weights_are_loaded_with_and_without_adapters() -> None:
    net, z = NETS["MLP"]
    torch.manual_seed(1)
    adapted, plain = MLP(3, width=16), MLP(3, width=16)
    adapt(adapted, 2)
    for other in (adapted, plain):
        load_plain(other, net.state_dict())
        assert torch.equal(other(z, T, T), net(z, T, T))
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_plain(adapted, MLP(3, width=8).state_dict())


def test_what_is_frozen_gets_no_adapter_and_a_rank_is_positive() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[0].requires_grad_(False)
    adapt(net, 1)
    assert [isinstance(m, LowRank) for m in net.modules()].count(True) == 1
    with pytest.raises(InputError, match="rank of an adapter must be at least 1, not 0"):
        adapt(net, 0)
