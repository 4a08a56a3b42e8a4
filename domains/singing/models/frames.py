"""From phonemes and notes to frames, and to words."""

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor


def real(lengths: Int[Tensor, "b"], most: int) -> Bool[Tensor, "b n"]:
    """True at the first ``lengths`` places of each row."""
    return torch.arange(most, device=lengths.device) < lengths.unsqueeze(1)


def owners(each: Int[Tensor, "b l"], frames: int) -> Int[Tensor, "b n"]:
    """Phoneme, or note, of each frame: how many have ended; the last one's after the end."""
    place = torch.arange(frames, device=each.device)
    ended = each.cumsum(1).unsqueeze(1) <= place[None, :, None]
    return ended.sum(2).clamp(max=each.shape[1] - 1)


def spread(values: Shaped[Tensor, "b l c"], owner: Int[Tensor, "b n"]) -> Shaped[Tensor, "b n c"]:
    """What each frame's phoneme has."""
    return values.gather(1, owner.unsqueeze(2).expand(-1, -1, values.shape[2]))


def places(each: Int[Tensor, "b l"], owner: Int[Tensor, "b n"]) -> Float[Tensor, "b n 3"]:
    """Where in its phoneme a frame is: share done, and log frames since and until its ends."""
    ends = each.cumsum(1)
    end, length = ends.gather(1, owner), each.gather(1, owner).clamp(min=1)
    place = torch.arange(owner.shape[1], device=owner.device)
    since = (place - (end - length)).clamp(min=0).float()
    until = (end - 1 - place).clamp(min=0).float()
    share = (since / length).clamp(max=1.0)
    return torch.stack([share, since.log1p() / 4, until.log1p() / 4], dim=2)


def word_sums(values: Float[Tensor, "b l"], word: Int[Tensor, "b l"]) -> Float[Tensor, "b w"]:
    """Sum over the phonemes of each word; as many columns as there may be words."""
    return torch.zeros_like(values).scatter_add(1, word, values)
