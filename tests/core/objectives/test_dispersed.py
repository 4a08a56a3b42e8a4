"""Dispersive losses around any objective."""

import copy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from support.exact import seeded
from support.tiny_nets import KINDS, LENGTHS, batch, tiny
from torch import Tensor, nn
from torch.func import functional_call

from oneleap.core.errors import InputError
from oneleap.core.hub.config import from_config, to_config
from oneleap.core.losses.dispersion import Covariance, Dispersion, Hinge, InfoNCECosine, InfoNCEL2
from oneleap.core.losses.hooks import ActivationRecorder, downsample_mask
from oneleap.core.nets import MLP, UNet1d
from oneleap.core.objectives import (
    ConsistencyTrajectory,
    Dispersed,
    FlowMatching,
    ImprovedMeanFlow,
    MeanFlow,
    SplitMeanFlow,
)
from oneleap.core.objectives import dispersed as dispersed_file
from oneleap.core.paths.base import LinearPath
from oneleap.core.types import Conditioned, Draw, Objective, TrainingBatch

FOUR: list[Dispersion] = [InfoNCEL2(0.7), InfoNCECosine(0.4), Hinge(2.5), Covariance()]
each_of_four = pytest.mark.parametrize("dispersion", FOUR, ids=lambda d: type(d).__name__)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


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


# Mutants.


def added() -> None:
    test_it_adds_the_dispersion_of_the_very_pass_that_is_trained(MeanFlow(), InfoNCEL2())


def pooled() -> None:
    test_features_are_means_over_real_frames()


RECORD, POOL = ActivationRecorder.activations, dispersed_file.mean_pool
MUTANTS: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "first-layer-only": (
        ActivationRecorder,
        "activations",
        lambda self: dict(list(RECORD(self).items())[:1]),
        added,
    ),
    "half-of-the-batch": (
        ActivationRecorder,
        "activations",
        lambda self: {name: h[: len(h) // 2] for name, h in RECORD(self).items()},
        added,
    ),
    "without-gradient": (
        ActivationRecorder,
        "activations",
        lambda self: {name: h.detach() for name, h in RECORD(self).items()},
        added,
    ),
    "mean-with-padding": (
        dispersed_file,
        "mean_pool",
        lambda h, frames, mask, batch: h.mean(frames),
        pooled,
    ),
    "padding-for-frames": (
        dispersed_file,
        "mean_pool",
        lambda h, frames, mask, batch: POOL(h, frames, None if mask is None else ~mask, batch),
        pooled,
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_of_the_wrapper_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: tuple[Any, str, Any, Callable[[], None]]
) -> None:
    where, name, wrong, exactness = mutant
    exactness()
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises((AssertionError, RuntimeError)):  # without gradient, torch has none to take
        exactness()
