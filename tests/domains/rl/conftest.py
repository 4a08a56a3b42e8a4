"""A tiny batch and its specification, for every test of the domain."""

import pytest
import torch

from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.spec import Spec

OBS, ACT = 3, 2


@pytest.fixture
def spec() -> Spec:
    return Spec(
        obs_dim=OBS,
        act_dim=ACT,
        obs_mean=(0.5, -1.0, 2.0),
        obs_std=(2.0, 0.5, 1.0),
        act_low=(-1.0, -2.0),
        act_high=(1.0, 4.0),
    )


@pytest.fixture
def batch() -> Transitions:
    g = torch.Generator().manual_seed(3)
    n = 32
    low, high = torch.tensor([-1.0, -2.0]), torch.tensor([1.0, 4.0])
    return Transitions(
        obs=torch.randn(n, OBS, generator=g),
        act=low + (high - low) * torch.rand(n, ACT, generator=g),
        reward=torch.randn(n, generator=g),
        next_obs=torch.randn(n, OBS, generator=g),
        discount=0.9 * (torch.rand(n, generator=g) < 0.7).float(),
    )
