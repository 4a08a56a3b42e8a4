"""Every network, and a loss on it, compiles to one graph.

In processes of their own: the checks of shapes that this test run switches on are no part of the
product, and do not compile. Dynamo and autograd see the whole graph under ``aot_eager`` already;
inductor takes half a minute a network.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.tiny_nets import KINDS

PROLOGUE = """
import torch
from support.tiny_nets import KINDS, LENGTHS, batch, tiny
from oneleap.core.fields.jvp import total_derivative
from oneleap.core.nets import ResidualMLP
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.core.paths.times import TimePairs
from oneleap.core.types import Conditioned, TrainingBatch

kind, backend = {kind!r}, {backend!r}
x = batch(dtype=torch.float32)

def compiled(function, **options):
    return torch.compile(function, fullgraph=True, backend=backend, **options)

def close(mine, theirs):
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
"""


def run(body: str, kind: str = "dit", backend: str = "aot_eager") -> None:
    script = PROLOGUE.replace("{kind!r}", repr(kind)).replace("{backend!r}", repr(backend)) + body
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", script], check=True, timeout=900, env=env)


PLAIN = """
if kind in KINDS:
    net, args = tiny(kind, guided=True).float(), (x.z, x.r, x.t, *x.cond)
else:
    net, args = ResidualMLP(39, 4, 16, guided=True), (x.z.flatten(1), x.r, x.t, x.vector)
scale = 1 + x.t
close([compiled(net)(*args, guidance=scale)], [net(*args, guidance=scale)])
"""


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", [*KINDS, "residual mlp"])
def test_a_network_compiles_to_one_graph(kind: str, backend: str) -> None:
    run(PLAIN, kind, backend)


LOSS = """
net, seen = tiny(kind).float(), []
weights = list(net.parameters())
layer = {"unet": "mid.0", "wavenet": "blocks.1.gate"}.get(kind, "blocks.0")
objective = MeanFlow(pairs=TimePairs(p_equal=0.5))
draw = objective.draw(x.z)

def loss(z, draw):
    training_batch = TrainingBatch(field=Conditioned(net, x.cond), x=z, mask=x.mask)
    value = objective.loss(training_batch, draw).per_sample.mean()
    hidden = torch.cat(seen)
    seen.clear()
    return value + hidden.square().mean()

net.get_submodule(layer).register_forward_hook(lambda m, a, y: seen.append(y))
plain = torch.autograd.grad(loss(x.z, draw), weights, allow_unused=True, materialize_grads=True)
fast = torch.autograd.grad(
    compiled(loss)(x.z, draw), weights, allow_unused=True, materialize_grads=True
)
close(fast, plain)
"""


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=pytest.mark.slow if k == "unet" else ()) for k in KINDS]
)
def test_a_loss_with_a_jvp_and_a_hidden_layer_compiles_to_one_graph(
    kind: str, backend: str
) -> None:
    run(LOSS, kind, backend)


KERNELS = """
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.aot_autograd import make_boxed_func

graphs = []

def record(graph, inputs):
    graphs.append([str(node.target) for node in graph.graph.nodes])
    return make_boxed_func(graph.forward)

net, backend = tiny("dit").float().requires_grad_(False), aot_autograd(fw_compiler=record)
field = Conditioned(net, x.cond)

def both(z):
    slope = total_derivative(field, z, x.r, x.t, z)
    return *slope, field(z, x.r, x.t)

with torch.autocast("cpu", torch.bfloat16):
    mine, theirs = compiled(both)(x.z), both(x.z)
close(mine, theirs)
full = field(x.z, x.r, x.t)
torch.testing.assert_close(theirs[0], full, rtol=1e-5, atol=1e-5)  # as without autocast
assert not torch.equal(theirs[0], theirs[2])
(graph,) = graphs
assert sum("flash_attention" in target for target in graph) == net.depth, graph
assert sum("softmax" in target for target in graph) >= net.depth, graph
assert torch.backends.cuda.flash_sdp_enabled()
"""


def test_a_compiled_graph_has_fast_attention_outside_its_jvp_and_autocast_there_only() -> None:
    run(KERNELS)


LENGTH = """
net = tiny(kind).float()
fast = compiled(net, dynamic=True)
for n in (13, 12, 10):
    args = (x.z[..., :n], x.r, x.t, x.sequence[..., :n], x.vector, x.mask[..., :n])
    close([fast(*args)], [net(*args)])
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_one_graph_can_serve_every_length(kind: str) -> None:
    run(LENGTH, kind)
