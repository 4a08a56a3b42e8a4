"""Padding: what stands there is never looked at, and how much of it there is does not matter."""

from functools import partial

import pytest
import torch
from support.exact import seeded
from support.tiny_nets import KINDS, LENGTHS, batch, tiny
from torch import Tensor
from torch.nn.functional import pad

from oneleap.core.fields.jvp import total_derivative
from oneleap.core.nets.layers import MaskedGroupNorm
from oneleap.core.types import Conditioned

each = pytest.mark.parametrize("kind", KINDS)


@each
@pytest.mark.parametrize("value", [1e6, float("inf"), float("nan")])
def test_garbage_in_the_padding_changes_no_bit(kind: str, value: float) -> None:
    net, x = tiny(kind), batch()
    spoil = partial(torch.masked_fill, mask=~x.mask, value=value)
    dirty = net(spoil(x.z), x.r, x.t, spoil(x.sequence), x.vector, x.mask)
    assert torch.equal(dirty, net(x.z, x.r, x.t, *x.cond))
    assert (dirty.masked_select(~x.mask) == 0).all()


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_padded_sample_is_the_sample_alone(kind: str, dtype: torch.dtype) -> None:
    net, x = tiny(kind).to(dtype), batch(dtype=dtype)
    padded = net(x.z, x.r, x.t, *x.cond)
    tol = 1e-5 if dtype == torch.float32 else 1e-12
    for row, n in enumerate(LENGTHS):
        wanted = net(*x.alone(row))[0]
        torch.testing.assert_close(padded[row, :, :n], wanted, rtol=tol, atol=tol)


@each
@pytest.mark.parametrize("extra", [1, 2, 3, 7])
def test_more_padding_changes_nothing(kind: str, extra: int) -> None:
    net, x = tiny(kind), batch()
    longer = [pad(y, (0, extra)) for y in (x.z, x.sequence, x.mask)]
    u = net(longer[0], x.r, x.t, longer[1], x.vector, longer[2])[..., :-extra]
    torch.testing.assert_close(u, net(x.z, x.r, x.t, *x.cond), rtol=1e-12, atol=1e-12)


@each
def test_a_mask_without_padding_is_no_mask(kind: str) -> None:
    net, x = tiny(kind), batch()
    cond = x.sequence, x.vector
    masked = net(x.z, x.r, x.t, *cond, torch.ones_like(x.mask))
    torch.testing.assert_close(masked, net(x.z, x.r, x.t, *cond), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["dit", "convnext", "wavenet"])
def test_padding_may_come_first(kind: str) -> None:
    net, x = tiny(kind), batch()
    u = net(*(y.flip(-1) if y.ndim == 3 else y for y in (x.z, x.r, x.t, *x.cond)))
    for row, n in enumerate(LENGTHS):
        z, r, t, sequence, vector = x.alone(row)
        wanted = net(z.flip(-1), r, t, sequence.flip(-1), vector)[0]
        torch.testing.assert_close(u[row, :, -n:], wanted, rtol=1e-12, atol=1e-12)


@each
def test_derivatives_and_gradients_pass_by_the_padding(kind: str) -> None:
    net, x = tiny(kind), batch()
    weights = list(net.parameters())

    def gradients(fill: float) -> tuple[Tensor, ...]:
        z, v = (y.masked_fill(~x.mask, fill) for y in (x.z, x.z.sin()))
        u, dudt = total_derivative(Conditioned(net, x.cond), z, x.r, x.t, v)
        return (u, dudt, *torch.autograd.grad(u.square().sum(), weights))

    clean, dirty = gradients(0.0), gradients(float("nan"))
    assert all(torch.equal(a, b) for a, b in zip(clean, dirty, strict=True))
    assert all(a.isfinite().all() for a in clean)


@each
def test_a_sample_of_padding_alone_harms_nobody(kind: str) -> None:
    net, x = tiny(kind), batch()
    mask = x.mask.clone()
    mask[1] = False
    field = Conditioned(net, (x.sequence, x.vector, mask))
    u, dudt = total_derivative(field, x.z, x.r, x.t, x.z)
    gradients = torch.autograd.grad(u.square().sum(), list(net.parameters()))
    assert all(y.isfinite().all() for y in (u, dudt, *gradients))
    assert (u[1] == 0).all()
    others = torch.tensor([0, 2, 3])
    torch.testing.assert_close(u[others], net(x.z, x.r, x.t, *x.cond)[others])


def test_the_masked_group_norm_is_the_group_norm_of_the_real_frames() -> None:
    norm, x = MaskedGroupNorm(2, 6).double(), batch()
    for weight in norm.parameters():
        torch.nn.init.normal_(weight, generator=seeded())
    h = torch.cat([x.z, x.z.cos() + 5], dim=1)
    got = norm(h, x.mask)
    for row, n in enumerate(LENGTHS):
        torch.testing.assert_close(got[row, :, :n], norm(h[row : row + 1, :, :n])[0])
    low = norm.float()(h.bfloat16(), x.mask)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.double(), got, rtol=0.1, atol=0.1)
