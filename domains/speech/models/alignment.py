"""Monotonic alignment search (Glow-TTS, arXiv 2005.11129, Algorithm 1) and aligned crops."""

import inspect
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from oneleap.domains.audio.sequence import frame_to_token, sequence_mask
from oneleap.domains.speech.spec import AlignedBatch, UtteranceBatch

Search = Callable[[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]


def monotonic_alignment_search(
    score: NDArray[np.float32], lengths: NDArray[np.int64], frames: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Find the durations of the best monotonic path by dynamic programming.

    Every token has at least one frame. The first frame belongs to the first token, the last frame
    to the last token. This is plain Python, to be compiled by numba. Callers use
    :func:`search_durations`.

    Args:
        score: Log-likelihood of frame ``j`` under token ``i``, (b, l, n). It is overwritten.
        lengths: Number of tokens of each row.
        frames: Number of frames of each row, at least its number of tokens.

    Returns:
        Number of frames of each token, (b, l).
    """
    durations = np.zeros(score.shape[:2], np.int64)
    for b in range(len(score)):
        rows, columns, best = lengths[b], frames[b], score[b]
        for j in range(1, columns):
            # From the last row to the first: row i reads row i - 1 of column j - 1.
            for i in range(min(rows, j + 1) - 1, -1, -1):
                stay = best[i, j - 1] if i < j else -np.inf
                advance = best[i - 1, j - 1] if i > 0 else -np.inf
                best[i, j] += max(stay, advance)
        i = rows - 1
        for j in range(columns - 1, -1, -1):
            durations[b, i] += 1
            if i > 0 and (i == j or best[i - 1, j - 1] >= best[i, j - 1]):
                i -= 1
    return durations


@lru_cache(maxsize=1)
def _compiled() -> Search:
    """Compile the search. It takes seconds once per process and is then about 100 times faster."""
    import numba

    compiled: Search = numba.njit(nogil=True)(inspect.unwrap(monotonic_alignment_search))
    return compiled


def search_durations(
    means: Float[Tensor, "b c l"],
    features: Float[Tensor, "b c n"],
    lengths: Int[Tensor, "b"],
    frames: Int[Tensor, "b"],
) -> Int[Tensor, "b l"]:
    """Find the most likely duration of each token.

    A frame has a normal distribution around its token's mean, with variance 1. The cost is one
    matrix product, and ``b l n`` steps on the CPU.

    Args:
        means: Mean features of each token.
        features: Normalized features.
        lengths: Number of tokens of each row.
        frames: Number of frames of each row, at least its number of tokens.

    Returns:
        Number of frames of each token.
    """
    with torch.no_grad(), torch.autocast(features.device.type, enabled=False):
        score = means.mT @ features - 0.5 * means.square().sum(1).unsqueeze(2)
    sizes = (lengths.cpu().numpy(), frames.cpu().numpy())
    durations = _compiled()(score.float().cpu().contiguous().numpy(), *sizes)
    return torch.from_numpy(durations).to(features.device)


def align_batch(
    batch: UtteranceBatch,
    durations: Int[Tensor, "b l"],
    *,
    crop: int | None = None,
    drop: float = 0.0,
    generator: torch.Generator | None = None,
) -> AlignedBatch:
    """Assign frames to tokens and take a random crop of each recording.

    Args:
        batch: Recordings and texts.
        durations: Number of frames of each token.
        crop: Number of frames of a crop. ``None`` takes whole recordings.
        drop: Probability that the text of a row is hidden from the decoder.
        generator: Random generator of the crops and the dropped rows.

    Returns:
        The aligned batch.
    """
    b, channels, longest = batch.features.shape
    owner = frame_to_token(durations, longest)
    frame_mask = sequence_mask(batch.frames, longest)
    sums = batch.features.new_zeros(b, channels, durations.shape[1])
    real = batch.features.masked_fill(~frame_mask.unsqueeze(1), 0.0)
    sums.scatter_add_(2, owner.unsqueeze(1).expand(-1, channels, -1), real)
    u = torch.rand((2, b), generator=generator, device=batch.features.device)
    n = longest if crop is None else min(crop, longest)
    first = (u[0] * (batch.frames - n + 1).clamp(min=1)).long()
    frame = first.unsqueeze(1) + torch.arange(n, device=first.device)
    mask = frame < batch.frames.unsqueeze(1)
    frame = frame.clamp(max=longest - 1)
    return AlignedBatch(
        tokens=batch.tokens,
        token_mask=sequence_mask(batch.lengths, batch.tokens.shape[1]),
        speaker=batch.speaker,
        durations=durations,
        means=sums / durations.clamp(min=1).unsqueeze(1),
        x=batch.features.gather(2, frame.unsqueeze(1).expand(-1, channels, -1)),
        frame_to_token=owner.gather(1, frame),
        mask=mask.unsqueeze(1),
        dropped=u[1] < drop,
    )
