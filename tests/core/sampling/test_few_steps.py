"""Searched times, One More Step and negative-away attention."""

import itertools
import math

import pytest
import torch
from support.exact import Gaussian, seeded
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.nets import MLP, DiT1d
from oneleap.core.nets.attention import SelfAttention, rotary_angles
from oneleap.core.objectives import NoisePrediction
from oneleap.core.paths.ddpm import LinearBetas
from oneleap.core.sampling.diffusion import one_more_step
from oneleap.core.sampling.negative import NegativeAway, steer_away
from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    DDIMSampler,
    FlowMapSampler,
    GammaSampler,
    with_steps,
)
from oneleap.core.sampling.search import search_times
from oneleap.core.types import Conditioned, TrainingBatch

TRUTH = Gaussian(0.7, 0.5)


# Times.


@pytest.mark.parametrize("wanted", [(1.0, 0.625), (1.0, 1 / 64), (1.0, 63 / 64)])
def test_the_search_finds_the_best_time_at_the_ends_too(wanted: tuple[float, ...]) -> None:
    calls = 0

    def distance(times: tuple[float, ...]) -> float:
        nonlocal calls
        calls += 1
        return sum(abs(a - b) for a, b in zip(times, wanted, strict=True))

    found, value = search_times(distance, steps=2)
    assert (found, value) == (wanted, 0.0)
    assert calls < 40


def test_each_time_is_searched_between_its_neighbors() -> None:
    wanted = (1.0, 0.75, 0.5, 0.25)

    def distance(times: tuple[float, ...]) -> float:
        assert times[0] == 1
        assert all(a > b > 0 for a, b in itertools.pairwise(times))
        return sum((a - b) ** 2 for a, b in zip(times, wanted, strict=True))

    found, value = search_times(distance, steps=4, grid=32, rounds=3)
    assert value == 0
    assert found == wanted


def test_the_best_of_all_that_was_tried_is_returned() -> None:
    """Two minima: the equal spacing that the search starts from is the better one."""

    def distance(times: tuple[float, ...]) -> float:
        return 0.0 if times[1] == 0.5 else abs(times[1] - 0.9) + 1

    assert search_times(distance, steps=2) == ((1.0, 0.5), 0.0)


def test_samplers_step_at_the_times_they_are_given() -> None:
    seen: list[float] = []

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        seen.append(float(t[0]))
        return TRUTH(z, r, t)

    noise, times = torch.randn(64, 2, generator=seeded()).double(), (1.0, 0.7, 0.2)
    samplers = (FlowMapSampler(3, times=times), ConsistencySampler(3, times=times))
    for sampler in (*samplers, GammaSampler(3, 0.5, times=times)):
        seen.clear()
        sampler(field, noise, seeded(1))
        assert seen == pytest.approx(times)
        assert with_steps(sampler, 3) == sampler
        assert with_steps(sampler, 2).times is None
    ends = torch.zeros(64).double(), torch.ones(64).double()
    torch.testing.assert_close(samplers[0](TRUTH, noise), TRUTH.flow(noise, *ends))


@pytest.mark.parametrize(
    ("steps", "times"), [(2, (1.0,)), (2, (0.9, 0.5)), (2, (1.0, 0.0)), (3, (1.0, 0.2, 0.5))]
)
def test_times_that_cannot_be_are_refused(steps: int, times: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="times"):
        FlowMapSampler(steps, times=times)
    with pytest.raises(InputError, match="search_times"):
        search_times(lambda t: 0.0, steps=9, grid=8)


# One More Step: data of mean 0.7, a schedule whose last step holds a share of them.

SHORT = LinearBetas(steps=10, last=0.25)


def test_one_more_step_gives_the_law_of_the_last_step() -> None:
    e = torch.randn(200_000, 1, generator=seeded(), dtype=torch.float64)
    abar = SHORT.alphas_cumprod[SHORT.steps]
    assert 0.1 < abar < 0.6
    start = one_more_step(TRUTH, e, SHORT)
    assert start.mean().item() == pytest.approx(math.sqrt(abar) * 0.7, abs=0.01)
    assert start.var().item() == pytest.approx(1 - abar, abs=0.01)


def test_one_more_step_mends_the_mean_of_the_samples() -> None:
    e = torch.randn(4000, 1, generator=seeded(), dtype=torch.float64)
    plain = DDIMSampler(SHORT, 10, clip=None)(TRUTH, e).mean().item()
    mended = DDIMSampler(SHORT, 10, clip=None, one_more=True)(TRUTH, e).mean().item()
    assert abs(mended - 0.7) < 0.05 < abs(plain - 0.7)


