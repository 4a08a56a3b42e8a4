"""Losses of vocoders: spectral distances, and hinge losses of the adversarial training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import Metric, masked_mean
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.vocoders.discriminators import DiscriminatorOutput

RESOLUTIONS = ((512, 128), (1024, 256), (2048, 512))
"""Window and hop of the multi-resolution STFT loss, in samples."""


def mel_distance(
    fake: Float[Tensor, "b n"], real: Float[Tensor, "b n"], mel: Mel
) -> Float[Tensor, ""]:
    """Mean absolute difference of unnormalized log-mel spectrograms, as in HiFi-GAN.

    Args:
        fake: Synthesized samples.
        real: Recorded samples.
        mel: Spectrogram format.

    Returns:
        The distance, a scalar.
    """
    distance: Tensor = (log_mel(fake, mel) - log_mel(real, mel)).abs().mean() * mel.std
    return distance


def stft_distance(fake: Float[Tensor, "b n"], real: Float[Tensor, "b n"]) -> Float[Tensor, ""]:
    """Multi-resolution STFT loss of Parallel WaveGAN (arXiv 1910.11480).

    It is the sum of spectral convergence and log-magnitude L1, averaged over :data:`RESOLUTIONS`.
    """
    total = fake.new_zeros(())
    for window, hop in RESOLUTIONS:
        a, b = (stft(x, window, hop, window, center=True).abs() for x in (fake, real))
        convergence = torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b).clamp(min=1e-5)
        total = (
            total + convergence + (a.clamp(min=1e-5).log() - b.clamp(min=1e-5).log()).abs().mean()
        )
    return total / len(RESOLUTIONS)


@dataclass(frozen=True)
class MultiResolutionSTFT(Metric):
    """Squared error plus :func:`stft_distance` of each sample, for objectives over waveforms.

    ConsistencyTTA (arXiv 2309.10740) weighs its parts 0.8 and 0.2. It compares samples, so use it
    with objectives that do: consistency distillation and training, CTM, direct distillation.

    Trap: the magnitudes of silence weigh as much as those of speech, because they are logarithms.

    Attributes:
        weight: Weight of the STFT distance; the squared error has the rest.
        resolutions: Window and hop of each resolution, in samples.
    """

    weight: float = 0.2
    resolutions: tuple[tuple[int, int], ...] = RESOLUTIONS

    def __post_init__(self) -> None:
        """Reject a weight outside [0, 1], and no resolutions."""
        if not 0 <= self.weight <= 1:
            raise InputError(f"weight of MultiResolutionSTFT must be in [0, 1], not {self.weight}")
        if not self.resolutions:
            raise InputError("resolutions of MultiResolutionSTFT: name at least one")

    def __call__(
        self,
        prediction: Float[Tensor, "b *d"],
        target: Float[Tensor, "b *d"],
        mask: Bool[Tensor, "b *#d"] | None = None,
    ) -> Float[Tensor, "b"]:
        """See :meth:`Metric.__call__`; the last axis is that of the samples."""
        if mask is not None:
            prediction, target = (x.masked_fill(~mask, 0.0) for x in (prediction, target))
        waves = (x.flatten(0, -2) if x.ndim > 2 else x for x in (prediction, target))
        fake, real = waves
        spectral = fake.new_zeros(len(fake))
        for window, hop in self.resolutions:
            a, b = (stft(x, window, hop, window, center=True).abs() for x in (fake, real))
            norm = torch.linalg.vector_norm(b, dim=(1, 2)).clamp(min=1e-5)
            logs = (a.clamp(min=1e-5).log() - b.clamp(min=1e-5).log()).abs().mean((1, 2))
            spectral = spectral + torch.linalg.vector_norm(a - b, dim=(1, 2)) / norm + logs
        spectral = spectral.view(len(prediction), -1).mean(1) / len(self.resolutions)
        error = masked_mean((prediction - target).square(), mask)
        return (1 - self.weight) * error + self.weight * spectral


def discriminator_loss(
    real: Sequence[DiscriminatorOutput], fake: Sequence[DiscriminatorOutput]
) -> Float[Tensor, ""]:
    """Hinge loss of discriminators: ``max(0, 1 - D(x)) + max(0, 1 + D(x'))``."""
    parts = [
        torch.relu(1 - a.score).mean() + torch.relu(1 + b.score).mean()
        for a, b in zip(real, fake, strict=True)
    ]
    return torch.stack(parts).mean()


def generator_loss(fake: Sequence[DiscriminatorOutput]) -> Float[Tensor, ""]:
    """Hinge loss of the vocoder: ``max(0, 1 - D(x'))``."""
    return torch.stack([torch.relu(1 - b.score).mean() for b in fake]).mean()


def feature_matching_loss(
    real: Sequence[DiscriminatorOutput],
    fake: Sequence[DiscriminatorOutput],
    reduce: Literal["sum", "mean"] = "mean",
) -> Float[Tensor, ""]:
    """Mean absolute difference between the activations for real and for synthesized samples.

    Args:
        real: Outputs for real samples.
        fake: Outputs for synthesized samples.
        reduce: ``sum`` adds up the layers and the map of scores, as Vocos does. ``mean`` averages
            the layers and leaves out the scores; it is weaker by a factor of 4 (periods) and 20
            (resolutions). Both average over the discriminators.

    Returns:
        The distance, a scalar.
    """
    parts = list[Tensor]()
    for a, b in zip(real, fake, strict=True):
        known, made = list(a.features), list(b.features)
        if reduce == "sum":
            known, made = [*known, a.score], [*made, b.score]
        each = [(f - g.detach()).abs().mean() for f, g in zip(made, known, strict=True)]
        total = torch.stack(each)
        parts.append(total.sum() if reduce == "sum" else total.mean())
    return torch.stack(parts).mean()
