"""Tokens and frames."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from oneleap.domains.audio.sequence import expand_by_duration, frame_to_token, sequence_mask


def test_frames_have_their_token_in_order() -> None:
    durations = torch.tensor([[2, 1, 3], [1, 2, 0]])
    assert frame_to_token(durations, 6).tolist() == [[0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 2]]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(0, 3))
def test_frame_to_token_is_a_binary_search(durations: list[int], extra: int) -> None:
    rows, n = torch.tensor([durations]), sum(durations) + extra
    found = torch.searchsorted(rows.cumsum(1), torch.arange(n)[None], right=True)
    assert torch.equal(frame_to_token(rows, n), found.clamp(max=len(durations) - 1))


def test_values_are_repeated_along_either_dimension() -> None:
    durations = torch.tensor([[2, 1, 3], [1, 2, 0]])
    owner, x = frame_to_token(durations, 6), torch.arange(12.0).reshape(2, 3, 2)
    found = expand_by_duration(x, owner)
    assert found[0, :, 0].tolist() == [0, 0, 2, 4, 4, 4]
    assert found.shape == (2, 6, 2)
    assert torch.equal(expand_by_duration(x.mT, owner, 2), found.mT)


def test_mask_is_true_at_real_places() -> None:
    mask = sequence_mask(torch.tensor([0, 2]), 3)
    assert mask.tolist() == [[False] * 3, [True, True, False]]
