"""Forward derivatives: exact for every network, in full precision, on the kernel that has them."""

import pytest
import torch
from support.tiny_nets import KINDS, Batch, batch, tiny
from torch import Tensor, nn
from torch.func import functional_call

from oneleap.core.fields.jvp import jvp, total_derivative
from oneleap.core.nets import MLP, ResidualMLP
from oneleap.core.types import Conditioned, Field

each = pytest.mark.parametrize("kind", KINDS)


def field_of(kind: str, x: Batch) -> Field:
    if kind not in KINDS:
        net: nn.Module = {"mlp": MLP, "residual mlp": ResidualMLP}[kind](39, 4, 16).double()
        for weight in net.parameters():
            nn.init.normal_(weight, std=0.3)
        flat = Conditioned(net, (x.vector,))
        return lambda z, r, t: flat(z.flatten(1), r, t).view_as(z)
    return Conditioned(tiny(kind), x.cond)


@pytest.mark.parametrize("kind", [*KINDS, "mlp", "residual mlp"])
def test_the_total_derivative_equals_the_central_difference(kind: str) -> None:
    torch.manual_seed(0)
    x = batch()
    field, v, h = field_of(kind, x), x.z.cos(), 1e-5
    u, dudt = total_derivative(field, x.z, x.r, x.t, v)
    after, before = field(x.z + h * v, x.r, x.t + h), field(x.z - h * v, x.r, x.t - h)
    torch.testing.assert_close(dudt, (after - before) / (2 * h), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(u, field(x.z, x.r, x.t), rtol=1e-12, atol=1e-12)


@each
def test_gradients_pass_through_the_value_alone(kind: str) -> None:
    x, net = batch(), tiny(kind)
    weights, field = list(net.parameters()), Conditioned(net, x.cond)
    u, slope = jvp(field, (x.z, x.r, x.t), (x.z.cos(), 0 * x.r, 1 + 0 * x.t))
    assert not slope.requires_grad
    got = torch.autograd.grad(u.square().mean(), weights)
    wanted = torch.autograd.grad(field(x.z, x.r, x.t).square().mean(), weights)
    for mine, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(mine, theirs)


def kernels(function: object) -> set[str]:
    """Names of the attention kernels that ran."""
    assert callable(function)
    with torch.profiler.profile() as profile:
        function()
    names = {event.key for event in profile.key_averages()}
    return {name for name in names if name.startswith("aten::_scaled_dot_product")}


@pytest.mark.filterwarnings("ignore::UserWarning")  # of the profiler, about itself
def test_attention_leaves_its_fast_kernel_inside_a_jvp_only() -> None:
    x = batch()
    field = field_of("dit", x)
    fast = kernels(lambda: field(x.z, x.r, x.t))
    inside = kernels(lambda: total_derivative(field, x.z, x.r, x.t, x.z))
    assert fast == {"aten::_scaled_dot_product_flash_attention_for_cpu"}
    assert inside == {"aten::_scaled_dot_product_attention_math"}
    assert kernels(lambda: field(x.z, x.r, x.t)) == fast
    with pytest.raises(NotImplementedError, match="forward AD"):  # else this is needless
        torch.func.jvp(lambda z: field(z, x.r, x.t), (x.z,), (x.z,))
    assert kernels(lambda: field(x.z, x.r, x.t)) == fast


def dtypes(net: nn.Module) -> list[torch.dtype]:
    """The dtypes that the network's large layers will compute in, as they run."""
    seen = list[torch.dtype]()
    for name, module in net.named_modules():
        if isinstance(module, nn.Linear | nn.Conv1d) and not name.startswith("context"):
            module.register_forward_hook(lambda _, __, y: seen.append(y.dtype))
    return seen


@each
def test_autocast_speeds_up_plain_passes_and_spares_the_jvp(kind: str) -> None:
    net, x = tiny(kind).float(), batch(dtype=torch.float32)
    field, v = Conditioned(net, x.cond), x.z.cos()
    exact, exact_slope = total_derivative(field, x.z, x.r, x.t, v)
    seen = dtypes(net)
    with torch.autocast("cpu", torch.bfloat16):
        plain = field(x.z, x.r, x.t)
        depthwise = {torch.float32} if kind in ("convnext", "lynxnet") else set()
        assert set(seen) == {torch.bfloat16} | depthwise
        seen.clear()
        low = Conditioned(net, (x.sequence, x.vector.bfloat16(), x.mask))
        u, dudt = total_derivative(field, x.z, x.r, x.t, v)
        assert low(x.z, x.r, x.t).dtype == torch.float32
        n = len(seen) // 2
        total_derivative(low, x.z.bfloat16(), x.r, x.t, v.bfloat16())
    assert set(seen) == {torch.float32, torch.bfloat16}
    assert set(seen[:n] + seen[2 * n :]) == {torch.float32}
    assert plain.dtype == torch.float32
    assert torch.equal(u, exact)
    assert torch.equal(dudt, exact_slope)
    assert 0 < (plain - exact).abs().max() < 0.05 * exact.abs().max()


@each
def test_times_are_told_apart_under_autocast(kind: str) -> None:
    net, t = tiny(kind).float(), torch.tensor([0.5, 0.5005])
    with torch.autocast("cpu", torch.bfloat16):
        context = net.context(t, t, torch.zeros(2, 4))
    torch.testing.assert_close(context, net.context(t, t, torch.zeros(2, 4)), rtol=0, atol=0)
    assert context.dtype == torch.float32


@each
def test_hidden_layers_are_read_within_a_jvp_with_their_gradients(kind: str) -> None:
    name = {"unet": "mid.0", "wavenet": "blocks.1.gate"}.get(kind, "blocks.0")
    net, x, seen = tiny(kind), batch(), list[Tensor]()
    net.get_submodule(name).register_forward_hook(lambda _, __, y: seen.append(y))
    field, weights = Conditioned(net, x.cond), dict(net.named_parameters())
    wrapped = Conditioned(lambda *a: functional_call(net, weights, a), x.cond)
    field(x.z, x.r, x.t)
    total_derivative(field, x.z, x.r, x.t, x.z)
    total_derivative(wrapped, x.z, x.r, x.t, x.z)
    wanted, *rest = [
        torch.autograd.grad(
            (2 * h).square().sum(),
            list(weights.values()),
            materialize_grads=True,
            allow_unused=True,
        )
        for h in seen
    ]
    assert len(rest) == 2
    for got in rest:
        for mine, theirs in zip(got, wanted, strict=True):
            torch.testing.assert_close(mine, theirs)
