"""Dispersive losses pair by pair, hidden layers by name, and both around any objective."""

import copy
import math
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from support.exact import seeded
from support.tiny_nets import KINDS, LENGTHS, batch, tiny
from torch import Tensor, nn
from torch.func import functional_call

from oneleap.core import nets
from oneleap.core.errors import InputError
from oneleap.core.hub.config import from_config, to_config
from oneleap.core.losses import dispersion as dispersive
from oneleap.core.losses.dispersion import Covariance, Dispersion, Hinge, InfoNCECosine, InfoNCEL2
from oneleap.core.losses.hooks import ActivationRecorder
from oneleap.core.nets import MLP, ResidualMLP, UNet1d
from oneleap.core.objectives import (
    ConsistencyTrajectory,
    Dispersed,
    FlowMatching,
    ImprovedMeanFlow,
    MeanFlow,
    SplitMeanFlow,
)
from oneleap.core.objectives.dispersed import downsample_mask
from oneleap.core.paths.base import LinearPath
from oneleap.core.types import Conditioned, Draw, Objective, TrainingBatch

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


def layer_of(kind: str) -> str:
    return {"unet": "mid", "wavenet": "blocks.0.gate", "mlp": "layers.1"}.get(kind, "blocks.0")


def network(kind: str) -> nn.Module:
    vectors = {"mlp": lambda: MLP(3, 2, 8, 2, 8), "residual mlp": lambda: ResidualMLP(3, 2, 8)}
    torch.manual_seed(0)
    return vectors[kind]().double() if kind in vectors else tiny(kind)


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


# Around an objective.

AROUND: list[Objective] = [FlowMatching(), MeanFlow(), ImprovedMeanFlow(), SplitMeanFlow()]
each_objective = pytest.mark.parametrize("objective", AROUND, ids=lambda o: type(o).__name__)


class Counted(nn.Module):
    """A network that counts its calls, under one condition."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net, self.calls = MLP(3, 2, 16, 2, 8).double(), 0

    def forward(self, *args: Tensor) -> Tensor:
        self.calls += 1
        u: Tensor = self.net(*args)
        return u


def gradients(loss: Tensor, net: nn.Module) -> Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))])


@each_objective
@each_of_four
def test_it_adds_the_dispersion_of_the_very_pass_that_is_trained(
    objective: Objective, dispersion: Dispersion
) -> None:
    net, x, cond = Counted(), randn(10, 3), randn(10, 2)
    layers = ("net.layers.1", "net.layers.3")
    dispersed = Dispersed(objective, dispersion, layers, weight=0.3)
    dispersed.record_activations(net)
    target = Conditioned(copy.deepcopy(net), (cond,))
    training_batch = TrainingBatch(field=Conditioned(net, (cond,)), x=x, target=target)
    draw = dispersed.draw(x, seeded(), 0.2)
    alone = objective.draw(x, seeded(), 0.2)
    for name, value in vars(draw).items():
        assert value is None or torch.equal(value, getattr(alone, name))

    loss, calls = dispersed.loss(training_batch, draw), net.calls
    plain = objective.loss(training_batch, draw)
    assert net.calls == 2 * calls
    z = LinearPath().point(x, draw.e, draw.t)
    first = net.net.layers[:2](torch.cat([z, net.net.times(draw.r, draw.t), cond], 1))
    extra = (dispersion(first) + dispersion(net.net.layers[2:4](first))) / 2
    torch.testing.assert_close(loss.per_sample, plain.per_sample + 0.3 * extra)
    assert not loss.logs["dispersion"].requires_grad
    torch.testing.assert_close(loss.logs["dispersion"], extra)
    wanted = gradients(plain.per_sample.mean() + 0.3 * extra, net)
    torch.testing.assert_close(gradients(loss.per_sample.mean(), net), wanted)


def test_without_weight_it_is_the_objective() -> None:
    net, x = MLP(3, width=16).double(), randn(10, 3)
    for objective in AROUND:
        dispersed = Dispersed(objective, weight=0.0)
        dispersed.record_activations(net)
        training_batch = TrainingBatch(field=net, x=x)
        losses = [o(training_batch, seeded()).per_sample for o in (dispersed, objective)]
        torch.testing.assert_close(*losses, rtol=0, atol=0)


def test_every_pass_with_a_gradient_counts() -> None:
    """CTM trains two leaps of each row; gradients through its average are not the student's."""
    net, x = MLP(3, width=16).double(), randn(10, 3)
    seen: list[Tensor] = []

    class Seeing(InfoNCEL2):
        def __call__(self, h: Tensor) -> Tensor:
            seen.append(h)
            return super().__call__(h)

    dispersed = Dispersed(ConsistencyTrajectory(), Seeing())
    dispersed.record_activations(net)
    dispersed(TrainingBatch(field=net, x=x, target=copy.deepcopy(net)), seeded())
    assert seen[0].shape == (20, 16)