def test_one_more_step_and_a_shallow_start_exclude_each_other() -> None:
    sampler, e = DDIMSampler(SHORT, 10, start_step=5, one_more=True), torch.zeros(2, 1)
    with pytest.raises(InputError, match="one_more starts from pure noise"):
        sampler(TRUTH, e, guess=e)


def test_the_last_time_is_trained_and_its_minimum_is_the_mean_of_the_data() -> None:
    objective = NoisePrediction(SHORT, p_end=0.25)
    x = TRUTH.sample((20_000, 1), seeded()).double()
    draw = objective.draw(x, seeded(1))
    assert int((draw.t == 1).sum()) == 5000
    assert bool((draw.t[5000:] < 1).all())
    guess = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return z - guess  # the data's mean at t = 1

    rows = slice(0, 5000)
    loss = objective.loss(TrainingBatch(field=field, x=x), draw).per_sample[rows].mean()
    (slope,) = torch.autograd.grad(loss, guess)
    assert slope.item() == pytest.approx(-2 * x[rows].mean().item(), abs=1e-6)
    assert not (NoisePrediction(SHORT).draw(x, seeded(1)).t == 1).any()
    with pytest.raises(InputError, match="p_end must be a share"):
        NoisePrediction(p_end=1.0)


# Negative-away attention.


def transformer() -> DiT1d:
    torch.manual_seed(0)
    net = DiT1d(3, cond_dim=2, width=16, depth=2, heads=2).double()
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=seeded(1))
    return net


def conditioned(net: DiT1d | MLP) -> Conditioned:
    c = torch.randn(2, 2, generator=seeded(2), dtype=torch.float64)
    return Conditioned(net, (c,), (torch.zeros_like(c),))


def test_a_scale_of_zero_is_the_plain_network() -> None:
    net, z = transformer(), torch.randn(2, 3, 5, generator=seeded(), dtype=torch.float64)
    field, t = conditioned(net), torch.ones(2).double()
    assert steer_away(field, 0.0, z) is field
    null = field.drop(torch.ones(2, dtype=torch.bool))
    torch.testing.assert_close(NegativeAway(field, null, 0.0)(z, 0 * t, t), field(z, 0 * t, t))
    steered = FlowMapSampler(negative=0.3)(field, z)
    assert not torch.allclose(steered, FlowMapSampler()(field, z))
    assert torch.equal(FlowMapSampler()(field, z), FlowMapSampler()(field, z))  # no hook is left


def test_equal_conditions_shrink_each_layer_by_one_minus_the_scale() -> None:
    """With one layer, ``Z - a Z`` is ``(1 - a) Z``, but for the bias, which is no attention."""
    layer = SelfAttention(8, 2).double()
    x = torch.randn(2, 4, 8, generator=seeded(), dtype=torch.float64)

    def net(z: Tensor, r: Tensor, t: Tensor, c: Tensor) -> Tensor:
        y: Tensor = layer(z, rotary_angles(4, 4, z))
        return y

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, z: Tensor, r: Tensor, t: Tensor, c: Tensor) -> Tensor:
            return net(z, r, t, c)

    field, t = Conditioned(Net(), (torch.zeros(2, 1),)), torch.ones(2)
    found = NegativeAway(field, field, 0.25)(x, 0 * t, t)
    bias = layer.out.bias
    torch.testing.assert_close(found - bias, 0.75 * (field(x, 0 * t, t) - bias))


def test_queries_are_the_conditions_and_keys_and_values_the_negatives() -> None:
    layer = SelfAttention(8, 2).double()
    x, other = torch.randn(2, 2, 4, 8, generator=seeded(), dtype=torch.float64)
    rotation = rotary_angles(4, 4, x)
    torch.testing.assert_close(layer.out(layer.mix(x, x.clone(), rotation)), layer(x, rotation))
    layer.qkv.weight.data[:8] = 0.0  # all queries alike: each frame gets the mean of the values
    layer.qkv.bias.data[:8] = 0.0
    values = torch.nn.functional.linear(other, layer.qkv.weight[16:], layer.qkv.bias[16:])
    torch.testing.assert_close(
        layer.mix(x, other, rotation), values.mean(1, keepdim=True).expand(-1, 4, -1)
    )


def test_a_network_without_attention_is_told() -> None:
    z = torch.zeros(2, 3).double()
    with pytest.raises(InputError, match="no attention layers"):
        steer_away(conditioned(MLP(3, 2, 16)), 0.3, z)
