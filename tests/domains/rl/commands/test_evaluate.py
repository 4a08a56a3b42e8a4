"""Evaluation: each environment's first episode, whole, and nothing else."""

import json
import os
from pathlib import Path
from typing import ClassVar

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.envs.registration import register

from oneleap.core.errors import InputError
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.commands import evaluate as evaluation
from oneleap.domains.rl.commands.evaluate import command
from oneleap.domains.rl.envs.pointmaze import ENV_ID, MAZES, REFERENCE_RETURNS, pointmaze_task
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation import rollouts
from oneleap.domains.rl.evaluation.plots import draw, record_video
from oneleap.domains.rl.evaluation.rollouts import evaluate
from oneleap.domains.rl.spec import Spec


class Countdown(gymnasium.Env):
    """Lasts as long as its seed says; the reward is the action; observations count the steps."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, keyed=False, succeeds=False, render_mode=None):
        observation_vector = spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.keyed, self.succeeds, self.render_mode = keyed, succeeds, render_mode
        self.observation_space = (
            spaces.Dict({"observation": observation_vector}) if keyed else observation_vector
        )
        self.action_space = spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = self.length = int(self.np_random.integers(3, 30))
        return self._obs(), {}

    def _obs(self):
        obs = np.array([self.length - self.left, self.length], np.float64)
        return {"observation": obs} if self.keyed else obs

    def step(self, action):
        assert self.left > 0, "stepped after its end"
        self.left -= 1
        info = {"success": self.length % 2 == 0 and self.left == 1} if self.succeeds else {}
        over = self.left == 0
        return self._obs(), float(action[0]), over and self.length > 15, over, info

    def render(self):
        return np.full((64, 64, 3), 10 * self.left, np.uint8)


register(id="Countdown-v0", entry_point=Countdown)
TASK = Task("Countdown-v0", {}, 0.0, 20.0, "made up")


def one(obs):
    return np.ones((len(obs), 1), np.float32)


def expected_lengths(episodes, seed):
    env = Countdown()
    seeds = (rollouts.episode_seed(seed, i) for i in range(episodes))
    return [int(env.reset(seed=s)[0][1]) for s in seeds]


@pytest.mark.parametrize("wave", [1, 4, 200])
def test_each_episode_counts_once_and_whole_however_many_play_at_once(monkeypatch, wave):
    monkeypatch.setattr(rollouts, "MAX_PARALLEL", wave)
    found = evaluate(one, TASK, 13, seed=5)
    lengths = expected_lengths(13, 5)
    assert len(set(lengths)) > 5
    assert found.lengths.tolist() == lengths
    assert found.returns.tolist() == lengths
    np.testing.assert_allclose(found.scores, np.array(lengths) * 5)
    assert found.mean == np.mean(lengths)
    assert found.standard_error == pytest.approx(np.std(lengths, ddof=1) / np.sqrt(13))
    assert found.successes is None


def test_the_policy_sees_all_rows_always_and_the_last_observation_of_the_finished():
    seen = []
    found = evaluate(lambda obs: (seen.append(obs.copy()), one(obs))[1], TASK, 6)
    assert {obs.shape for obs in seen} == {(6, 2)}
    assert len(seen) == found.lengths.max()
    for k, obs in enumerate(seen):
        assert obs[:, 0].tolist() == np.minimum(k, found.lengths).tolist()


def test_each_row_gets_its_own_action():
    found = evaluate(lambda obs: np.arange(len(obs), dtype=np.float32)[:, None], TASK, 5)
    assert found.returns.tolist() == (np.arange(5) * found.lengths).tolist()


def test_other_seeds_are_other_episodes():
    assert evaluate(one, TASK, 8, seed=0).returns.tolist() == expected_lengths(8, 0)
    assert expected_lengths(8, 0) != expected_lengths(8, 1)


def test_success_at_any_time_counts():
    found = evaluate(one, Task("Countdown-v0", {"succeeds": True}), 12)
    assert found.successes.tolist() == [n % 2 == 0 for n in found.lengths]
    assert found.figures()["success"] == found.successes.mean()


def test_observations_in_a_dictionary_are_taken_out():
    found = evaluate(one, Task("Countdown-v0", {"keyed": True}), 3)
    assert found.returns.tolist() == evaluate(one, TASK, 3).returns.tolist()


def test_trails_are_the_observations_of_whole_episodes():
    found = evaluate(one, TASK, 20)
    assert len(found.trajectories) == rollouts.TRAJECTORIES
    for trail, length in zip(found.trajectories, found.lengths, strict=False):
        assert trail[:, 0].tolist() == list(range(length + 1))


def test_the_table_and_the_figures_agree():
    found = evaluate(one, TASK, 4)
    flat = json.loads(json.dumps(found.figures()))
    assert flat["score"] == found.score
    assert flat["score_se"] == pytest.approx(found.standard_error * 5)
    assert flat["act_batch"] == 4
    assert flat["act_ms"] > 0
    assert [str(cell) for cell in found.table().columns[0].cells][:2] == ["score", "0 and 100 are"]
    alone = evaluate(one, Task("Countdown-v0"), 1).figures()
    assert not {"score", "return_se", "success"} & alone.keys()
    assert evaluate(one, Task("Countdown-v0"), 1).score == alone["return"]


def test_a_diverged_policy_and_nothing_to_play_are_told():
    with pytest.raises(InputError, match="actions are not finite: did it diverge"):
        evaluate(lambda obs: one(obs) * np.nan, TASK, 2)
    with pytest.raises(InputError, match="episodes: 0 is not positive"):
        evaluate(one, TASK, 0)
    with pytest.raises(InputError, match=r"^environment Nowhere-v0: "):
        evaluate(one, Task("Nowhere-v0"), 1)
    with pytest.raises(InputError, match=r"^environment Countdown-v0: "):
        evaluate(one, Task("Countdown-v0", {"speed": 3}), 1)


def test_the_measured_references_are_what_evaluation_gives():
    """Random actions in the environment itself, not in the simulation of many balls."""
    rng = np.random.default_rng(0)
    task = pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"])
    found = evaluate(lambda obs: rng.uniform(-1, 1, (len(obs), 2)), task, 16)
    assert abs(found.score) < 4 * found.figures()["score_se"]


def test_a_maze_is_drawn(tmp_path):
    trail = MAZES["large"].starts(40, np.random.default_rng(0)).astype(np.float32)
    draw("large", [trail, trail[:3]], tmp_path / "maze.png", "title")
    assert (tmp_path / "maze.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["maze.png"]


def test_a_film_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "MUJOCO_GL", "egl")
    assert record_video(one, TASK, tmp_path / "film.mp4", seed=0) is None
    assert b"ftyp" in (tmp_path / "film.mp4").read_bytes()[:64]


def test_a_film_that_cannot_be_names_the_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "MUJOCO_GL", "egl")

    def fail(self):
        raise RuntimeError("no\nlibEGL")

    monkeypatch.setattr(Countdown, "render", fail)
    message = record_video(one, TASK, tmp_path / "film.mp4", seed=0)
    assert message == (
        "no video, install Debian's libegl1 libgl1 libosmesa6 libgles2 (OpenGL failed: no libEGL)"
    )
    monkeypatch.setitem(Countdown.metadata, "render_modes", [])
    assert record_video(one, TASK, tmp_path / "film.mp4", seed=0) == (
        "no video: Countdown-v0 draws no pictures"
    )
    assert not list(tmp_path.iterdir())


def trained(folder: Path, task: Task | None, obs_dim: int = 4) -> Path:
    spec = Spec(
        obs_dim=obs_dim,
        act_dim=2,
        obs_mean=(0.0,) * obs_dim,
        obs_std=(1.0,) * obs_dim,
        act_low=(-1.0, -1.0),
        act_high=(1.0, 1.0),
        task=task,
    )
    Policy(spec, MeanFlow(), width=8, depth=1, time_dim=4).save_pretrained(folder / "model")
    return folder


def test_noise_and_temperature_of_an_evaluation(tmp_path: Path) -> None:
    """No noise, no spread of actions; without a value there is nothing to choose by."""
    task = pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"])
    task.env_kwargs["horizon"] = 4
    run = trained(tmp_path, task)
    policy, obs = Policy.from_pretrained(run / "model"), np.zeros((5, 4), np.float32)
    none, half, whole = (
        np.ptp(policy.act(obs, noise_scale=k, generator=torch.Generator().manual_seed(0)), 0).max()
        for k in (0.0, 0.5, 1.0)
    )
    assert none < 1e-6 < half < whole
    command(run, episodes=2, noise_scale=0.5, video=False)
    assert json.loads((run / "evaluation.json").read_text())["noise_scale"] == 0.5
    with pytest.raises(InputError, match=r"noise_scale must be 0 or more, not -1\.0"):
        command(run, noise_scale=-1.0)
    with pytest.raises(InputError, match=r"temperature must be 0 or more, not -0\.1"):
        command(run, temperature=-0.1)
    with pytest.raises(InputError, match="temperature: a Policy has no values to choose by"):
        command(run, temperature=0.1)
    with pytest.raises(InputError, match="candidates: a Policy has no values to choose by"):
        command(run, num_action_samples=5)
    with pytest.raises(InputError, match="candidates: 0 is not positive"):
        command(run, num_action_samples=0)


def test_the_command_leaves_figures_and_pictures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "record_video", lambda *args: "no video, said the test")
    task = pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"])
    task.env_kwargs["horizon"] = 20
    run = trained(tmp_path, task)
    figures = []
    for _ in range(2):
        torch.randn(3)  # global randomness does not matter
        command(run, episodes=3, seed=1, json=tmp_path / "more.json")
        figures.append(json.loads((tmp_path / "evaluation.json").read_text()))
        assert json.loads((tmp_path / "more.json").read_text()) == figures[-1]
        figures[-1].pop("act_ms")
    assert figures[0] == figures[1]
    assert figures[0]["num_action_samples"] == 1
    assert figures[0]["length"] == 20
    assert all(isinstance(value, int | float) for value in figures[0].values())
    assert (tmp_path / "trails.png").exists()
    printed = capsys.readouterr().out
    assert "N=1" in printed
    assert "no video, said the test" in printed


def test_what_cannot_be_evaluated_is_told(tmp_path):
    with pytest.raises(InputError, match=r"trained without an environment; set data.env"):
        command(trained(tmp_path / "a", None))
    with pytest.raises(InputError, match=r"maps 5 observations to 2 actions; .*PointMaze"):
        command(trained(tmp_path / "b", Task(ENV_ID), 5))
    with pytest.raises(InputError):
        command(tmp_path / "nothing")
