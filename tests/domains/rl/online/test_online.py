"""Offline to online: new steps equal those of the offline reader; runs follow from their seed."""

import csv
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.domains.main import main
from oneleap.domains.rl.data.rewards import (
    NormalizedReward,
    ReturnScaledReward,
)
from oneleap.domains.rl.data.transitions import OfflineDataset
from oneleap.domains.rl.data.validation import episode_bounds
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.online.datamodule import OnlineData, joined
from oneleap.domains.rl.online.replay import Collector, ReplayBuffer, Step
from oneleap.domains.rl.spec import Spec

Capture = pytest.CaptureFixture[str]


class Walk(gymnasium.Env[Any, Any]):
    """Adds the action to its state; ends after 5 steps, every other time by termination."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.k, self.ends = 0, getattr(self, "ends", True) is False
        self.state = self.np_random.normal(size=2).astype(np.float32)
        return self.state.copy(), {}

    def step(self, action: Any) -> Any:
        self.k += 1
        self.state = self.state + np.float32(action[0])
        over = self.k == 5
        return self.state.copy(), float(self.k), over and self.ends, over and not self.ends, {}


@pytest.fixture
def walk() -> Any:
    gymnasium.register("Walk-v0", Walk)
    yield Task("Walk-v0")
    del gymnasium.registry["Walk-v0"]


@pytest.mark.parametrize(("n_step", "chunk"), [(1, 1), (3, 1), (9, 1), (1, 3)])
def test_fresh_steps_are_what_the_offline_reader_makes_of_the_same_episodes(
    walk: Task, n_step: int, chunk: int
) -> None:
    rng, seen, acts = np.random.default_rng(0), [], []

    def act(obs: np.ndarray) -> np.ndarray:
        seen.append(obs)
        acts.append(rng.uniform(-1, 1, 1).astype(np.float32))
        return acts[-1]

    collector = Collector(walk, 0.9, n_step, lambda r: 2 * r - 1, seed=3, chunk=chunk)
    found, returns = [], []
    for _ in range(20):
        steps, returned = collector.step(act)
        found += steps
        returns += [] if returned is None else [returned]
    assert returns == [15.0] * 4
    obs, action = np.array(seen), np.array(acts)
    ends = np.arange(20) % 5 == 4
    terminal = ends & (np.arange(20) // 5 % 2 == 1)  # the env: first episode is truncated
    data = OfflineDataset(
        *(torch.from_numpy(x.astype(np.float32)) for x in (obs, action)),
        reward=torch.from_numpy((2 * (np.arange(20) % 5 + 1) - 1).astype(np.float32)),
        next_obs=torch.from_numpy((obs + action).astype(np.float32)),
        terminal=torch.from_numpy(terminal.astype(np.float32)),
        timeout=torch.from_numpy((ends & ~terminal).astype(np.float32)),
        bounds=torch.from_numpy(episode_bounds(ends)),
    )
    wanted = data.transitions(0.9, n_step, chunk)
    assert len(found) == 20
    for column, expected in zip([*zip(*found, strict=True)][:5], wanted[:5], strict=True):
        np.testing.assert_allclose(np.array(column), expected, rtol=1e-5)
    if chunk == 1:
        assert wanted.valid is None
        assert found[0].valid is None
    else:
        np.testing.assert_array_equal([step.valid for step in found], wanted.valid)


def test_the_replay_keeps_which_actions_of_a_chunk_are_valid() -> None:
    spec = Spec(2, 1, (0.0,) * 2, (1.0,) * 2, (-1.0,), (1.0,), chunk=2)
    replay = ReplayBuffer(3, spec, torch.device("cpu"))
    for k in range(3):
        row = np.full(2, k, np.float32)
        replay.add(Step(row, row, k, row + 1, 0.9, np.array([True, k != 1])))
    drawn = replay.sample(50, torch.Generator().manual_seed(0))
    assert torch.equal(drawn.valid[:, 1], drawn.reward != 1)
    again = ReplayBuffer(3, spec, torch.device("cpu"))
    again.load_state_dict(replay.state_dict())
    assert torch.equal(again.rows.valid, replay.rows.valid)
    plain = drawn._replace(next_act=None)
    assert torch.equal(joined(plain, drawn).valid, torch.cat([drawn.valid] * 2))
    assert joined(plain, drawn).next_act is None


def test_the_replay_forgets_the_oldest_and_comes_back_from_a_checkpoint() -> None:
    spec = Spec(2, 1, (0.0,) * 2, (1.0,) * 2, (-1.0,), (1.0,))
    replay = ReplayBuffer(3, spec, torch.device("cpu"))
    for k in range(5):
        row = np.full(2, k, np.float32)
        replay.add(Step(row, row[:1], k, row + 1, 0.9))
    assert len(replay) == 3
    assert sorted(replay.rows.reward.tolist()) == [2, 3, 4]
    drawn = replay.sample(50, torch.Generator().manual_seed(0))
    assert set(drawn.reward.tolist()) == {2.0, 3.0, 4.0}
    torch.testing.assert_close(drawn.next_obs, drawn.obs + 1)
    again = ReplayBuffer(3, spec, torch.device("cpu"))
    again.load_state_dict(replay.state_dict())
    torch.testing.assert_close(again.rows.obs, replay.rows.obs)
    assert again.added == 5
    with pytest.raises(InputError, match="capacity: 2"):
        ReplayBuffer(2, spec, torch.device("cpu")).load_state_dict(replay.state_dict())


def write(path: Path, obs: int = 11) -> None:
    g = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file["observations"] = g.normal(size=(80, obs)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (80, 3)).astype(np.float32)
        file["rewards"] = g.normal(size=80).astype(np.float32)
        file["terminals"] = np.arange(80) % 20 == 19
        file["timeouts"] = np.zeros(80, bool)


@pytest.mark.parametrize("reward", [NormalizedReward(), ReturnScaledReward()])
def test_fresh_rewards_are_changed_as_those_of_the_data(tmp_path: Path, reward: Any) -> None:
    write(tmp_path / "hopper.hdf5")
    data = OnlineData(str(tmp_path / "hopper.hdf5"), "nowhere", reward=reward)
    change = data.reward_transform()
    raw = OnlineData(str(tmp_path / "hopper.hdf5"), "nowhere").dataset.reward
    found = [change(r) for r in raw.tolist()]
    np.testing.assert_allclose(found, data.dataset.reward, rtol=1e-4, atol=1e-4)


SMALL = [
    *["--model.network.width", "8", "--model.recipe.compile", "false"],
    *["--data.batch_size", "16"],
]
ONLINE = [
    *["fit", "--config", "rl/ofql_online", "--data.run", "start", "--data.path", "hopper.hdf5"],
    *[*SMALL, "--data.first_steps", "30", "--trainer.log_every_n_steps", "1"],
]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data and a finished offline run."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "hopper.hdf5")
    offline = ["fit", "--config", "rl/ofql_d4rl", "--data.path", "hopper.hdf5", "--run", "start"]
    assert main([*offline, *SMALL, "--trainer.max_steps", "3"]) == 0
    return tmp_path


def weights(run: str) -> dict[str, torch.Tensor]:
    model: Any = load_pretrained(f"{run}/model")
    return dict(model.state_dict())


def test_a_run_continues_from_its_weights_and_by_its_seed(start: Path) -> None:
    for run in ("a", "b"):
        assert main([*ONLINE, "--run", run, "--trainer.max_steps", "8"]) == 0
    one, two = weights("a"), weights("b")
    assert all(torch.equal(one[name], two[name]) for name in one)
    before = weights("start")
    moved = max(float((one[name] - before[name]).abs().max()) for name in before)
    assert 0 < moved < 0.01  # 8 steps of 3e-4 from there, and not from another start
    with Path("a/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert any(float(row["online/return"]) > 0 for row in rows if row.get("online/return"))


def test_a_killed_run_continues_with_what_it_has_played(start: Path) -> None:
    assert main([*ONLINE, "--run", "a", "--trainer.max_steps", "4"]) == 0
    kept = torch.load("a/checkpoints/last.ckpt", weights_only=True)["OnlineData"]
    played = kept["replay"]["added"]
    assert played >= 30 + 3
    again = [*ONLINE, "--run", "a", "--ckpt_path", "last", "--trainer.max_steps", "6"]
    assert main(again) == 0
    later = torch.load("a/checkpoints/last.ckpt", weights_only=True)["OnlineData"]
    assert played < later["replay"]["added"] <= played + 4
    assert later["episodes"] >= kept["episodes"]  # the episode goes on where it was
    for old, new in zip(kept["replay"]["rows"], later["replay"]["rows"], strict=True):
        assert torch.equal(old, new[:played])


def test_what_cannot_continue_is_reported(start: Path, capsys: Capture) -> None:
    line = [*ONLINE, "--run", "a", "--trainer.max_steps", "2"]
    for extra, message in (
        (
            ["--model", "oneleap.domains.rl.DQL"],
            "start holds a OFQL, the configuration trains a DQL",
        ),
        (["--model.network.depth", "2"], "start: its weights have other sizes"),
        (
            ["--model.critic_config.layer_norm", "false"],
            "start was trained with critic_config.layer_norm true, the configuration has "
            "false: --model.critic_config.layer_norm true",
        ),
        (
            ["--model.residual", "true"],
            "start was trained with residual false, the configuration has true: "
            "--model.residual false",
        ),
        (["--data.gamma", "0.9"], "with data.gamma 0.99, the configuration has 0.9"),
        (
            ["--data.reward", "oneleap.domains.rl.ReturnScaledReward"],
            "with data.reward oneleap.domains.rl.StoredReward, the configuration has",
        ),
        (["--data.run", "nowhere"], "nowhere: no such folder"),
        (["--data.offline_share", "2"], "offline_share: 2.0 is not in [0, 1]"),
    ):
        assert main([*line, *extra]) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
    write(start / "other.hdf5", obs=12)
    assert main([*line, "--data.path", "other.hdf5"]) == 2
    assert "other.hdf5 has 12 and 3" in capsys.readouterr().err
