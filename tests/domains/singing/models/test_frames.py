"""Positions of frames within phonemes."""

import torch

from oneleap.domains.audio.sequence import expand_by_duration, frame_to_token
from oneleap.domains.singing.models.frames import token_positions


def test_positions_count_from_both_ends() -> None:
    durations = torch.tensor([[2, 4]])
    position = token_positions(durations, frame_to_token(durations, 6))[0]
    torch.testing.assert_close(position[:, 0], torch.tensor([0, 0.5, 0, 0.25, 0.5, 0.75]))
    torch.testing.assert_close(position[2:, 2].mul(4).expm1(), torch.tensor([3.0, 2, 1, 0]))
    values = torch.tensor([[[1.0], [2.0]]])
    expanded = expand_by_duration(values, frame_to_token(durations, 6))
    assert expanded[0, :, 0].tolist() == [1, 1, 2, 2, 2, 2]
