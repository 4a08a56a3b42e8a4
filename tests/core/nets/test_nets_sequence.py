"""Networks over sequences: how they are called, what they heed, how they start."""

import inspect

import pytest
import torch
from support.tiny_nets import KINDS, LENGTHS, C, G, S, batch, tiny
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.nets import ConvNeXt1d, DiT1d, ResidualMLP, UNet1d, WaveNet
from oneleap.core.types import Conditioned

each = pytest.mark.parametrize("kind", KINDS)


@each
@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_conditions_it_was_not_built_for_are_left_out_of_the_call(
    kind: str, sequence: bool, vector: bool, masked: bool
) -> None:
    net, x = tiny(kind, sequence, vector), batch()
    wanted = zip(x.cond, (sequence, vector, masked), strict=True)
    u = net(x.z, x.r, x.t, *(c for c, there in wanted if there))
    assert (u.shape, u.dtype) == (x.z.shape, x.z.dtype)


@each
def test_every_input_counts(kind: str) -> None:
    net, x = tiny(kind), batch()
    inputs = [y.clone().requires_grad_() for y in (x.z, x.r, x.t, x.sequence, x.vector)]
    for gradient in torch.autograd.grad(net(*inputs).square().sum(), inputs):
        assert (gradient != 0).all()


@each
def test_every_weight_counts(kind: str) -> None:
    net, x = tiny(kind, guided=True), batch()
    u = net(x.z, x.r, x.t, *x.cond, guidance=1 + x.t)
    gradients = torch.autograd.grad(u.square().sum(), list(net.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in gradients)


@each
@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: (),
        lambda x: (x.sequence,),
        lambda x: (x.vector, x.sequence),
        lambda x: (x.sequence, x.vector, x.vector),
        lambda x: (x.sequence[..., 1:], x.vector),
        lambda x: (x.sequence, x.vector, x.mask.mT),
        lambda x: (x.sequence, x.vector, x.mask[..., 1:]),
        lambda x: (x.mask, x.sequence, x.vector),
    ],
)
def test_other_conditions_are_refused_by_naming_the_shapes(kind: str, wrong: object) -> None:
    assert callable(wrong)
    x = batch()
    wants = rf"takes z \(4, {C}, 13\), a sequence \(4, {S}, 13\), a vector \(4, {G}\).*it got"
    with pytest.raises(ValueError, match=wants):
        tiny(kind)(x.z, x.r, x.t, *wrong(x))


@each
def test_rows_do_not_mix_and_can_be_sliced(kind: str) -> None:
    net, x, part = tiny(kind), batch(), slice(1, 3)
    whole = Conditioned(net, x.cond)
    torch.testing.assert_close(
        whole.rows(part)(x.z[part], x.r[part], x.t[part]), whole(x.z, x.r, x.t)[part]
    )


@each
def test_conditions_can_be_dropped(kind: str) -> None:
    net, x = tiny(kind), batch()
    null = torch.zeros_like(x.sequence), torch.zeros_like(x.vector), x.mask
    dropped = torch.tensor([True, False, True, False])
    got = Conditioned(net, x.cond, null).drop(dropped)(x.z, x.r, x.t)
    rows = torch.where(dropped[:, None, None], net(x.z, x.r, x.t, *null), 0 * got)
    torch.testing.assert_close(got * dropped[:, None, None], rows)


@each
def test_guidance_is_an_input_where_it_was_asked_for_and_nowhere_else(kind: str) -> None:
    x = batch()
    scales = torch.tensor([0.0, 1.0, 2.0, 8.0]).double()
    guided, plain = tiny(kind, guided=True), tiny(kind)
    field = Conditioned(guided, x.cond)
    changed = field.with_guidance(scales)(x.z, x.r, x.t) != field.with_guidance(scales + 1)(
        x.z, x.r, x.t
    )
    assert changed[x.mask.expand_as(changed)].all()
    with pytest.raises(ValueError, match="takes no guidance scale: build it with guided=True"):
        Conditioned(plain, x.cond).with_guidance(scales)(x.z, x.r, x.t)
    with pytest.raises(ValueError, match="give it a guidance scale for each row"):
        field(x.z, x.r, x.t)


