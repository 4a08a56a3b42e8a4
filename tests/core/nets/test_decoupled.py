"""Decoupled MeanFlow's network: the first blocks see ``t``, the last ones ``r``."""

import pytest
import torch
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.nets import DiT1d
from oneleap.core.objectives import MeanFlow
from oneleap.core.paths.pairs import ApartPairs
from oneleap.core.types import TrainingBatch


def built(decoder: int) -> DiT1d:
    """A network without zeros, so that all its parts have an effect."""
    torch.manual_seed(0)
    net = DiT1d(3, cond_dim=2, width=8, depth=3, heads=2, time_dim=8, decoder=decoder).double()
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.3)
    return net


CASE = torch.randn(4, 3, 6).double(), torch.rand(4).double(), torch.randn(4, 2).double()


def seen_by(net: DiT1d, r: Tensor, t: Tensor) -> list[Tensor]:
    """What each block is given as context."""
    z, _, vector = CASE
    seen: list[Tensor] = []
    hooks = [b.register_forward_pre_hook(lambda _, args: seen.append(args[1])) for b in net.blocks]
    net(z, r, t, vector)
    for hook in hooks:
        hook.remove()
    return seen


def test_weights_are_those_of_a_plain_network_and_so_is_the_velocity() -> None:
    (z, t, vector), plain, net = CASE, built(0), built(1)
    net.load_state_dict(plain.state_dict())
    torch.testing.assert_close(net(z, t, t, vector), plain(z, t, t, vector))
    assert (net(z, t / 2, t, vector) - net(z, t, t, vector)).abs().max() > 1e-3


def test_the_first_blocks_see_t_and_the_last_ones_r() -> None:
    net, (_, t, _) = built(1), CASE
    start, other_r, other_t = (seen_by(net, *h) for h in ((t / 2, t), (t / 3, t), (t / 2, t / 3)))
    same_r = [torch.equal(a, b) for a, b in zip(start, other_r, strict=True)]
    same_t = [torch.equal(a, b) for a, b in zip(start, other_t, strict=True)]
    assert same_r == [True, True, False]
    assert same_t == [False, False, True]


def test_its_map_trains_by_meanflow_with_laws_of_its_own_for_both_times() -> None:
    (z, _, vector), net = CASE, built(1)
    objective = MeanFlow(ApartPairs())
    loss = objective(TrainingBatch(field=lambda z, r, t: net(z, r, t, vector[: len(z)]), x=z))
    loss.per_sample.sum().backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in net.blocks.parameters())


def test_a_decoder_of_more_blocks_than_there_are_is_told() -> None:
    with pytest.raises(InputError, match="decoder must be at most depth=3 blocks, not 4"):
        built(4)