@each_objective
def test_it_works_under_functional_gradients(objective: Objective) -> None:
    """As OFQL takes them: the network hides behind a closure."""
    net, x = MLP(3, width=16).double(), randn(10, 3)
    dispersed = Dispersed(objective)
    dispersed.record_activations(net)
    draw = dispersed.draw(x, seeded())

    def loss(weights: dict[str, Tensor]) -> Tensor:
        def field(*args: Tensor) -> Tensor:
            u: Tensor = functional_call(net, weights, args)
            return u

        return dispersed.loss(TrainingBatch(field=field, x=x), draw).per_sample.mean()

    with torch.no_grad():
        got = torch.func.grad(loss)(dict(net.named_parameters()))
    wanted = gradients(dispersed.loss(TrainingBatch(field=net, x=x), draw).per_sample.mean(), net)
    torch.testing.assert_close(torch.cat([g.flatten() for g in got.values()]), wanted)


def test_nested_wrappers_record_too_and_missing_hooks_are_an_error() -> None:
    net, x = MLP(3, width=16).double(), randn(10, 3)
    both = Dispersed(Dispersed(FlowMatching(), Hinge(), ("layers.3",)), Covariance())
    with pytest.raises(InputError, match="no activations were recorded"):
        both(TrainingBatch(field=net, x=x), seeded())
    both.record_activations(net)
    assert both(TrainingBatch(field=net, x=x), seeded()).per_sample.isfinite().all()


# Padding.


@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_no_feature(kind: str) -> None:
    """Neither what is in it nor how much of it there is."""
    frames = 1 if kind in ("dit", "convnext", "lynxnet") else 2
    net, b = tiny(kind), batch()
    dispersed = Dispersed(FlowMatching(), InfoNCEL2(0.1), weight=1.0, frames=frames)
    dispersed.record_activations(net)
    e = randn(*b.z.shape, seed=7)

    def dispersion(spoilt: float, extra: int) -> Tensor:
        def longer(a: Tensor) -> Tensor:
            return nn.functional.pad(a, (0, extra), value=spoilt)

        mask = nn.functional.pad(b.mask, (0, extra))
        x = longer(b.z).masked_fill(~mask, spoilt)
        cond = (longer(b.sequence), b.vector, mask)
        draw = Draw(longer(e), b.t, b.t)
        training_batch = TrainingBatch(field=Conditioned(net, cond), x=x, mask=mask)
        return dispersed.loss(training_batch, draw).logs["dispersion"]

    clean = dispersion(0.0, 0)
    torch.testing.assert_close(dispersion(9.0, 0), clean)
    torch.testing.assert_close(dispersion(9.0, 8), clean)
    blind = replace(dispersed, frames=None)
    blind.record_activations(net)
    with pytest.raises(InputError, match="set frames"):
        blind(TrainingBatch(field=Conditioned(net, b.cond), x=b.z, mask=b.mask), seeded())
    full = replace(dispersed, frames=frames)
    full.record_activations(net)
    with pytest.raises(InputError, match="only one axis besides the batch"):
        full(
            TrainingBatch(field=Conditioned(net, b.cond), x=b.z, mask=b.mask.expand_as(b.z)),
            seeded(),
        )


