"""The parts networks are made of, against their definitions."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.exact import seeded
from support.tiny_nets import KINDS, batch, tiny
from torch import Tensor

from oneleap.core.nets.attention import SelfAttention, rotary_angles, rotate
from oneleap.core.nets.embed import Context, zero_interval_embedding
from oneleap.core.nets.layers import AdaNorm
from oneleap.core.nets.mlp import MLP, ResidualMLP


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60))
def test_rotated_products_depend_on_the_distance_of_frames_alone(i: int, j: int, k: int) -> None:
    q, key = noise(2, 1, 1, 1, 8)
    rotation = rotary_angles(101, 8, q)

    def at(x: Tensor, frame: int) -> Tensor:
        return rotate(x, (rotation[0][frame : frame + 1], rotation[1][frame : frame + 1]))

    product = (at(q, i) * at(key, j)).sum()
    torch.testing.assert_close((at(q, i + k) * at(key, j + k)).sum(), product)
    torch.testing.assert_close(at(q, i).norm(), q.norm())


def test_rotation_is_multiplication_by_unit_complex_numbers() -> None:
    x, base = noise(1, 1, 5, 6), 10000.0
    frames = torch.arange(5, dtype=torch.float64)[:, None]
    angle = frames * torch.tensor([1.0, base ** (-1 / 3), base ** (-2 / 3)], dtype=torch.float64)
    wanted = torch.complex(x[..., :3], x[..., 3:]) * torch.polar(torch.ones_like(angle), angle)
    got = rotate(x, rotary_angles(5, 6, x))
    torch.testing.assert_close(got, torch.cat([wanted.real, wanted.imag], dim=-1))


def test_angles_are_exact_where_the_network_is_in_half_precision() -> None:
    far = rotary_angles(4001, 2, torch.zeros(1, dtype=torch.bfloat16))[0][4000]
    assert abs(far.item() - torch.tensor(4000.0).cos().item()) < 4e-3


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_the_softmax_of_scaled_products(masked: bool) -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention(8, 2).double(), noise(3, 5, 8)
    still = torch.ones(5, 2).double(), torch.zeros(5, 2).double()
    mask = torch.arange(5)[None, None] < torch.tensor([5, 3, 1])[:, None, None]
    q, k, v = layer.qkv(x).view(3, 5, 3, 2, 4).unbind(2)
    score = torch.einsum("bihd,bjhd->bhij", q, k) / 2
    if masked:
        score = score.masked_fill(~mask[:, None], -torch.inf)
    mixed = torch.einsum("bhij,bjhd->bihd", score.softmax(-1), v).flatten(2)
    got = layer(x, still, mask if masked else None)
    torch.testing.assert_close(got, layer.out(mixed))


def test_the_adaptive_norm_starts_as_a_layer_norm_and_is_then_scaled_and_shifted() -> None:
    norm, x, context = AdaNorm(4, 3).double(), noise(2, 5, 4), noise(2, 3)
    plain = torch.nn.functional.layer_norm(x, (4,), eps=1e-6)
    torch.testing.assert_close(norm(x, context), plain)
    torch.nn.init.normal_(norm.modulation.weight, generator=seeded())
    scale, shift = (context @ norm.modulation.weight.T)[:, None].chunk(2, dim=-1)
    torch.testing.assert_close(norm(x, context), plain * (1 + scale) + shift)


def test_the_context_depends_on_the_interval_only_where_r_differs_from_t() -> None:
    context, t = Context(5, time_dim=6).double(), torch.tensor([0.2, 0.9]).double()
    torch.nn.init.normal_(context.interval.weight, generator=seeded())
    fresh = Context(5, time_dim=6).double()
    fresh.load_state_dict({**context.state_dict(), "interval.weight": torch.zeros(5, 6)})
    assert torch.equal(context(t, t), fresh(t, t))
    assert (context(0 * t, t) != fresh(0 * t, t)).all()


@pytest.mark.parametrize("kind", ["mlp", "residual", *KINDS])
def test_a_student_with_a_zeroed_interval_embedding_starts_as_its_teacher(kind: str) -> None:
    inputs = batch()
    z, r, t, cond = inputs.z, inputs.r, inputs.t, inputs.cond
    if kind in KINDS:
        net: torch.nn.Module = tiny(kind)
    else:
        z, cond = inputs.z[..., 0], (inputs.vector,)
        net = {"mlp": MLP, "residual": ResidualMLP}[kind](3, cond_dim=4, width=16, time_dim=6)
        for weight in net.double().parameters():
            torch.nn.init.normal_(weight, std=0.5, generator=seeded())
    student = zero_interval_embedding(copy.deepcopy(net))
    wanted = net(z, t, t, *cond)
    assert (net(z, r, t, *cond) - wanted).abs().max() > 1e-3  # its weights know of intervals
    torch.testing.assert_close(student(z, r, t, *cond), wanted)
    torch.testing.assert_close(student(z, 0 * t, t, *cond), wanted)
    student(z, r, t, *cond).square().sum().backward()  # and it can learn of them again
    with torch.no_grad():
        for weight in student.parameters():
            weight -= 1e-3 * weight.grad
    changed = student(z, r, t, *cond) - student(z, t, t, *cond)
    assert changed.abs().max() > 1e-5


def test_a_network_without_an_interval_embedding_is_refused() -> None:
    with pytest.raises(ValueError, match="Linear has no interval embedding"):
        zero_interval_embedding(torch.nn.Linear(2, 2))


def test_vectors_and_times_count_in_the_residual_mlp() -> None:
    net = ResidualMLP(2, cond_dim=5, width=8, depth=2, guided=True).double()
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.5, generator=seeded())
    g = seeded(1)
    inputs = [torch.rand(4, *s, generator=g).double() for s in ((2,), (), (), (3,), (2,), ())]
    for tensor in inputs:
        tensor.requires_grad_()
    z, r, t, a, b, w = inputs
    u = net(z, r, t, a, b, guidance=w)
    assert u.shape == (4, 2)
    assert all((g != 0).all() for g in torch.autograd.grad(u.sum(), inputs))
