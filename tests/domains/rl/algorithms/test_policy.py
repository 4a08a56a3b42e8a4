"""Policies: numpy in and out, ranges, seeds, saving, and what acting imports."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_rl import SMALL, plain, scrambled, seeded

from oneleap.core.errors import InputError
from oneleap.core.nets.mlp import AtFixedTimes
from oneleap.core.objectives import FlowMatching, MeanFlow
from oneleap.core.sampling.samplers import DDPMSampler, EulerSampler, FlowMapSampler
from oneleap.domains.rl.algorithms.dql import DQL
from oneleap.domains.rl.algorithms.flow.fbrac import FBRAC
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.spec import Spec

WIDE = NetworkConfig(width=16)


def test_act_takes_one_or_many_and_stays_in_range(spec: Spec) -> None:
    policy = Policy(spec, FlowMatching(), network=WIDE)
    obs = 100 * np.random.default_rng(0).normal(size=(64, 3))
    g = torch.Generator().manual_seed(0)
    act = policy.act(obs, generator=g)
    assert act.shape == (64, 2)
    assert act.dtype == np.float32
    assert (act >= [-1, -2]).all()
    assert (act <= [1, 4]).all()
    assert policy.act(obs[0], generator=g).shape == (2,)


def test_act_is_one_jump_of_the_average(spec: Spec) -> None:
    policy = Policy(spec, MeanFlow(), network=WIDE)
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
    policy = Policy(spec, FlowMatching(), network=WIDE, sampler=FlowMapSampler(10))
    obs = np.random.default_rng(0).normal(size=(8, 3))

    def act(policy: Policy, steps: int | None = None) -> np.ndarray:
        return policy.act(obs, steps=steps, generator=torch.Generator().manual_seed(1))

    np.testing.assert_array_equal(act(policy), act(policy, steps=10))
    assert np.abs(act(policy) - act(policy, steps=1)).max() > 1e-3
    policy.save_pretrained(tmp_path)
    np.testing.assert_array_equal(act(Policy.from_pretrained(tmp_path)), act(policy))
    with pytest.raises(InputError, match="steps: 0"):
        Policy(spec, FlowMatching(), sampler=FlowMapSampler(0))


def test_seed_reproduces_weights_and_actions(spec: Spec) -> None:
    one, two, other = (Policy(spec, MeanFlow(), recipe=plain(seed=k)) for k in (7, 7, 8))
    obs = np.ones((4, 3), np.float32)
    acts = [p.act(obs, generator=torch.Generator().manual_seed(0)) for p in (one, two, other)]
    np.testing.assert_array_equal(acts[0], acts[1])
    assert not np.array_equal(acts[0], acts[2])


def test_building_a_policy_leaves_the_global_generator_alone(spec: Spec) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    OFQL(spec, MeanFlow(), network=WIDE)
    assert torch.equal(torch.rand(3), expected)


def test_data_and_observations_are_normalized(spec: Spec, batch: Transitions) -> None:
    policy = Policy(spec, MeanFlow(), network=WIDE)
    data = policy.data(batch)
    assert data.abs().max() <= 1
    torch.testing.assert_close(data[:, 1] * 3 + 1, batch.act[:, 1])
    mean = torch.tensor([spec.obs_mean])
    torch.testing.assert_close(policy.normalize_obs(mean), torch.zeros(1, 3))


def test_saved_policy_acts_the_same(spec: Spec, tmp_path: Path) -> None:
    task = Task("Hopper-v5", ref_min=-20.0, ref_max=3234.0, reference="D4RL")
    spec = Spec(**{**vars(spec), "task": task})
    config = CriticConfig(max_q_backup=True)
    policy = OFQL(spec, MeanFlow(), network=WIDE, eta=0.3, critic_config=config)
    policy.save_pretrained(tmp_path / "model")
    again = OFQL.from_pretrained(tmp_path / "model")
    assert again.spec == spec
    assert again.eta == 0.3
    assert again.critic_config == config
    obs = np.ones((4, 3), np.float32)
    for n in (1, 8):
        acts = [
            p.act(obs, num_action_samples=n, generator=torch.Generator().manual_seed(0))
            for p in (policy, again)
        ]
        np.testing.assert_array_equal(*acts)


@pytest.mark.parametrize("residual", [False, True])
def test_the_folded_network_computes_the_same_and_follows_the_weights(
    spec: Spec, residual: bool
) -> None:
    policy = Policy(spec, MeanFlow(), network=WIDE, residual=residual)
    assert isinstance(policy.acting_net(1), AtFixedTimes)
    s, e, obs = torch.zeros(1, 3), torch.randn(1, 2), np.asarray(spec.obs_mean, np.float32)

    def network() -> torch.Tensor:
        return policy.average(e, torch.zeros(1), torch.ones(1), s)

    with torch.no_grad():
        torch.testing.assert_close(policy.acting_net(1)(e, s[:, 0], s[:, 0], s), network())
        first = policy.act(obs, generator=torch.Generator().manual_seed(0))
        for average, net in zip(policy.average.parameters(), policy.net.parameters(), strict=True):
            net.normal_(generator=torch.Generator().manual_seed(1))
            torch._foreach_lerp_([average], [net], weight=0.5)
        torch.testing.assert_close(policy.acting_net(1)(e, s[:, 0], s[:, 0], s), network())
    assert (policy.act(obs, generator=torch.Generator().manual_seed(0)) != first).any()
    policy.load_state_dict({k: 2 * v for k, v in policy.state_dict().items()})
    with torch.no_grad():
        torch.testing.assert_close(policy.acting_net(1)(e, s[:, 0], s[:, 0], s), network())


def test_a_residual_network_predicts_a_change_of_z(spec: Spec, tmp_path: Path) -> None:
    direct, policy = (OFQL(spec, MeanFlow(), network=WIDE, residual=r) for r in (False, True))
    e, s, (r, t) = torch.randn(8, 2), torch.randn(8, 3), (torch.zeros(8), torch.ones(8))
    torch.testing.assert_close(policy.net(e, r, t, s), e + direct.net(e, r, t, s))
    policy.save_pretrained(tmp_path)
    again, obs = OFQL.from_pretrained(tmp_path), np.zeros((4, 3), np.float32)
    acts = [p.act(obs, generator=torch.Generator().manual_seed(0)) for p in (policy, again)]
    np.testing.assert_array_equal(*acts)


@pytest.mark.parametrize("kind", [DQL, FBRAC])
def test_one_step_of_another_sampler_is_not_the_jump(spec: Spec, kind: type[DQL | FBRAC]) -> None:
    """Their single step evaluates the network at another time than (0, 1), which is not folded."""
    policy = kind(spec, **SMALL, steps=3)
    scrambled(policy.average, 0)
    assert policy.acting_net(1) is policy.average
    obs, e = torch.ones(4, 3), policy.noise(4, seeded())
    field = policy.bind(policy_batch(obs), policy.average).field
    expected = torch.addcmul(policy.act_center, policy.generate(field, e, 1), policy.act_half)
    acted = policy.act(obs.numpy(), steps=1, num_action_samples=1, generator=seeded())
    np.testing.assert_allclose(acted, expected.detach(), atol=1e-6)


def policy_batch(obs: torch.Tensor) -> Transitions:
    n = len(obs)
    return Transitions(obs, torch.zeros(n, 2), torch.zeros(n), obs, torch.zeros(n))


@pytest.mark.parametrize("sampler", [EulerSampler(4), DDPMSampler(steps=4)])
def test_a_clone_acts_by_any_sampler_and_by_its_seed(
    spec: Spec, sampler: EulerSampler | DDPMSampler, tmp_path: Path
) -> None:
    policy = Policy(spec, FlowMatching(), network=WIDE, sampler=sampler)
    policy.save_pretrained(tmp_path)
    again, obs = Policy.from_pretrained(tmp_path), np.ones((6, 3), np.float32)
    assert again.sampler == sampler
    one, two = (p.act(obs, generator=seeded()) for p in (policy, again))
    np.testing.assert_array_equal(one, two)
    assert not np.allclose(one, policy.act(obs, steps=2, generator=seeded()))


UNUSED = ("lightning", "torchmetrics", "tensorboard", "gymnasium", "minari", "pandas", "matplotlib")

ACT = """
import sys
import numpy as np
from oneleap.core.hub.pretrained import load_pretrained

policy = load_pretrained(sys.argv[1])
print(policy.act(np.zeros((2, 3), np.float32)).shape, policy.act(np.zeros(3, np.float32)).shape)
imported = {name.partition(".")[0] for name in sys.modules}
assert not imported & set(sys.argv[2].split()), imported & set(sys.argv[2].split())
compilers = {"torch._dynamo", "torch._inductor"} & sys.modules.keys()
assert not compilers, compilers
"""


def test_loading_a_policy_and_acting_imports_no_lightning(spec: Spec, tmp_path: Path) -> None:
    OFQL(spec, MeanFlow(), **SMALL).save_pretrained(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", ACT, str(tmp_path), " ".join(UNUSED)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(2, 2) (2,)\n"
