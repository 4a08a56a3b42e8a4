"""Dispersive losses pair by pair, and hidden layers by name."""

import copy
import math
import pickle
import re
from collections.abc import Callable

import pytest
import torch
from support.exact import seeded
from support.tiny_nets import KINDS, layer_of, network
from torch import Tensor, nn

from oneleap.core import nets
from oneleap.core.errors import InputError
from oneleap.core.losses import dispersion as dispersive
from oneleap.core.losses.dispersion import Covariance, Dispersion, Hinge, InfoNCECosine, InfoNCEL2
from oneleap.core.losses.hooks import ActivationRecorder
from oneleap.core.nets import MLP

FOUR: list[Dispersion] = [InfoNCEL2(0.7), InfoNCECosine(0.4), Hinge(2.5), Covariance()]
each_of_four = pytest.mark.parametrize("dispersion", FOUR, ids=lambda d: type(d).__name__)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


# The four, pair by pair.


def by_hand(dispersion: Dispersion, h: Tensor) -> float:
    """Double loops over rows, or over features, in plain numbers."""
    z = [row.flatten().tolist() for row in h]
    n, d = len(z), len(z[0])
    apart = [(z[i], z[j]) for i in range(n) for j in range(n) if i != j]
    near = [sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) / d for p, q in apart]
    if isinstance(dispersion, InfoNCEL2):
        return math.log(sum(math.exp(-x / dispersion.tau) for x in near) / len(near))
    if isinstance(dispersion, Hinge):
        return sum(max(0.0, dispersion.margin - x) ** 2 for x in near) / len(near)
    if isinstance(dispersion, InfoNCECosine):
        cosines = [
            sum(a * b for a, b in zip(p, q, strict=True)) / (math.hypot(*p) * math.hypot(*q))
            for p, q in apart
        ]
        return math.log(sum(math.exp(c / dispersion.tau) for c in cosines) / len(cosines))
    c = torch.corrcoef(h.flatten(1).T)
    return float(sum(c[i, j] ** 2 for i in range(d) for j in range(d) if i != j) / d)


@each_of_four
@pytest.mark.parametrize("shape", [(2, 3), (7, 1), (6, 2, 4), (5, 2, 3, 2)])
def test_the_value_is_that_of_the_formula(dispersion: Dispersion, shape: tuple[int, ...]) -> None:
    h = 0.8 * randn(*shape) + 3.0
    assert dispersion(h).item() == pytest.approx(by_hand(dispersion, h), rel=1e-4, abs=1e-12)


@each_of_four
def test_gradients_are_right_and_finite_where_rows_coincide(dispersion: Dispersion) -> None:
    h = randn(5, 4).requires_grad_()
    assert torch.autograd.gradcheck(dispersion, (h,))
    for same in (torch.zeros(6, 4), torch.full((6, 4), 2.0), randn(2, 4).float().repeat(3, 1)):
        same.requires_grad_()
        (slope,) = torch.autograd.grad(dispersion(same), same)
        assert slope.isfinite().all()


def test_descent_takes_rows_apart_near_ones_most() -> None:
    """The opposite of what DM1's released code does."""
    h = torch.tensor([[0.0], [0.1], [3.0], [4.0]], dtype=torch.float64, requires_grad=True)
    for dispersion in (InfoNCEL2(), Hinge(2.0)):
        (slope,) = torch.autograd.grad(dispersion(h), h)
        force = -slope.squeeze(1)
        assert force[0] < 0 < force[1]
        assert force[2] < 0 < force[3]
        per_distance = (force[1] - force[0]) / 0.1, (force[3] - force[2]) / 1.0
        assert per_distance[0] > 1.5 * per_distance[1]


@pytest.mark.parametrize("dispersion", FOUR[:3], ids=lambda d: type(d).__name__)
def test_a_collapsed_batch_is_the_worst(dispersion: Dispersion) -> None:
    spread, collapsed = randn(8, 4), randn(1, 4).expand(8, 4)
    assert dispersion(spread) < dispersion(collapsed) - 0.1
    assert dispersion(spread * 1e-6 + 1) == pytest.approx(dispersion(collapsed).item(), abs=1e-9)


def test_each_measures_what_it_says() -> None:
    h = randn(9, 5)
    torch.testing.assert_close(InfoNCEL2()(h + 4), InfoNCEL2()(h))
    torch.testing.assert_close(InfoNCECosine()(h * 4), InfoNCECosine()(h))
    torch.testing.assert_close(Covariance()(h * 4 + 1), Covariance()(h), rtol=1e-5, atol=0)
    assert Hinge(1.0)(10 * torch.eye(6).double()) == 0
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]]).double()
    assert Covariance()(signs) < 1e-30  # not 0 where a product of matrices rounds otherwise
    assert Covariance()(signs[:, [0, 0]]) == pytest.approx(1.0, rel=1e-5)
    assert InfoNCEL2()(h) != InfoNCEL2(0.1)(h)


