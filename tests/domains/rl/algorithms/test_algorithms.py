"""Properties of every algorithm: critics alone, saving and loading, evaluation."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from support.tiny_rl import ALGORITHMS, TINY, bandit, seeded

from oneleap.core.cli.configs import shipped_configs
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.objectives import FlowMatching
from oneleap.domains.main import main
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.dql import DQL
from oneleap.domains.rl.algorithms.idql import IDQL
from oneleap.domains.rl.algorithms.iql import IQL
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.commands import evaluate as evaluation
from oneleap.domains.rl.envs.mazes import REFERENCE_RETURNS, pointmaze_task
from oneleap.domains.rl.spec import Spec

every = pytest.mark.parametrize("name", ALGORITHMS)


@every
def test_without_its_actor_a_step_has_the_same_critics(name: str, spec: Spec) -> None:
    policy, batch = ALGORITHMS[name](spec), next(bandit(16))
    draw = policy.draw(batch, seeded())
    whole, part = policy.gradients(batch, draw), policy.gradients(batch, draw, False)
    assert part[0] == {}
    assert whole[0].keys() == dict(policy.net.named_parameters()).keys()
    for mine, theirs in zip(part[1:], whole[1:], strict=True):
        torch.testing.assert_close(mine, {name: theirs[name] for name in mine})


@every
def test_a_saved_policy_acts_the_same(name: str, spec: Spec, tmp_path: Path) -> None:
    policy = ALGORITHMS[name](spec)
    policy.save_pretrained(tmp_path)
    again = load_pretrained(tmp_path)
    assert isinstance(again, Policy)
    assert type(again) is type(policy)
    obs = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    for options in ({}, {"num_action_samples": 4}, {"steps": 1}):
        one, two = (p.act(obs, generator=seeded(), **options) for p in (policy, again))
        np.testing.assert_array_equal(one, two)
        assert one.shape == (5, 2)
        assert (one >= [-1, -2]).all()
        assert (one <= [1, 4]).all()
    assert policy.act(obs[0], generator=seeded()).shape == (2,)


@every
def test_the_draws_are_the_generator_s(name: str, spec: Spec) -> None:
    policy, batch = ALGORITHMS[name](spec), next(bandit(16))
    one, two, other = (policy.draw(batch, seeded(k)) for k in (0, 0, 1))
    assert torch.equal(one.noise, two.noise)
    assert torch.equal(one.next_noise, two.next_noise)
    assert not torch.equal(one.noise, other.noise)
    assert not torch.equal(one.noise, one.next_noise)
    assert policy.net is not policy.average


@pytest.mark.parametrize(
    ("policy", "num_action_samples", "steps"),
    [
        (lambda spec: DQL(spec, steps=3, num_action_samples=6, **TINY), 6, 3),
        (lambda spec: IDQL(spec, steps=2, num_action_samples=4, **TINY), 4, 2),
        (lambda spec: IQL(spec, **TINY), 1, 1),
        (lambda spec: Policy(spec, FlowMatching(), **TINY), 1, 1),
    ],
)
def test_the_command_evaluates_a_policy_its_own_way(
    policy: Callable[[Spec], Policy], num_action_samples: int, steps: int, tmp_path: Path
) -> None:
    task = pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"])
    task.env_kwargs["horizon"] = 4
    plain = (0.0,) * 4, (1.0,) * 4, (-1.0,) * 2, (1.0,) * 2
    made = policy(Spec(4, 2, *plain, task))
    made.save_pretrained(tmp_path / "model")
    evaluation.evaluate(tmp_path, episodes=2, video=False)
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert (found["num_action_samples"], found["steps"]) == (num_action_samples, steps)
    valued = isinstance(made, ActorCritic)
    several = 2 if valued else 1
    evaluation.evaluate(tmp_path, episodes=2, video=False, num_action_samples=several, steps=1)
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert (found["num_action_samples"], found["steps"]) == (several, 1)
    assert ("temperature" in found) is valued
    if valued:
        evaluation.evaluate(tmp_path, episodes=2, video=False, temperature=0.03)
        assert json.loads((tmp_path / "evaluation.json").read_text())["temperature"] == 0.03


@pytest.mark.parametrize("config", [name for name in shipped_configs() if name.endswith("_d4rl")])
def test_its_configuration_trains(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    g = np.random.default_rng(0)
    with h5py.File("hopper.hdf5", "w") as file:
        file["observations"] = g.normal(size=(200, 11)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (200, 3)).astype(np.float32)
        file["rewards"] = g.normal(size=200).astype(np.float32)
        file["terminals"] = np.arange(200) % 50 == 49
        file["timeouts"] = np.zeros(200, bool)
    small = "--model.network.width 8 --model.recipe.compile false --trainer.max_steps 2"
    data = "--data.path hopper.hdf5 --data.env none --data.batch_size 16 --run run"
    assert main(["fit", "--config", config, *small.split(), *data.split()]) == 0
    policy = load_pretrained("run/model")
    assert isinstance(policy, Policy)
    assert policy.act(np.zeros((2, 11), np.float32)).shape == (2, 3)
