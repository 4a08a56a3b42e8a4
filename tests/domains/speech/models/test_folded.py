"""Decoders over groups of frames: any length, no effect of padding, half the cost."""

import pytest
import torch
from torch.nn.functional import pad

from oneleap.domains.speech.models.folded import FoldedConvNeXt1d
from oneleap.domains.speech.models.nets import ConvNeXtConfig


def net(fold: int = 2) -> FoldedConvNeXt1d:
    made = FoldedConvNeXt1d(6, 6, 3, 16, 2, 2, fold).double()
    g = torch.Generator().manual_seed(0)
    for weight in made.parameters():
        weight.data = 0.3 * torch.randn(weight.shape, generator=g, dtype=torch.float64)
    return made


def inputs(n: int, rows: int = 2) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(1)
    z, mu = (torch.randn(rows, 6, n, generator=g, dtype=torch.float64) for _ in range(2))
    speaker = torch.randn(rows, 3, generator=g, dtype=torch.float64)
    r, t = torch.zeros(rows).double(), torch.full((rows,), 0.7).double()
    return z, r, t, mu, speaker


@pytest.mark.parametrize("fold", [2, 3])
@pytest.mark.parametrize("n", [1, 2, 7, 12])
def test_padding_has_no_effect(n: int, fold: int) -> None:
    z, r, t, mu, speaker = inputs(n)
    with torch.no_grad():
        alone = net(fold)(z, r, t, mu, speaker)
        mask = pad(torch.ones(2, 1, n, dtype=torch.bool), (0, 5))
        more = net(fold)(pad(z, (0, 5), value=9.0), r, t, pad(mu, (0, 5), value=9.0), speaker, mask)
    assert alone.shape == z.shape
    torch.testing.assert_close(more[..., :n], alone, atol=1e-12, rtol=1e-12)
    assert not more[..., n:].any()


def test_a_shift_by_a_group_shifts_the_output_and_a_shift_by_a_frame_does_not() -> None:
    z, r, t, mu, speaker = inputs(40)
    made = net()
    with torch.no_grad():
        whole = made(z, r, t, mu, speaker)
        two = made(z[..., 2:], r, t, mu[..., 2:], speaker)
        one = made(z[..., 1:], r, t, mu[..., 1:], speaker)
    torch.testing.assert_close(two[..., 20:], whole[..., 22:], atol=1e-12, rtol=1e-12)
    assert (one[..., 20:] - whole[..., 21:]).abs().max() > 1e-3


def test_the_cost_is_half() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    costs = []
    for fold in (1, 2):
        made = ConvNeXtConfig(width=64, depth=8, fold=fold).build(6, 3)
        z, r, t, mu, speaker = (x.float() for x in inputs(64))
        with FlopCounterMode(display=False) as flops:
            made(z, r, t, mu, speaker)
        costs.append(flops.get_total_flops())
    assert 0.5 <= costs[1] / costs[0] < 0.6
