"""Image encoders, and the random shift."""

import numpy as np
import torch
from support.tiny_rl import images

from oneleap.domains.rl.nets.vision import ImpalaEncoder, random_shift


def test_a_shift_moves_whole_pixels_and_repeats_the_border() -> None:
    x = torch.from_numpy(images(200))
    out = random_shift(x, 2, torch.Generator().manual_seed(0))
    found = set()
    for before, after in zip(x.numpy(), out.numpy(), strict=True):
        padded = np.pad(before, ((2, 2), (2, 2), (0, 0)), mode="edge")
        at = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(padded[i : i + 8, j : j + 8], after)
        ]
        assert len(at) == 1
        found.add(at[0])
    assert len(found) == 25
    assert torch.equal(random_shift(x, 0, torch.Generator()), x)


def test_the_encoder_is_impalas() -> None:
    net = ImpalaEncoder((64, 64, 3))
    kinds = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(m.in_channels, m.out_channels) for m in kinds][:3] == [(3, 16), (16, 32), (32, 32)]
    assert len(kinds) == 9
    assert net.out.in_features == 32 * 8 * 8
    odd = ImpalaEncoder((10, 14, 3))
    assert odd(torch.zeros(2, 420)).shape == (2, 128)
