"""The moving average of weights."""

import pytest
import torch
from torch import nn

from oneleap.core.ema import ema_update, frozen_copy


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 1.0])
def test_the_update_is_the_stated_formula(decay: float) -> None:
    average, online = net().double(), net().double()
    with torch.no_grad():
        for p in online.parameters():
            p.add_(torch.randn_like(p))
    expected = [
        decay * a + (1 - decay) * o
        for a, o in zip(average.parameters(), online.parameters(), strict=True)
    ]
    ema_update(average, online, decay)
    for mine, wanted in zip(average.parameters(), expected, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-14, atol=1e-15)


def test_the_average_forgets_its_start_geometrically() -> None:
    average, online = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.ones_(average.weight)
    nn.init.zeros_(online.weight)
    for _ in range(10):
        ema_update(average, online, 0.9)
    assert average.weight.item() == pytest.approx(0.9**10, rel=1e-6)


def test_buffers_are_copied_and_the_online_net_is_untouched() -> None:
    online, average = net(), net()
    online(torch.randn(8, 3))
    before = [p.clone() for p in online.parameters()]
    ema_update(average, online, 0.5)
    for mine, theirs in zip(average.buffers(), online.buffers(), strict=True):
        assert torch.equal(mine, theirs)
    for now, then in zip(online.parameters(), before, strict=True):
        assert torch.equal(now, then)


def test_a_frozen_copy_shares_no_memory_and_takes_no_gradient() -> None:
    online = net()
    average = frozen_copy(online)
    assert all(p.requires_grad for p in online.parameters())
    assert not any(p.requires_grad for p in average.parameters())
    for mine, theirs in zip(average.parameters(), online.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert mine.data_ptr() != theirs.data_ptr()


def test_the_update_builds_no_graph() -> None:
    average, online = net(), net()
    ema_update(average, online, 0.9)
    assert all(p.grad_fn is None for p in average.parameters())
