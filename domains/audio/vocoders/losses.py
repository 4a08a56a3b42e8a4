"""How near a vocoder's sound is: spectra, and what discriminators say."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.vocoders.discriminators import Opinion

RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))
"""Window and hop, samples."""


def mel_distance(
    fake: Float[Tensor, "b n"], real: Float[Tensor, "b n"], mel: Mel
) -> Float[Tensor, ""]:
    """Mean absolute difference of natural-log mel spectrograms, HiFi-GAN's."""
    distance: Tensor = (log_mel(fake, mel) - log_mel(real, mel)).abs().mean() * mel.std
    return distance


def stft_distance(fake: Float[Tensor, "b n"], real: Float[Tensor, "b n"]) -> Float[Tensor, ""]:
    """Parallel WaveGAN's (arXiv 1910.11480): spectral convergence and log magnitudes.

    Their sum, averaged over :data:`RESOLUTIONS`.
    """
    total = fake.new_zeros(())
    for window, hop in RESOLUTIONS:
        a, b = (stft(x, window, hop, window, center=True).abs() for x in (fake, real))
        convergence = torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b).clamp(min=1e-5)
        total = (
            total + convergence + (a.clamp(min=1e-5).log() - b.clamp(min=1e-5).log()).abs().mean()
        )
    return total / len(RESOLUTIONS)


def judged(real: Sequence[Opinion], fake: Sequence[Opinion]) -> Float[Tensor, ""]:
    """Hinge loss of a discriminator: ``max(0, 1 - D(x)) + max(0, 1 + D(x'))``."""
    parts = [
        torch.relu(1 - a.score).mean() + torch.relu(1 + b.score).mean()
        for a, b in zip(real, fake, strict=True)
    ]
    return torch.stack(parts).mean()


def fooled(fake: Sequence[Opinion]) -> Float[Tensor, ""]:
    """Hinge loss of the vocoder: ``max(0, 1 - D(x'))``."""
    return torch.stack([torch.relu(1 - b.score).mean() for b in fake]).mean()


def matched(real: Sequence[Opinion], fake: Sequence[Opinion]) -> Float[Tensor, ""]:
    """Feature matching: mean absolute difference of what the layers saw."""
    parts = [
        torch.stack(
            [(f - g.detach()).abs().mean() for f, g in zip(b.features, a.features, strict=True)]
        ).mean()
        for a, b in zip(real, fake, strict=True)
    ]
    return torch.stack(parts).mean()
