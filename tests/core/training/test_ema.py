"""The moving average of weights."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.hub.config import from_config, to_config
from oneleap.core.training import ema
from oneleap.core.training.ema import PowerEMA, ema_update, frozen_copy


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


# The power schedule.


@pytest.mark.parametrize(("sigma_rel", "gamma"), [(0.05, 16.97), (0.1, 6.94)])
def test_the_powers_are_those_of_the_paper(sigma_rel: float, gamma: float) -> None:
    assert PowerEMA(sigma_rel).gamma == pytest.approx(gamma, abs=5e-3)


@pytest.mark.parametrize("sigma_rel", [1e-3, 0.02, 0.05, 0.1, 0.25, 12**-0.5])
def test_the_width_is_that_of_the_weights(sigma_rel: float) -> None:
    """The standard deviation of the law with density proportional to ``x^gamma`` on [0, 1]."""
    gamma = PowerEMA(sigma_rel).gamma
    x = torch.linspace(0, 1, 400_001, dtype=torch.float64)[1:]
    weight = x**gamma / (x**gamma).sum()
    mean = (weight * x).sum()
    assert (weight * (x - mean) ** 2).sum().sqrt() == pytest.approx(sigma_rel, rel=1e-2)


@pytest.mark.parametrize("sigma_rel", [0.05, 0.2])
def test_the_average_weighs_the_steps_of_a_run_by_a_power(sigma_rel: float) -> None:
    n, power = 400, PowerEMA(sigma_rel)
    average, online = (nn.Linear(1, 1, bias=False).double() for _ in range(2))
    for step in range(n):
        nn.init.constant_(online.weight, float(step))
        ema_update(average, online, power, step)
    steps = torch.arange(n, dtype=torch.float64)
    weight = torch.diff(((steps + 1) / n).pow(power.gamma + 1), prepend=torch.zeros(1).double())
    wanted = (weight * steps).sum().item()
    assert average.weight.item() == pytest.approx(wanted, rel=1e-9)
    assert wanted == pytest.approx(n * (power.gamma + 1) / (power.gamma + 2), rel=1e-2)


def test_the_first_step_copies_and_equal_weights_are_the_mean() -> None:
    average, online = net(), net()
    with torch.no_grad():
        for p in online.parameters():
            p.add_(1.0)
    ema_update(average, online, PowerEMA(), 0)
    for mine, theirs in zip(average.parameters(), online.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)
    flat = PowerEMA(12**-0.5)
    assert flat.gamma == pytest.approx(0.0, abs=1e-6)
    assert [flat.decay(k) for k in range(3)] == pytest.approx([0, 1 / 2, 2 / 3], abs=1e-6)


def test_a_schedule_needs_the_step_and_a_width_that_exists() -> None:
    with pytest.raises(ValueError, match="depends on the step"):
        ema_update(net(), net(), PowerEMA())
    for sigma_rel in (0.0, -1.0, 0.3):
        with pytest.raises(InputError, match=r"sigma_rel must be above 0 and at most 0\.289"):
            PowerEMA(sigma_rel)


def test_it_can_be_written_down_before_and_after_use() -> None:
    power = PowerEMA(0.1)
    assert power.decay(3) < 1
    assert from_config(to_config(power)) == power == PowerEMA(0.1)
    assert to_config(power)["init_args"] == {"sigma_rel": 0.1}


# Mutants.


def stated() -> None:
    test_the_update_is_the_stated_formula(0.9)


def powers() -> None:
    test_the_average_weighs_the_steps_of_a_run_by_a_power(0.2)


def exchanged(average: list[torch.Tensor], new: list[torch.Tensor], weight: float) -> None:
    torch._foreach_lerp_(average, new, weight=1 - weight)


@pytest.mark.parametrize("exactness", [stated, powers])
def test_weights_of_old_and_new_exchanged_are_seen(
    monkeypatch: pytest.MonkeyPatch, exactness: Callable[[], None]
) -> None:
    exactness()
    wrong = SimpleNamespace(**{**vars(torch), "_foreach_lerp_": exchanged})
    monkeypatch.setattr(ema, "torch", wrong)
    with pytest.raises(AssertionError):
        exactness()


@pytest.mark.parametrize(
    "mutant",
    [
        lambda self, step: (step / (step + 1)) ** self.gamma,
        lambda self, step: ((step + 1) / (step + 2)) ** (self.gamma + 1),
        lambda self, step: 1 - (step / (step + 1)) ** (self.gamma + 1),
    ],
    ids=["exponent", "a-step-late", "complement"],
)
def test_a_mutant_of_the_schedule_is_seen(monkeypatch: pytest.MonkeyPatch, mutant: object) -> None:
    monkeypatch.setattr(PowerEMA, "decay", mutant)
    with pytest.raises(AssertionError):
        powers()


def test_a_width_of_other_moments_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PowerEMA, "gamma", property(lambda self: 1 / self.sigma_rel))
    with pytest.raises(AssertionError):
        test_the_width_is_that_of_the_weights(0.1)
