"""Q-chunking: closed forms of target, masks and pessimism; open-loop execution."""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from support.tiny_rl import ALGORITHMS, SMALL, bandit, in_chunks, q_of, scrambled, seeded, train
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.objectives import MeanFlow
from oneleap.domains.rl.algorithms.chunks import ActionQueue
from oneleap.domains.rl.algorithms.flow.fql import FQL
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation.rollouts import evaluate_policy
from oneleap.domains.rl.nets.config import CriticConfig
from oneleap.domains.rl.spec import Spec

H = 3
every = pytest.mark.parametrize("name", ALGORITHMS)


@pytest.fixture
def chunked(spec: Spec) -> Spec:
    return replace(spec, chunk=H)


@pytest.fixture
def rows() -> Transitions:
    return next(in_chunks(bandit(24), H))


def test_the_value_of_a_chunk_is_the_published_formula(chunked: Spec, rows: Transitions) -> None:
    """y = sum gamma^i r_i + gamma^h m (mean - rho std), of 10 critics; crossing chunks count 0."""
    config = CriticConfig(members=10, q_agg="mean", rho=0.5, layer_norm=True)
    policy = FQL(chunked, flow_steps=2, **{**SMALL, "critic_config": config})
    scrambled(policy.target_critic, 0)
    batch = rows._replace(discount=torch.linspace(0, 0.7, 24))
    draw = policy.draw(batch, seeded())
    assert draw.noise.shape == (24, 2 * H)
    loss, _ = policy.critic_loss(dict(policy.critic.named_parameters()), batch, draw)
    s, s2 = policy.normalize_obs(batch.obs), policy.normalize_obs(batch.next_obs)
    low, high = torch.tensor([-1.0, -2.0]), torch.tensor([1.0, 4.0])
    a = (2 * (batch.act.view(24, H, 2) - low) / (high - low) - 1).view(24, 2 * H)
    e, zero, one = draw.next_noise, torch.zeros(24), torch.ones(24)
    with torch.no_grad():
        a2 = (e - policy.average.student(e, zero, one, s2)).clamp(-1, 1)
        later = torch.stack([q_of(policy.target_critic, k, s2, a2) for k in range(10)]).numpy()
    future = torch.from_numpy(later.mean(0) - 0.5 * later.std(0))
    y = batch.reward + batch.discount * future
    q = torch.stack([q_of(policy.critic, k, s, a) for k in range(10)])
    inside = torch.tensor([k % 3 != 0 or k % H == H - 1 for k in range(24)])
    assert torch.equal(inside, batch.valid.all(1))
    torch.testing.assert_close(loss, ((q - y).square() * inside).sum() / 24)


@every
def test_a_chunk_that_crosses_the_end_has_no_value_to_learn(
    name: str, chunked: Spec, rows: Transitions
) -> None:
    policy = ALGORITHMS[name](chunked)
    draw, inside = policy.draw(rows, seeded()), rows.valid.all(1)
    assert 0 < int(inside.sum()) < len(inside)

    def gradient(batch: Transitions) -> dict[str, Tensor]:
        return policy.gradients(batch, draw, False)[1]

    usual = gradient(rows)
    assert all(g.isfinite().all() for g in usual.values())
    act = torch.where(inside[:, None], rows.act, rows.act.flip(1) / 3)
    other = gradient(rows._replace(reward=torch.where(inside, rows.reward, 1e4), act=act))
    torch.testing.assert_close(usual, other)
    changed = gradient(rows._replace(reward=torch.where(inside, 1e4, rows.reward)))
    assert any(not torch.allclose(usual[k], changed[k]) for k in usual)


def test_imitation_ignores_the_actions_beyond_the_end(chunked: Spec, rows: Transitions) -> None:
    policy = FQL(chunked, flow_steps=2, **SMALL)
    draw = policy.draw(rows, seeded())
    loss = policy.actor_loss(dict(policy.net.named_parameters()), rows, draw, torch.ones(()))[1]
    s, a, e, t = (
        policy.normalize_obs(rows.obs),
        policy.data(rows),
        draw.imitation.e,
        draw.imitation.t,
    )
    z = (1 - t[:, None]) * a + t[:, None] * e
    error = (policy.net.flow(z, t, t, s) - (e - a)).square().view(24, H, 2).mean(2)
    each = (error * rows.valid).sum(1) / rows.valid.sum(1)
    torch.testing.assert_close(loss["velocity_error"], each.mean().detach())


