"""How far a set of made music is from a set of real music: Frechet distance of embeddings."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.musicnn import Tagger, pieces, spectrogram


class Gaussian(NamedTuple):
    """Mean and covariance of a set of embeddings, in float64.

    Attributes:
        mean: (d,).
        covariance: (d, d), divided by ``n - 1``.
        n: Embeddings it was taken of.
    """

    mean: Float[Tensor, "d"]
    covariance: Float[Tensor, "d d"]
    n: int


def gaussian(embeddings: Float[Tensor, "n d"]) -> Gaussian:
    """Mean and covariance.

    Raises:
        InputError: If there are fewer than two embeddings.
    """
    n = len(embeddings)
    if n < 2:
        raise InputError(f"Frechet distance: of two clips or more, not {n}")
    x = embeddings.double()
    mean = x.mean(0)
    centred = x - mean
    return Gaussian(mean, centred.T @ centred / (n - 1), n)


def frechet(a: Gaussian, b: Gaussian) -> float:
    """Squared Frechet distance of two normal laws (Dowson and Landau 1982).

    ``|m - m'|^2 + tr(S + S' - 2 (S^(1/2) S' S^(1/2))^(1/2))``

    The last trace is the sum of the singular values of ``S^(1/2) S'^(1/2)``: no root of a product
    that is not symmetric, nothing complex, and exact for covariances without full rank.

    Bias: of two samples of one law it is above 0, by about ``tr(S) (1/n + 1/n')`` from the means
    alone and more from the covariances, which fewer embeddings than dimensions underestimate.
    Compare sets of the same sizes only, and quote the distance between two sets of real music of
    that size beside it.
    """
    mean = (a.mean - b.mean).square().sum()
    product = torch.linalg.svdvals(_root(a.covariance) @ _root(b.covariance)).sum()
    total = mean + a.covariance.trace() + b.covariance.trace() - 2 * product
    return max(0.0, float(total))


def _root(covariance: Float[Tensor, "d d"]) -> Float[Tensor, "d d"]:
    """Symmetric square root of a covariance; what rounding made negative is 0."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


@torch.no_grad()
def embed(
    tagger: Tagger, waves: Iterable[Float[Tensor, "b n"]], sample_rate: int
) -> Float[Tensor, "m 200"]:
    """Embeddings by musicnn of three-second pieces, half of one apart, of batches of sounds."""
    found = [tagger.embed(pieces(spectrogram(wave, sample_rate))) for wave in waves]
    return torch.cat(found)
