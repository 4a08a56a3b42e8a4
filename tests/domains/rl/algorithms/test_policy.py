"""The policy's face to the world: numpy, ranges, seeds, saving."""

from pathlib import Path

import numpy as np
import pytest
import torch

from oneleap.core.errors import InputError
from oneleap.core.nets.mlp import AtFixedTimes
from oneleap.core.objectives import FlowMatching, MeanFlow
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Spec, Task


def test_act_takes_one_or_many_and_stays_in_range(spec: Spec) -> None:
    policy = Policy(spec, FlowMatching(), width=16)
    obs = 100 * np.random.default_rng(0).normal(size=(64, 3))
    g = torch.Generator().manual_seed(0)
    act = policy.act(obs, generator=g)
    assert act.shape == (64, 2)
    assert act.dtype == np.float32
    assert (act >= [-1, -2]).all()
    assert (act <= [1, 4]).all()
    assert policy.act(obs[0], generator=g).shape == (2,)


def test_act_is_one_jump_of_the_average(spec: Spec) -> None:
    policy = Policy(spec, MeanFlow(), width=16)
    with torch.no_grad():
        for p in policy.net.parameters():
            p.zero_()
    obs = np.array([[1.0, 2.0, 3.0]], np.float32)
    act = policy.act(obs, generator=torch.Generator().manual_seed(5))
    e = torch.randn(1, 2, generator=torch.Generator().manual_seed(5))
    s = (torch.tensor(obs) - torch.tensor(spec.obs_mean)) / torch.tensor(spec.obs_std)
    a = (e - policy.average(e, torch.zeros(1), torch.ones(1), s)).clamp(-1, 1)
    expected = a * torch.tensor([1.0, 3.0]) + torch.tensor([0.0, 1.0])
    np.testing.assert_allclose(act, expected.detach().numpy(), rtol=1e-5)


def test_a_multi_step_clone_acts_by_its_own_number_of_steps(spec: Spec, tmp_path: Path) -> None:
    policy = Policy(spec, FlowMatching(), width=16, steps=10)
    obs = np.random.default_rng(0).normal(size=(8, 3))

    def act(policy: Policy, steps: int | None = None) -> np.ndarray:
        return policy.act(obs, steps=steps, generator=torch.Generator().manual_seed(1))

    np.testing.assert_array_equal(act(policy), act(policy, steps=10))
    assert np.abs(act(policy) - act(policy, steps=1)).max() > 1e-3
    policy.save_pretrained(tmp_path)
    np.testing.assert_array_equal(act(Policy.from_pretrained(tmp_path)), act(policy))
    with pytest.raises(InputError, match="steps: 0"):
        Policy(spec, FlowMatching(), steps=0)


def test_seed_reproduces_weights_and_actions(spec: Spec) -> None:
    one, two = Policy(spec, MeanFlow(), seed=7), Policy(spec, MeanFlow(), seed=7)
    other = Policy(spec, MeanFlow(), seed=8)
    obs = np.ones((4, 3), np.float32)
    acts = [p.act(obs, generator=torch.Generator().manual_seed(0)) for p in (one, two, other)]
    np.testing.assert_array_equal(acts[0], acts[1])
    assert not np.array_equal(acts[0], acts[2])


def test_building_a_policy_leaves_the_global_generator_alone(spec: Spec) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    OFQL(spec, MeanFlow(), width=16)
    assert torch.equal(torch.rand(3), expected)


def test_data_and_observations_are_normalised(spec: Spec, batch: Transitions) -> None:
    policy = Policy(spec, MeanFlow(), width=16)
    data = policy.data(batch)
    assert data.abs().max() <= 1
    torch.testing.assert_close(data[:, 1] * 3 + 1, batch.act[:, 1])
    mean = torch.tensor([spec.obs_mean])
    torch.testing.assert_close(policy.normalize_obs(mean), torch.zeros(1, 3))


def test_saved_policy_acts_the_same(spec: Spec, tmp_path: Path) -> None:
    task = Task("Hopper-v5", ref_min=-20.0, ref_max=3234.0, reference="D4RL")
    spec = Spec(**{**vars(spec), "task": task})
    policy = OFQL(spec, MeanFlow(), width=16, eta=0.3, max_q_backup=True)
    policy.save_pretrained(tmp_path / "model")
    again = OFQL.from_pretrained(tmp_path / "model")
    assert again.spec == spec
    assert again.eta == 0.3
    obs = np.ones((4, 3), np.float32)
    for num_action_samples in (1, 8):
        acts = [
            p.act(obs, num_action_samples=num_action_samples, generator=torch.Generator().manual_seed(0))
            for p in (policy, again)
        ]
        np.testing.assert_array_equal(*acts)


@pytest.mark.parametrize("residual", [False, True])
def test_a_folded_leap_is_the_network_s_and_follows_its_weights(spec: Spec, residual: bool) -> None:
    policy = Policy(spec, MeanFlow(), width=16, residual=residual)
    assert isinstance(policy.one_step_net(), AtFixedTimes)
    s, e, obs = torch.zeros(1, 3), torch.randn(1, 2), np.asarray(spec.obs_mean, np.float32)

    def network() -> torch.Tensor:
        return policy.average(e, torch.zeros(1), torch.ones(1), s)

    with torch.no_grad():
        torch.testing.assert_close(policy.one_step_net()(e, s[:, 0], s[:, 0], s), network())
        first = policy.act(obs, generator=torch.Generator().manual_seed(0))
        for average, net in zip(policy.average.parameters(), policy.net.parameters(), strict=True):
            net.normal_(generator=torch.Generator().manual_seed(1))
            torch._foreach_lerp_([average], [net], weight=0.5)
        torch.testing.assert_close(policy.one_step_net()(e, s[:, 0], s[:, 0], s), network())
    assert (policy.act(obs, generator=torch.Generator().manual_seed(0)) != first).any()
    policy.load_state_dict({k: 2 * v for k, v in policy.state_dict().items()})
    with torch.no_grad():
        torch.testing.assert_close(policy.one_step_net()(e, s[:, 0], s[:, 0], s), network())


def test_a_residual_policy_says_actions_themselves(spec: Spec, tmp_path: Path) -> None:
    plain, policy = (OFQL(spec, MeanFlow(), width=16, residual=r) for r in (False, True))
    e, s, (r, t) = torch.randn(8, 2), torch.randn(8, 3), (torch.zeros(8), torch.ones(8))
    torch.testing.assert_close(policy.net(e, r, t, s), e + plain.net(e, r, t, s))
    policy.save_pretrained(tmp_path)
    again, obs = OFQL.from_pretrained(tmp_path), np.zeros((4, 3), np.float32)
    acts = [p.act(obs, generator=torch.Generator().manual_seed(0)) for p in (policy, again)]
    np.testing.assert_array_equal(*acts)