@each_of_four
def test_half_precision_is_widened_and_one_row_refused(dispersion: Dispersion) -> None:
    h = randn(6, 4).bfloat16()
    assert dispersion(h).dtype == torch.float32
    torch.testing.assert_close(dispersion(h), dispersion(h.float()))
    with pytest.raises(InputError, match="use a batch of at least 2, not 1"):
        dispersion(h[:1])


@each_of_four
@pytest.mark.parametrize("mutant", ["diagonal", "flatten_rows"])
def test_mutants_show(monkeypatch: pytest.MonkeyPatch, dispersion: Dispersion, mutant: str) -> None:
    mutants: dict[str, Callable[[Tensor], Tensor]] = {
        "diagonal": lambda square: torch.zeros_like(square, dtype=torch.bool),
        "flatten_rows": lambda h: h.flatten(1).flip(1)[:, 1:],
    }
    h = randn(6, 4)
    monkeypatch.setattr(dispersive, mutant, mutants[mutant])
    assert dispersion(h).item() != pytest.approx(by_hand(dispersion, h), rel=1e-2)


@pytest.mark.parametrize("dispersion", [FOUR[0], FOUR[2]], ids=lambda d: type(d).__name__)
def test_distances_of_the_wrong_sign_or_scale_show(
    monkeypatch: pytest.MonkeyPatch, dispersion: Dispersion
) -> None:
    h, right = randn(6, 4), dispersive.squared_distances
    for factor in (-1, 4):
        monkeypatch.setattr(dispersive, "squared_distances", lambda z, f=factor: f * right(z))
        assert dispersion(h).item() != pytest.approx(by_hand(dispersion, h), rel=1e-2)


# Hidden layers.


def test_the_first_layers_are_those_that_the_networks_name() -> None:
    table = re.findall(r":class:`(\w+)` .*``([\w.]+)``\n", nets.__doc__ or "")
    kinds = {type(network(kind)).__name__: kind for kind in (*KINDS, "mlp", "residual mlp")}
    assert set(kinds) == {name for name, _ in table}
    for name, layer in table:
        assert layer == layer_of(kinds[name])
        hidden, net = ActivationRecorder(), network(kinds[name])
        hidden.record_activations(net)
        hooked = [n for n, module in net.named_modules() if module._forward_hooks]
        assert hooked == [layer]


def test_only_what_passes_with_gradients_inside_the_block_is_kept() -> None:
    net, hidden = MLP(3, width=8, depth=2), ActivationRecorder()
    hidden.record_activations(net, ("layers.1", "layers.3"))
    z, t = torch.randn(4, 3), torch.rand(4)
    net(z, t, t)
    with hidden as seen:
        with torch.no_grad():
            net(z, t, t)
        with pytest.raises(InputError, match=r"record_activations\(net\) before the first loss"):
            seen.activations()
        net(z, t, t)
        net(z[:3], t[:3], t[:3])
        rows = seen.activations()
    assert list(rows) == ["layers.1", "layers.3"]
    features = net.layers[:2](torch.cat([z, net.times(t, t)], 1))
    torch.testing.assert_close(rows["layers.1"], torch.cat([features, features[:3]]))
    net(z, t, t)
    with hidden as seen, pytest.raises(InputError, match="no activations were recorded"):
        seen.activations()


def test_layers_that_are_not_there_are_refused() -> None:
    with pytest.raises(InputError, match=r"MLP has no layer 'layer\.1'; did you mean 'layers\.1'"):
        ActivationRecorder().record_activations(MLP(3), ("layer.1",))
    with pytest.raises(InputError, match="Linear has none of the default layers"):
        ActivationRecorder().record_activations(nn.Linear(2, 2))


def test_activations_of_a_copied_network_are_not_recorded() -> None:
    net, hidden = MLP(3, width=8), ActivationRecorder()
    hidden.record_activations(net)
    again, (packed, together) = copy.deepcopy(net), pickle.loads(pickle.dumps((net, hidden)))
    args = torch.randn(4, 3), torch.rand(4), torch.rand(4)
    with hidden as seen:
        again(*args)
        with pytest.raises(InputError):
            seen.activations()
    with together as seen:  # as a model is sent to another process
        packed(*args)
        assert seen.activations()["layers.1"].shape == (4, 8)
