"""Products with zeros leave a graph; what is looked at between calls; memory that stays."""

import os
import platform
import subprocess
import sys

import pytest
import torch
from torch import fx

from oneleap.core.training.graph_pass import DropZeroProducts

aten = torch.ops.aten

# The graph of the test below, as torch.compile makes it; in a process of its own, for the checks of
# shapes that this test run switches on do not compile.
SCRIPT = """
import torch
from oneleap.core.training.graph_pass import DropZeroProducts
from oneleap.core.fields.jvp import total_derivative
from oneleap.core.nets import MLP

net, s = MLP(3, 2, width=16), torch.randn(8, 2)
z, v, t = torch.randn(8, 3), torch.randn(8, 3), torch.rand(8)

def loss(weights, z):
    field = lambda *at: torch.func.functional_call(net, weights, (*at, s))
    u, dudt = total_derivative(field, z, t / 2, t, v)
    return (u - (v - t.unsqueeze(1) * dudt).detach()).square().mean()

class Counting(DropZeroProducts):
    left = None
    def __call__(self, graph):
        super().__call__(graph)
        products = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default)
        Counting.left = sum(n.target in products for n in graph.nodes)
    def uuid(self):
        return None

function = torch.func.grad_and_value(loss)
weights = {k: p.detach() for k, p in net.named_parameters()}
options = {"joint_custom_pre_pass": Counting()}
fast = torch.compile(function, fullgraph=True, dynamic=False, options=options)
mine, theirs = fast(weights, z), function(weights, z)
torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
# Four layers, forward and tangent; backward, their weights' gradients and three layers' inputs'.
assert Counting.left == 4 + 4 + 4 + 3, Counting.left
"""


def test_a_jacobian_product_multiplies_by_no_zeros() -> None:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=600, env=env)


def graph_of(value: float, convolve: bool = False, bias: bool = False) -> fx.GraphModule:
    """``x + x @ full(value)``, or the same with a convolution."""
    graph = fx.Graph()
    shape = (1, 2, 3) if convolve else (4, 4)
    x = graph.placeholder("x")
    b = graph.placeholder("b") if bias else None
    weight = (2, 2, 1) if convolve else (4, 1)
    y = graph.call_function(aten.full.default, (list(weight), value))
    if convolve:
        args = (x, y, b, [1], [0], [1], False, [0], 1)
        product = graph.call_function(aten.convolution.default, args)
    else:
        y = graph.call_function(aten.expand.default, (y, [4, 4]))
        product = graph.call_function(aten.mm.default, (x, y))
    product.meta["val"] = torch.empty(shape)
    graph.output(graph.call_function(aten.add.Tensor, (x, product)))
    DropZeroProducts()(graph)
    graph.lint()
    return fx.GraphModule({}, graph)


@pytest.mark.parametrize("convolve", [False, True])
@pytest.mark.parametrize("value", [0.0, 0.5])
def test_only_products_with_zeros_go(value: float, convolve: bool) -> None:
    module = graph_of(value, convolve)
    targets = {node.target for node in module.graph.nodes}
    kept = bool(targets & {aten.mm.default, aten.convolution.default})
    assert kept == (value != 0)
    x = torch.arange(6.0).reshape(1, 2, 3) if convolve else torch.eye(4)
    product = value * (x.sum(1, keepdim=True) if convolve else torch.ones(4, 4))
    torch.testing.assert_close(module(x), x + product)


def test_a_convolution_with_zeros_keeps_its_bias() -> None:
    module = graph_of(0.0, convolve=True, bias=True)
    x, b = torch.ones(1, 2, 3), torch.tensor([1.0, 2.0])
    torch.testing.assert_close(module(x, b), x + b.reshape(1, 2, 1))


SHAPES = """
import warnings
import torch
from oneleap.core.training.compile import compiled

double = compiled(lambda x: 2 * x)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for n in range(2, 13):
        assert torch.equal(double(torch.ones(n)), torch.full((n,), 2.0))
    assert torch.equal(double(torch.ones(3)), torch.full((3,), 2.0))
assert ["further shapes run uncompiled" in str(w.message) for w in caught] == [True], caught
"""


def test_shapes_beyond_what_torch_compiles_run_plainly_and_warn_once() -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", SHAPES], env=environment, check=False)
    assert done.returncode == 0


FIXED = """
import torch
from oneleap.core.training.compile import compiled

class Scale:
    factor = 2.0
    def times(self, x):
        return self.factor * x

three, four = torch.ones(3), torch.ones(4)
for fixed in (False, True):
    scale = Scale()
    times = compiled(scale.times, fixed=fixed)
    assert times(three)[0] == 2
    scale.factor = 5.0
    assert times(three)[0] == (2 if fixed else 5)
    assert torch.equal(times(four), torch.full((4,), 5.0))
    assert times(three.double()).dtype == torch.float64
"""

MEMORY = """
import resource
import torch
from oneleap.core.training.compile import retain_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def step():
    return [torch.ones(2**17) for _ in range(40)]  # 20 MiB in all

def faults_of_steps():
    step()
    before = faults()
    for _ in range(10):
        step()
    return faults() - before

retain_freed_memory()
print(faults_of_steps())
"""


def script(code: str) -> str:
    """Run code in a process of its own, and give what it prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, text=True, stdout=subprocess.PIPE
    ).stdout


def test_a_fixed_method_is_asked_for_its_arguments_alone() -> None:
    script(FIXED)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's allocator")
def test_memory_that_a_step_frees_stays() -> None:
    """A page is 4 KiB: ten steps of 20 MiB are 51,200, and so many are counted without."""
    assert int(script(MEMORY)) < 2_000
