"""The optimiser and its schedule."""

import math
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from oneleap.core.training.optim import AdamConfig, build_optimizer


def build(
    *parts: tuple[AdamConfig, list[nn.Parameter]], total_steps: int = 10
) -> tuple[Optimizer, LambdaLR]:
    config = build_optimizer(*parts, total_steps=total_steps)
    return config["optimizer"], cast(LambdaLR, config["lr_scheduler"]["scheduler"])


def test_without_options_the_rate_is_constant() -> None:
    assert [AdamConfig().factor(k, 5) for k in range(9)] == [1.0] * 9


def test_warm_up_is_linear_and_reaches_the_peak() -> None:
    assert [AdamConfig(warmup_steps=4).factor(k, 6) for k in range(7)] == [
        0.25,
        0.5,
        0.75,
        1,
        1,
        1,
        1,
    ]


def test_cosine_falls_from_the_peak_to_zero_at_the_last_step_and_stays() -> None:
    adam = AdamConfig(warmup_steps=2, cosine=True)
    wanted = [0.5, 1.0, *(0.5 + 0.5 * math.cos(math.pi * k / 8) for k in range(9)), 0, 0]
    assert [adam.factor(k, 10) for k in range(13)] == pytest.approx(wanted)


def test_a_warm_up_longer_than_the_run_is_no_division_by_zero() -> None:
    assert AdamConfig(warmup_steps=5, cosine=True).factor(5, 5) == 1.0


def test_each_part_follows_its_own_schedule() -> None:
    slow, fast = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    optimizer, scheduler = build(
        (AdamConfig(lr=1.0, warmup_steps=4), [slow]),
        (AdamConfig(lr=2.0, cosine=True), [fast]),
        total_steps=4,
    )
    rates = []
    for _ in range(5):
        rates.append(tuple(group["lr"] for group in optimizer.param_groups))
        optimizer.step()
        scheduler.step()
    rising, falling = zip(*rates, strict=True)
    assert rising == (0.25, 0.5, 0.75, 1, 1)
    assert falling == pytest.approx([1 + math.cos(math.pi * k / 4) for k in range(5)])


def test_the_schedule_is_stepped_once_per_gradient_step() -> None:
    config = build_optimizer((AdamConfig(), [nn.Parameter(torch.ones(1))]), total_steps=1)
    assert config["lr_scheduler"]["interval"] == "step"


def test_a_step_is_adam_by_its_formula() -> None:
    adam = AdamConfig(lr=0.1, betas=(0.8, 0.9), weight_decay=0.5)
    p = nn.Parameter(torch.tensor([3.0], dtype=torch.float64))
    optimizer, _ = build((adam, [p]))
    m = v = 0.0
    wanted = 3.0
    for k in range(1, 6):
        gradient = 2.0 * k
        p.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        m, v = 0.8 * m + 0.2 * gradient, 0.9 * v + 0.1 * gradient**2
        wanted -= 0.1 * 0.5 * wanted
        wanted -= 0.1 * (m / (1 - 0.8**k)) / (math.sqrt(v / (1 - 0.9**k)) + 1e-8)
        assert p.item() == pytest.approx(wanted, rel=1e-12)


def train(stop: int) -> Tensor:
    """Ten steps; at ``stop`` everything is rebuilt from state dictionaries."""
    torch.manual_seed(0)
    net, adam = nn.Linear(3, 3), AdamConfig(lr=0.1, warmup_steps=2, cosine=True)
    optimizer, scheduler = build((adam, list(net.parameters())))
    x = torch.randn(5, 3)
    for k in range(10):
        if k == stop:
            states = net.state_dict(), optimizer.state_dict(), scheduler.state_dict()
            net = nn.Linear(3, 3)
            optimizer, scheduler = build((adam, list(net.parameters())))
            for part, state in zip((net, optimizer, scheduler), states, strict=True):
                part.load_state_dict(state)
        optimizer.zero_grad()
        net(x).square().sum().backward()
        optimizer.step()
        scheduler.step()
    return net.weight.detach()


@pytest.mark.parametrize("stop", [-1, 1, 5])
def test_training_repeats_bit_for_bit_and_survives_a_restart(stop: int) -> None:
    assert torch.equal(train(stop=-1), train(stop))


@pytest.mark.parametrize(("clip", "norm"), [(None, 5.0), (10.0, 5.0), (1.0, 1.0)])
def test_clipping_bounds_the_norm_and_keeps_the_direction(clip: float | None, norm: float) -> None:
    p = nn.Parameter(torch.zeros(2))
    p.grad = torch.tensor([3.0, 4.0])
    AdamConfig(clip=clip).clip_([p])
    torch.testing.assert_close(p.grad, norm * torch.tensor([0.6, 0.8]), rtol=1e-5, atol=0)
