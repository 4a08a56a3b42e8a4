"""Tokens and frames: which token a frame belongs to, values of tokens at frames, and masks."""

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor


def frame_to_token(durations: Int[Tensor, "b l"], n: int) -> Int[Tensor, "b n"]:
    """Find the token of each frame.

    The index of a frame's token is the number of tokens that have ended before the frame. Frames
    after the last token's end get the last index. The function can be exported to ONNX.

    Args:
        durations: Number of frames of each token, 0 at padding.
        n: Number of frames of the result.

    Returns:
        Index of a token for each frame.
    """
    frame = torch.arange(n, device=durations.device)
    ended = durations.cumsum(1).unsqueeze(1) <= frame[None, :, None]
    return ended.sum(2).clamp(max=durations.shape[1] - 1)


def expand_by_duration(
    x: Shaped[Tensor, "b _ _"], owner: Int[Tensor, "b n"], dim: int = 1
) -> Shaped[Tensor, "b _ _"]:
    """Repeat the values of each token at its frames.

    Args:
        x: Values of tokens: (b, l, c) with ``dim`` 1, (b, c, l) with ``dim`` 2.
        owner: Index of the token of each frame, see :func:`frame_to_token`.
        dim: Dimension of ``x`` that counts tokens, 1 or 2.

    Returns:
        Values at frames: (b, n, c) with ``dim`` 1, (b, c, n) with ``dim`` 2.
    """
    if dim == 1:
        index = owner.unsqueeze(2).expand(-1, -1, x.shape[2])
    else:
        index = owner.unsqueeze(1).expand(-1, x.shape[1], -1)
    return x.gather(dim, index)


def sequence_mask(lengths: Int[Tensor, "b"], n: int) -> Bool[Tensor, "b n"]:
    """Mark the real places of padded sequences.

    Args:
        lengths: Length of each sequence.
        n: Number of places of the result.

    Returns:
        True at the first ``lengths`` places of each row.
    """
    return torch.arange(n, device=lengths.device) < lengths.unsqueeze(1)
