"""Fréchet distance between sets of music, from embeddings of musicnn."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.musicnn import Tagger, musicnn_spectrogram, split_clips


class Gaussian(NamedTuple):
    """Mean and covariance of a set of embeddings, in float64.

    Attributes:
        mean: Mean, (d,).
        covariance: Covariance, (d, d), with denominator ``n - 1``.
        n: Number of embeddings.
    """

    mean: Float[Tensor, "d"]
    covariance: Float[Tensor, "d d"]
    n: int


def fit_gaussian(embeddings: Float[Tensor, "n d"]) -> Gaussian:
    """Compute mean and covariance.

    Raises:
        InputError: If there are fewer than two embeddings.
    """
    n = len(embeddings)
    if n < 2:
        raise InputError(f"Fréchet distance: at least two clips are needed, not {n}")
    x = embeddings.double()
    mean = x.mean(0)
    centered = x - mean
    return Gaussian(mean, centered.T @ centered / (n - 1), n)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Return the squared Fréchet distance of two Gaussians (Dowson and Landau 1982).

    ``|m - m'|^2 + tr(S + S' - 2 (S^(1/2) S' S^(1/2))^(1/2))``

    The last trace is computed as the sum of the singular values of ``S^(1/2) S'^(1/2)``. This
    needs no square root of an asymmetric matrix and no complex numbers, and it is exact for
    covariances without full rank.

    Bias: two samples of the same distribution have a distance above 0. The means alone contribute
    about ``tr(S) (1/n + 1/n')``, and the covariances contribute more, in particular with fewer
    embeddings than dimensions. Compare sets of equal sizes only, and report the distance between
    two sets of real music of these sizes.
    """
    mean = (a.mean - b.mean).square().sum()
    product = torch.linalg.svdvals(_root(a.covariance) @ _root(b.covariance)).sum()
    total = mean + a.covariance.trace() + b.covariance.trace() - 2 * product
    return max(0.0, float(total))


def _root(covariance: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    """Symmetric square root of a covariance; eigenvalues that rounding made negative become 0."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


@torch.no_grad()
def musicnn_embeddings(
    tagger: Tagger, waves: Iterable[Float[Tensor, "b n"]], sample_rate: int
) -> Float[Tensor, "m 200"]:
    """Compute embeddings of three-second clips that overlap by half.

    Args:
        tagger: The musicnn network.
        waves: Batches of sounds.
        sample_rate: Sample rate of the sounds in Hz.

    Returns:
        Embeddings of all three-second clips, (m, 200).
    """
    found = [tagger.embed(split_clips(musicnn_spectrogram(wave, sample_rate))) for wave in waves]
    return torch.cat(found)
