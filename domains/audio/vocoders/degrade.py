"""Blur and noise on spectrograms, so that a vocoder bears those of an acoustic model."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

BLURS = 3
"""Passes of the smallest binomial filter along each axis, at most."""

NOISE = 0.35
"""Largest standard deviation of the noise, in natural logarithms."""


def degrade(
    mel: Float[Tensor, "b mels n"], share: float, std: float, generator: torch.Generator
) -> Float[Tensor, "b mels n"]:
    """Blur some rows along time and frequency and add noise to them, each by a random amount.

    Args:
        mel: Normalized log-mel spectrograms.
        share: Mean share of the rows that change.
        std: Divisor of the normalization; see :class:`~oneleap.domains.audio.Mel`.
        generator: Random generator.

    Returns:
        Spectrograms.
    """
    rows, device = len(mel), mel.device
    changed, blur, loud = torch.rand(3, rows, 1, 1, generator=generator, device=device)
    noise = torch.randn(mel.shape, generator=generator, device=device)
    smooth = mel
    for _ in range(BLURS):
        smooth = _binomial(_binomial(smooth).mT).mT
    worse = mel + blur * (smooth - mel) + NOISE / std * loud * noise
    return torch.where(changed < share, worse, mel)


def _binomial(x: Float[Tensor, "b c n"]) -> Float[Tensor, "b c n"]:
    """Mean of each value and its two neighbors with the weights 1/4, 1/2, 1/4."""
    wide = nn.functional.pad(x, (1, 1), mode="replicate")
    return 0.25 * wide[..., :-2] + 0.5 * x + 0.25 * wide[..., 2:]