@every
def test_a_policy_with_chunks_plans_is_saved_and_trains(
    name: str, chunked: Spec, tmp_path: Path
) -> None:
    policy = ALGORITHMS[name](chunked)
    train(policy, 2, in_chunks(bandit(12), H))
    policy.save_pretrained(tmp_path)
    again = load_pretrained(tmp_path)
    assert isinstance(again, Policy)
    obs = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    planned, loaded = (p.plan(obs, generator=seeded()) for p in (policy, again))
    np.testing.assert_array_equal(planned, loaded)
    assert planned.shape == (5, H, 2)
    assert (planned >= [-1, -2]).all()
    assert (planned <= [1, 4]).all()
    for step in range(H):
        np.testing.assert_array_equal(again.act(obs + step, generator=seeded()), planned[:, step])
    assert policy.act(obs[0]).shape == (2,)
    assert policy.plan(obs[0]).shape == (H, 2)


def test_each_environment_has_a_queue_of_its_own() -> None:
    seen: list[list[float]] = []

    def plan(obs: np.ndarray) -> np.ndarray:
        seen.append(obs[:, 0].tolist())
        return (obs[:, :1, None] + np.arange(3.0).reshape(1, 3, 1) / 10).astype(np.float32)

    queue, obs = ActionQueue(3), np.array([[1.0], [2.0]])

    def step(obs: np.ndarray) -> list[float]:
        return [round(float(a), 1) for a in queue.next(obs, plan)[..., 0].ravel()]

    assert [step(obs), step(obs + 5)] == [[1.0, 2.0], [1.1, 2.1]]
    queue.clear([1])
    assert step(obs + 5) == [1.2, 7.0]
    assert step(obs + 6) == [7.0, 7.1]
    assert seen == [[1, 2], [7], [7]]
    queue.clear()
    assert step(obs) == [1.0, 2.0]
    assert step(obs[:1]) == [1.0], "another number of environments: all are planned for"
    assert queue.next(np.array([9.0]), plan).shape == (1,)
    with pytest.raises(InputError, match="but there are 1"):
        queue.clear([1])


class Recorder(gymnasium.Env):
    """Five steps; the return is the sum of its actions, which must be those of one plan."""

    observation_space = Box(-np.inf, np.inf, (3,), np.float32)
    action_space = Box(np.array([-1.0, -2.0], np.float32), np.array([1.0, 4.0], np.float32))
    taken: ClassVar[list[list[np.ndarray]]] = []

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.mine: list[np.ndarray] = []
        Recorder.taken.append(self.mine)
        return self.np_random.normal(size=3).astype(np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.mine.append(np.array(action))
        return np.full(3, len(self.mine), np.float32), 0.0, len(self.mine) == 5, False, {}


def test_an_evaluation_begins_with_new_plans(chunked: Spec) -> None:
    gymnasium.register("Recorder-v0", Recorder)
    policy = OFQL(chunked, MeanFlow(), **SMALL)
    Recorder.taken.clear()
    for _ in range(2):  # five steps leave one planned action behind
        evaluate_policy(
            lambda obs: policy.act(obs, noise_scale=0.0), Task("Recorder-v0"), 2, reset=policy.reset
        )
    del gymnasium.registry["Recorder-v0"]
    runs = [np.array(run) for run in Recorder.taken if run]
    assert len(runs) == 4
    np.testing.assert_array_equal(runs[0], runs[2])
    later = policy.plan(np.full((1, 3), 3, np.float32), noise_scale=0.0)[0]
    np.testing.assert_allclose(runs[0][3:], later[:2], rtol=1e-5)


def test_pessimism() -> None:
    q = torch.randn(2, 50, generator=seeded())
    least = CriticConfig().aggregate(q)
    assert torch.equal(least, q.amin(0))
    torch.testing.assert_close(CriticConfig(q_agg="mean", rho=1.0).aggregate(q), least)
    assert torch.equal(CriticConfig(q_agg="mean").aggregate(q), q.mean(0))
    equal = torch.ones(3, 4, requires_grad=True)
    CriticConfig(q_agg="mean", rho=0.5).aggregate(equal).sum().backward()
    torch.testing.assert_close(equal.grad, torch.full((3, 4), 1 / 3))
    with pytest.raises(InputError, match=r"rho: 0\.5, but q_agg is min"):
        CriticConfig(rho=0.5)
    with pytest.raises(InputError, match="members: 0 is not positive"):
        CriticConfig(members=0)


def test_a_step_maximizes_one_critic_and_another_scales_it(spec: Spec, batch: Transitions) -> None:
    policy = OFQL(spec, MeanFlow(), **{**SMALL, "critic_config": CriticConfig(members=5)})
    found = {int(policy.draw(batch, seeded(k)).critic_index) for k in range(60)}
    assert found == set(range(5))
    others = [int(policy.other_critic(torch.tensor([k]))) for k in range(5)]
    assert others == [1, 2, 3, 4, 0]
