"""Negative-away attention against uniform attention in closed form, and its mutants."""

import builtins
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.exact import seeded
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.nets import MLP, DiT1d
from oneleap.core.nets.attention import SelfAttention, rotary_angles
from oneleap.core.sampling import negative as negative_file
from oneleap.core.sampling.negative import NegativeAway, steer_away
from oneleap.core.sampling.samplers import FlowMapSampler
from oneleap.core.types import Conditioned


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
    still = torch.ones_like(rotation[0]), torch.zeros_like(rotation[1])  # no angle
    q, _, _ = layer.qkv(x).chunk(3, -1)
    _, k, v = layer.qkv(other).chunk(3, -1)
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        odds = (q[..., part] @ k[..., part].mT / math.sqrt(4)).softmax(-1)
        heads.append(odds @ v[..., part])
    torch.testing.assert_close(layer.mix(x, other, still), torch.cat(heads, -1))


class TwoLayers(nn.Module):
    """Two attention layers with equal queries: each frame gets the mean of all values."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(SelfAttention(8, 2) for _ in range(2)).double()
        for i, weight in enumerate(self.parameters()):
            nn.init.normal_(weight, std=0.5, generator=seeded(i))
        for layer in self.layers:
            layer.qkv.weight.data[:8] = 0.0
            layer.qkv.bias.data[:8] = 0.0

    def forward(self, z: Tensor, r: Tensor, t: Tensor, c: Tensor) -> Tensor:
        for layer in self.layers:
            z = layer(z + c, rotary_angles(4, 4, z))
        return z


def mean_value(layer: SelfAttention, x: Tensor) -> Tensor:
    """Result of uniform attention, but for the last bias."""
    _, _, v = layer.qkv(x.mean(1, keepdim=True)).chunk(3, -1)
    return nn.functional.linear(v, layer.out.weight)


def test_every_layer_subtracts_what_it_finds_under_the_negative_conditions() -> None:
    net, a = TwoLayers(), 0.3
    z, c = torch.randn(2, 2, 4, 8, generator=seeded(7), dtype=torch.float64)
    none, t = torch.zeros(1, 4, 8, dtype=torch.float64), torch.ones(2).double()
    steered = steer_away(Conditioned(net, (c,), (none,)), a, z)
    wanted, plain = z, z  # plain: the same network under the negative conditions
    for layer in net.layers:
        assert isinstance(layer, SelfAttention)
        away = mean_value(layer, plain + none)
        wanted = mean_value(layer, wanted + c) - a * away + layer.out.bias
        plain = away + layer.out.bias
    torch.testing.assert_close(steered(z, 0 * t, t), wanted.expand(-1, 4, -1))


def test_a_network_without_attention_is_told() -> None:
    z = torch.zeros(2, 3).double()
    with pytest.raises(InputError, match="no attention layers"):
        steer_away(conditioned(MLP(3, 2, 16)), 0.3, z)


# Mutants.


MIX, EVERY = (
    SelfAttention.mix,
    test_every_layer_subtracts_what_it_finds_under_the_negative_conditions,
)
QUERIES = test_queries_are_the_conditions_and_keys_and_values_the_negatives
CALL = NegativeAway.__call__


def functional(linear: Callable[[Tensor, Tensor], Tensor]) -> SimpleNamespace:
    """torch.nn as the file sees it, with another last linear map."""
    return SimpleNamespace(**{**vars(nn), "functional": SimpleNamespace(linear=linear)})


def biased(mixed: Tensor, weight: Tensor) -> Tensor:
    return nn.functional.linear(mixed, weight, torch.ones(len(weight)).to(mixed))


def other_scale(factor: float) -> Callable[..., Tensor]:
    return lambda self, *a: CALL(NegativeAway(self.field, self.negative, factor * self.scale), *a)


MUTANTS: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "towards": (NegativeAway, "__call__", other_scale(-1.0), EVERY),
    "half": (NegativeAway, "__call__", other_scale(0.5), EVERY),
    "exchanged": (
        NegativeAway,
        "__call__",
        lambda self, *a: CALL(NegativeAway(self.negative, self.field, self.scale), *a),
        EVERY,
    ),
    "same-conditions": (negative_file, "unconditional", lambda field, like: field, EVERY),
    "never": (NegativeAway, "__call__", lambda self, *a: self.field(*a), EVERY),
    "order-of-layers": (negative_file, "iter", lambda s: builtins.iter(s[::-1]), EVERY),
    "first-layer-only": (negative_file, "iter", lambda s: builtins.iter(s[:1] * 2), EVERY),
    "without-the-last-map": (negative_file, "nn", functional(lambda mixed, w: mixed), EVERY),
    "bias": (negative_file, "nn", functional(biased), EVERY),
    "plain-keys": (SelfAttention, "mix", lambda self, x, _, *a: MIX(self, x, x, *a), EVERY),
    "keys": (SelfAttention, "mix", lambda self, x, _, *a: MIX(self, x, x, *a), QUERIES),
    "queries": (SelfAttention, "mix", lambda self, _, s, *a: MIX(self, s, s, *a), QUERIES),
    "roles": (SelfAttention, "mix", lambda self, x, s, *a: MIX(self, s, x, *a), QUERIES),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_of_negative_attention_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: tuple[Any, str, Any, Callable[[], None]]
) -> None:
    where, name, wrong, exactness = mutant
    exactness()
    monkeypatch.setattr(where, name, wrong, raising=False)
    with pytest.raises(AssertionError):
        exactness()
