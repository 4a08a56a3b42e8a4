"""Monotonic alignment search (Glow-TTS, arXiv 2005.11129, Algorithm 1), and crops of its result."""

import inspect
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from oneleap.domains.speech.spec import Aligned, Utterances

Search = Callable[[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]


def search(
    score: NDArray[np.float32], lengths: NDArray[np.int64], frames: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Frames of each token on the best monotonic path, by dynamic programming.

    Every token has at least one frame, the first frame is the first token's, the last the last's.
    Plain Python, to be compiled; :func:`durations` is what to call.

    Args:
        score: Log-likelihood of frame ``j`` under token ``i``, (b, l, n); overwritten.
        lengths: Tokens of each row.
        frames: Frames of each row, at least as many.
    """
    found = np.zeros(score.shape[:2], np.int64)
    for b in range(len(score)):
        rows, columns, best = lengths[b], frames[b], score[b]
        for j in range(1, columns):
            # Row by row from below, so that column j - 1 is still what it was.
            for i in range(min(rows, j + 1) - 1, -1, -1):
                stay = best[i, j - 1] if i < j else -np.inf
                come = best[i - 1, j - 1] if i > 0 else -np.inf
                best[i, j] += max(stay, come)
        i = rows - 1
        for j in range(columns - 1, -1, -1):
            found[b, i] += 1
            if i > 0 and (i == j or best[i - 1, j - 1] >= best[i, j - 1]):
                i -= 1
    return found


@lru_cache(maxsize=1)
def _compiled() -> Search:
    """The same as machine code: some hundred times as fast; takes seconds, once a process."""
    import numba

    fast: Search = numba.njit(nogil=True)(inspect.unwrap(search))
    return fast


def durations(
    means: Float[Tensor, "b mels l"],
    mel: Float[Tensor, "b mels n"],
    lengths: Int[Tensor, "b"],
    frames: Int[Tensor, "b"],
) -> Int[Tensor, "b l"]:
    """Frames of each token, where a frame is normal about its token's mean with variance 1.

    Cost: one product of matrices, and ``b l n`` steps on the CPU.

    Args:
        means: What each token sounds like.
        mel: The recordings.
        lengths: Tokens of each.
        frames: Frames of each, at least as many.
    """
    with torch.no_grad(), torch.autocast(mel.device.type, enabled=False):
        score = means.mT @ mel - 0.5 * means.square().sum(1).unsqueeze(2)
    sizes = (lengths.cpu().numpy(), frames.cpu().numpy())
    found = _compiled()(score.float().cpu().contiguous().numpy(), *sizes)
    return torch.from_numpy(found).to(mel.device)


def real(lengths: Int[Tensor, "b"], most: int) -> Bool[Tensor, "b n"]:
    """True at the first ``lengths`` places of each row."""
    return torch.arange(most, device=lengths.device) < lengths.unsqueeze(1)


def owners(durations: Int[Tensor, "b l"], frames: int) -> Int[Tensor, "b n"]:
    """Token of each frame; the last one's at padding."""
    ends = durations.cumsum(1)
    place = torch.arange(frames, device=durations.device).expand(len(durations), -1)
    owner = torch.searchsorted(ends, place.contiguous(), right=True)
    return owner.clamp(max=durations.shape[1] - 1)


def spread(values: Float[Tensor, "b c l"], owner: Int[Tensor, "b n"]) -> Float[Tensor, "b c n"]:
    """What each frame's token has."""
    return values.gather(2, owner.unsqueeze(1).expand(-1, values.shape[1], -1))


def aligned(
    batch: Utterances,
    durations: Int[Tensor, "b l"],
    *,
    crop: int | None = None,
    drop: float = 0.0,
    generator: torch.Generator | None = None,
) -> Aligned:
    """Sort frames by their tokens, and cut a piece out of each recording.

    Args:
        batch: Recordings.
        durations: Frames of each token.
        crop: Frames of the pieces, which begin anywhere; ``None`` takes recordings whole.
        drop: Probability that a row's text is dropped.
        generator: Of both.
    """
    b, mels, longest = batch.mel.shape
    owner = owners(durations, longest)
    frame_mask = real(batch.frames, longest)
    sums = batch.mel.new_zeros(b, mels, durations.shape[1])
    kept = batch.mel.masked_fill(~frame_mask.unsqueeze(1), 0.0)
    sums.scatter_add_(2, owner.unsqueeze(1).expand(-1, mels, -1), kept)
    u = torch.rand((2, b), generator=generator, device=batch.mel.device)
    n = longest if crop is None else min(crop, longest)
    first = (u[0] * (batch.frames - n + 1).clamp(min=1)).long()
    place = first.unsqueeze(1) + torch.arange(n, device=first.device)
    mask = place < batch.frames.unsqueeze(1)
    place = place.clamp(max=longest - 1)
    return Aligned(
        tokens=batch.tokens,
        token_mask=real(batch.lengths, batch.tokens.shape[1]),
        speaker=batch.speaker,
        durations=durations,
        means=sums / durations.clamp(min=1).unsqueeze(1),
        x=batch.mel.gather(2, place.unsqueeze(1).expand(-1, mels, -1)),
        owner=owner.gather(1, place),
        mask=mask.unsqueeze(1),
        dropped=u[1] < drop,
    )
