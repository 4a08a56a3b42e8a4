"""Positions of frames within their phonemes or notes, and sums over words."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def token_positions(
    durations: Int[Tensor, "b l"], frame_to_token: Int[Tensor, "b n"]
) -> Float[Tensor, "b n 3"]:
    """Position of each frame within its phoneme or note.

    Args:
        durations: Whole frames of each phoneme or note.
        frame_to_token: Index of the phoneme or note of each frame.

    Returns:
        Elapsed fraction, log of the frames since the beginning, log of the frames until the end.
    """
    ends = durations.cumsum(1)
    end = ends.gather(1, frame_to_token)
    length = durations.gather(1, frame_to_token).clamp(min=1)
    frame = torch.arange(frame_to_token.shape[1], device=frame_to_token.device)
    since = (frame - (end - length)).clamp(min=0).float()
    until = (end - 1 - frame).clamp(min=0).float()
    share = (since / length).clamp(max=1.0)
    return torch.stack([share, since.log1p() / 4, until.log1p() / 4], dim=2)


def sum_by_word(
    values: Float[Tensor, "b l"], word_index: Int[Tensor, "b l"]
) -> Float[Tensor, "b l"]:
    """Sum of values over the phonemes of each word, in column ``word_index``; 0 elsewhere."""
    return torch.zeros_like(values).scatter_add(1, word_index, values)
