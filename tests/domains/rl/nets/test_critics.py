"""Critics with random Fourier features: what they compute, and why they exist."""

import math
from pathlib import Path

import pytest
import torch
from support.tiny_rl import TINY, q_of

from oneleap.core.errors import InputError
from oneleap.core.objectives import MeanFlow
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig
from oneleap.domains.rl.nets.critics import BANDWIDTH, Critic
from oneleap.domains.rl.spec import Spec


def test_waves_of_the_observation_stand_beside_it(spec: Spec, batch: Transitions) -> None:
    critic = Critic(spec.obs_dim, spec.act_dim, 16, 2, layer_norm=True, frequencies=5)
    assert critic.bands is not None
    phase = batch.obs @ critic.bands
    seen = torch.cat([batch.obs, phase.sin(), phase.cos()], 1)
    q = critic(batch.obs, batch.act)
    for member in range(2):
        torch.testing.assert_close(q[member], q_of(critic, member, seen, batch.act))
    assert "bands" not in dict(critic.named_parameters())  # they are not learned
    assert "bands" not in Critic(spec.obs_dim, spec.act_dim, 16, 2).state_dict()


def test_frequencies_have_the_bandwidth_in_periods_per_deviation() -> None:
    bands = Critic(50, 2, 8, 1, frequencies=400).bands
    assert bands is not None
    assert bands.std().item() / (2 * math.pi) == pytest.approx(BANDWIDTH, rel=0.02)


def test_a_negative_number_is_reported() -> None:
    with pytest.raises(InputError, match="frequencies: -1 is negative"):
        Critic(3, 2, 8, 1, frequencies=-1)


def error_across_a_wall(frequencies: int) -> float:
    """Mean squared error for a value that jumps on a gap of 0.1 deviations, after a short fit."""
    torch.manual_seed(0)
    critic = Critic(2, 1, 32, 2, layer_norm=True, frequencies=frequencies)
    optimizer = torch.optim.Adam(critic.parameters(), 3e-3)
    for _ in range(300):
        s = torch.rand(256, 2) * 3 - 1.5
        s[:, 0] += 0.05 * s[:, 0].sign()
        error = (critic(s, s[:, :1] * 0) - (s[:, 0] > 0).float()).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    edge = torch.stack([0.05 * torch.tensor([-1.0, 1.0]).repeat(50), torch.linspace(-1, 1, 100)], 1)
    with torch.no_grad():
        return (critic(edge, edge[:, :1] * 0) - (edge[:, 0] > 0).float()).square().mean().item()


def test_a_value_may_jump_across_a_wall() -> None:
    assert error_across_a_wall(64) < 0.5 * error_across_a_wall(0)


def test_a_saved_policy_keeps_its_frequencies(
    spec: Spec, batch: Transitions, tmp_path: Path
) -> None:
    policy = OFQL(spec, MeanFlow(), **TINY, critic_config=CriticConfig(frequencies=3))
    policy.save_pretrained(tmp_path)
    loaded = Policy.from_pretrained(tmp_path)
    assert isinstance(loaded, OFQL)
    expected = policy.target_critic(batch.obs, batch.act)
    torch.testing.assert_close(loaded.target_critic(batch.obs, batch.act), expected)
