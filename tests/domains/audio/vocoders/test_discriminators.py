"""Discriminators accept any length and ignore loudness."""

import pytest
import torch

from oneleap.domains.audio.vocoders.discriminators import (
    MultiPeriodDiscriminator,
    MultiResolutionDiscriminator,
)


@pytest.mark.parametrize("n", [700, 1001])
def test_discriminators_accept_any_length(n: int) -> None:
    wave = torch.randn(2, n, generator=torch.Generator().manual_seed(0))
    for discriminator, count in (
        (MultiPeriodDiscriminator((2, 3, 7), 32), 3),
        (MultiResolutionDiscriminator((512, 256), 4), 2),
    ):
        outputs = discriminator(wave)
        assert len(outputs) == count
        assert all(o.score.shape[0] == 2 and len(o.features) >= 4 for o in outputs)


def test_loudness_has_no_influence() -> None:
    discriminator, wave = MultiResolutionDiscriminator((256,), 4), torch.randn(1, 900)
    a, b = (discriminator(x)[0].score for x in (wave, 0.1 * wave + 0.3))
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)