def test_features_are_means_over_real_frames() -> None:
    net, b, seen = tiny("dit"), batch(), list[Tensor]()
    dispersed = Dispersed(FlowMatching(), frames=1)
    dispersed.record_activations(net)
    net.get_submodule("blocks.0").register_forward_hook(lambda m, i, o: seen.append(o))
    training_batch = TrainingBatch(field=Conditioned(net, b.cond), x=b.z, mask=b.mask)
    loss = dispersed(training_batch, seeded())
    means = [h[:n].mean(0) for h, n in zip(seen[0], LENGTHS, strict=True)]
    torch.testing.assert_close(loss.logs["dispersion"], InfoNCEL2()(torch.stack(means)).detach())
    seen.clear()
    plain = TrainingBatch(field=Conditioned(net, b.cond[:2]), x=b.z)
    loss = dispersed(plain, seeded())
    wanted = InfoNCEL2()(seen[0].mean(1)).detach()
    torch.testing.assert_close(loss.logs["dispersion"], wanted)


@pytest.mark.parametrize("n", [3, 4, 5, 7, 8, 9, 12, 13, 31])
def test_the_frames_of_a_coarser_layer_are_the_unets_own(n: int) -> None:
    net, real = UNet1d(2, widths=(8, 8, 16), groups=4), torch.rand(6, 1, n) < 0.3
    _, masks = net.pad_to_strides(torch.zeros(6, 2, n), real)
    for mask in masks:
        assert mask is not None
        assert torch.equal(downsample_mask(real.flatten(1), mask.shape[-1]), mask.flatten(1))


# Settings and compilation.


def test_it_can_be_written_down() -> None:
    dispersed = Dispersed(SplitMeanFlow(), Hinge(0.3), ("blocks.1", "mid"), 0.1, 2)
    again = from_config(to_config(dispersed))
    assert again == dispersed
    assert again != Dispersed(SplitMeanFlow())
    assert "_recorder" not in repr(dispersed)


COMPILED = """
import copy, torch
from support.tiny_nets import batch, tiny
from oneleap.core.losses.dispersion import Covariance, Hinge, InfoNCECosine, InfoNCEL2
from oneleap.core.nets import MLP
from oneleap.core.objectives import (
    ConsistencyTrajectory, Dispersed, FlowMatching, SplitMeanFlow,
)
from oneleap.core.types import Conditioned, TrainingBatch

torch.manual_seed(0)
b = batch(dtype=torch.float32)
for objective, dispersion, frames in (
    (FlowMatching(), InfoNCEL2(), 1), (None, Covariance(), None),
    (SplitMeanFlow(), Hinge(), None), (ConsistencyTrajectory(), InfoNCECosine(), None),
):
    net, x, cond, mask = MLP(4, 4, 8, 1, 8), b.vector, (b.vector.cos(),), None
    if frames is not None:
        net, x, cond, mask = tiny("dit").float(), b.z, b.cond, b.mask
    average = copy.deepcopy(net).requires_grad_(False)
    dispersed = Dispersed(objective, dispersion, frames=frames)
    dispersed.record_activations(net)
    draw, weights = dispersed.draw(x), list(net.parameters())

    def loss(x, draw):
        fields = [Conditioned(n, cond) for n in (net, average)]
        training_batch = TrainingBatch(field=fields[0], x=x, mask=mask, target=fields[1])
        return dispersed.loss(training_batch, draw).per_sample.mean()

    compiled = torch.compile(loss, fullgraph=True, backend="{backend}")
    pairs = zip(*(torch.autograd.grad(f(x, draw), weights) for f in (loss, compiled)))
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4)
"""


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_it_compiles_to_one_graph(backend: str) -> None:
    script = f"import sys; sys.path[:0] = {sys.path!r}\n" + COMPILED.replace("{backend}", backend)
    subprocess.run([sys.executable, "-c", script], check=True, timeout=900)