@each
@pytest.mark.parametrize("n", range(1, 10))
def test_any_length_will_do(kind: str, n: int) -> None:
    net, x = tiny(kind, sequence=False, vector=False), batch()
    assert net(x.z[..., :n], x.r, x.t).isfinite().all()


@pytest.mark.parametrize("kind", ["dit", "convnext", "wavenet"])
def test_a_fresh_network_is_zero_where_the_field_does_that(kind: str) -> None:
    x = batch(dtype=torch.float32)
    assert (KINDS[kind](S, G, False)(x.z, x.r, x.t, *x.cond) == 0).all()


@each
def test_a_network_trained_at_equal_times_ignores_the_interval(kind: str) -> None:
    torch.manual_seed(0)
    net, x = KINDS[kind](S, G, True).double(), batch()
    one = torch.ones_like(x.t)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    for _ in range(3):
        net(x.z, x.t, x.t, *x.cond, guidance=one).sub(x.z).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    teacher = net(x.z, x.t, x.t, *x.cond, guidance=one)
    assert teacher.abs().max() > 0
    assert torch.equal(net(x.z, x.r, x.t, *x.cond, guidance=one), teacher)
    assert torch.equal(net(x.z, x.r, x.t, *x.cond, guidance=5 * one), teacher)


def test_sizes_are_those_of_the_documentation() -> None:
    with torch.device("meta"):
        nets: dict[nn.Module, float] = {
            DiT1d(80, sequence_dim=80): 10,
            ConvNeXt1d(80, sequence_dim=80): 19,
            WaveNet(80, sequence_dim=256): 15,
            UNet1d(7, cond_dim=64): 65,
            UNet1d(7, cond_dim=64, widths=(128, 256, 512)): 17,
        }
        millions = {net: sum(p.numel() for p in net.parameters()) / 1e6 for net in nets}
        assert all(round(millions[net]) == size for net, size in nets.items())
        small = sum(p.numel() for p in ResidualMLP(28, cond_dim=137).parameters())
        assert round(small / 1e6, 1) == 1.4


@each
def test_constructor_arguments_are_kept(kind: str) -> None:
    for module in KINDS[kind](S, G, False).modules():
        kind_of = type(module)
        if kind_of.__module__.startswith("oneleap") and "__init__" in vars(kind_of):
            assert set(inspect.signature(kind_of).parameters) <= set(dir(module))


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(InputError, match="width 12 must be a multiple of twice the heads"):
        DiT1d(3, width=12, heads=4)
    with pytest.raises(InputError, match="must be multiples of groups 8"):
        UNet1d(3, widths=(16, 20))


HIDDEN = [  # network, layer, axis of its frames, channels, frames of the data to one of its own
    ("unet", "down.0", 2, 8, 1),
    ("unet", "down.1.0", 2, 8, 2),
    ("unet", "mid", 2, 16, 4),
    ("unet", "up.1", 2, 8, 2),
    ("dit", "blocks.1", 1, 8, 1),
    ("convnext", "blocks.1", 1, 8, 1),
    ("wavenet", "blocks.2.gate", 2, 8, 1),
]


@pytest.mark.parametrize(("kind", "name", "axis", "width", "stride"), HIDDEN)
def test_hidden_layers_are_read_by_name_and_zero_at_padding(
    kind: str, name: str, axis: int, width: int, stride: int
) -> None:
    net, x, seen = tiny(kind), batch(), list[Tensor]()
    net.get_submodule(name).register_forward_hook(lambda _, __, y: seen.append(y))
    net(x.z, x.r, x.t, *x.cond)
    (h,) = seen
    assert h.shape[3 - axis] == width
    real = (h != 0).any(3 - axis).long()
    assert real.sum(1).tolist() == [-(-n // stride) for n in LENGTHS]
    assert (real.diff(dim=1) <= 0).all()
