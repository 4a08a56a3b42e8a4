"""The data module: one specification, and batches that a resumed run sees again."""

import h5py
import lightning as L
import numpy as np
import pytest
import torch
from jsonargparse import ArgumentParser
from support.tiny_rl import TINY, fields

from oneleap.core.errors import InputError
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.core.training.seed import step_generator
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.commands import collect_pointmaze as collect
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.rewards import (
    AntMazeReward,
    GoalDistanceReward,
    StoredReward,
)
from oneleap.domains.rl.demonstrators import pointmaze as recording
from oneleap.domains.rl.envs.mazes import MAZES, REFERENCE_RETURNS

GOAL = MAZES["umaze"].goal


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "hopper-tiny.hdf5"
    with h5py.File(path, "w") as f:
        f["observations"] = rng.normal(2, 3, (50, 11))
        f["next_observations"] = rng.normal(2, 3, (50, 11))
        f["actions"] = rng.uniform(-1, 1, (50, 3))
        f["rewards"] = np.arange(50.0)
        f["terminals"] = np.zeros(50, bool)
        f["timeouts"] = np.arange(50) % 10 == 9
    return str(path)


@pytest.fixture
def maze(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    monkeypatch.setattr(recording, "measure_references", REFERENCE_RETURNS.__getitem__)
    collect.pointmaze("umaze", 200)
    return "oneleap/pointmaze-umaze-v0"


def test_the_specification_is_there_before_setup(file):
    data = OfflineData(file)
    assert (data.spec.obs_dim, data.spec.act_dim) == (11, 3)
    assert data.spec.act_low == (-1, -1, -1)
    assert data.spec.task.env == "Hopper-v4"
    mean, std = data.dataset.moments()
    assert data.spec.obs_mean == tuple(mean.tolist())
    assert data.spec.obs_std == tuple(std.tolist())
    plain = OfflineData(file, normalize_obs=False).spec
    assert (plain.obs_mean[0], plain.obs_std[0]) == (0, 1)


def test_rewards_are_relabeled(file):
    assert OfflineData(file).dataset.reward[3] == 3
    assert OfflineData(file, reward=AntMazeReward()).dataset.reward[3] == 10


class Witness(L.LightningModule):
    """Remembers the rewards of its batches by step."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = {}

    def training_step(self, batch, batch_idx):
        assert batch.obs.device == self.device
        assert batch.obs.shape == (8, 11)
        self.seen[self.global_step] = batch.reward.clone()
        return (self.weight - batch.reward.mean()).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(file, folder, steps, resume=None, **kwargs):
    model = Witness()
    trainer = L.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **kwargs,
    )
    trainer.fit(model, OfflineData(file, batch_size=8, seed=3), ckpt_path=resume)
    trainer.save_checkpoint(folder / "last.ckpt")
    return model.seen


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning's
@pytest.mark.parametrize("limit", [1.0, 4])
def test_a_resumed_run_sees_the_batches_it_would_have_seen(file, tmp_path, limit):
    whole = fit(file, tmp_path, 11, limit_train_batches=limit)
    assert list(whole) == list(range(11))
    first = fit(file, tmp_path, 5, limit_train_batches=limit)
    rest = fit(file, tmp_path, 11, tmp_path / "last.ckpt", limit_train_batches=limit)
    assert list(rest) == list(range(5, 11))
    for step, seen in (first | rest).items():
        assert torch.equal(seen, whole[step])
    data = OfflineData(file).transitions
    for step in (0, 4, 10):
        expected = data.sample(8, step_generator(3, step, stream=1)).reward
        assert torch.equal(whole[step], expected)


def test_the_task_has_the_reward_that_is_trained_on(maze):
    for reward in (StoredReward(), GoalDistanceReward(GOAL)):
        task = OfflineData(maze, reward=reward).spec.task
        assert task.env_kwargs == {"maze": "umaze", "dense": True}
        assert task.ref_max == REFERENCE_RETURNS["umaze"]["dense_controller"]
    data = OfflineData(maze, reward=GoalDistanceReward(GOAL, dense=False))
    assert data.spec.task.env_kwargs == {"maze": "umaze", "dense": False}
    assert data.spec.task.ref_max == REFERENCE_RETURNS["umaze"]["sparse_controller"]
    assert set(data.dataset.reward.tolist()) <= {0, 1}


def test_a_reward_for_another_goal_is_reported(maze):
    with pytest.raises(InputError, match=r"goal \(1.0, 1.0\), the environment's goal in umaze is"):
        _ = OfflineData(maze, reward=GoalDistanceReward((1.0, 1.0))).spec


def test_rewards_of_moving_goals_are_reported(maze, monkeypatch):
    load = "oneleap.domains.rl.data.minari.read_minari"
    loaded = OfflineData(maze)._loaded
    monkeypatch.setattr(load, lambda *args: loaded._replace(moving_goal=True))
    with pytest.raises(InputError, match=r"set --data.reward oneleap.*\.GoalDistanceReward"):
        _ = OfflineData(maze).spec
    assert OfflineData(maze, reward=GoalDistanceReward(GOAL)).spec.task is not None


def test_the_environment_can_be_named_or_done_without(maze, monkeypatch):
    named = OfflineData(maze, env="PointMaze_UMaze-v3").spec.task
    assert named.env == "PointMaze_UMaze-v3"
    with pytest.raises(InputError, match="Pendulum-v1 has observations"):
        _ = OfflineData(maze, env="Pendulum-v1").spec
    assert OfflineData(maze, env="none").spec.task is None
    loaded = OfflineData(maze)._loaded
    monkeypatch.setattr(
        "oneleap.domains.rl.data.minari.read_minari", lambda *args: loaded._replace(task=None)
    )
    with pytest.raises(InputError, match=r"does not name its environment; --data.env ID"):
        _ = OfflineData(maze).spec


def test_a_batch_of_nothing_is_reported(file):
    with pytest.raises(InputError, match="batch_size: 0 is not positive"):
        OfflineData(file, batch_size=0)


def test_the_reward_is_chosen_by_its_class_path(file):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(OfflineData, "data")
    reward = '{"class_path": "oneleap.domains.rl.GoalDistanceReward", '
    reward += '"init_args": {"goal": [-1.0, 1.0], "dense": false}}'
    parsed = parser.parse_args(["--data.path", file, "--data.reward", reward])
    data = parser.instantiate(parsed).data
    assert data.reward == GoalDistanceReward((-1.0, 1.0), dense=False)
    parsed = parser.parse_args(["--data.path", file])
    assert parser.instantiate(parsed).data.reward == StoredReward()


@pytest.mark.parametrize(("factor", "repeats"), [(1.0, False), (3.0, True)])
def test_a_constant_action_is_repeated_where_the_bounds_are_the_range(factor, repeats):
    """Data within [-1, 1] have these bounds, other data without an environment their range."""
    arrays = fields(40)
    arrays["actions"] *= factor
    arrays["actions"][:, 1] = 0.5
    data = OfflineData.from_arrays(arrays)
    policy = Policy(data.spec, MeanFlow(), **TINY)
    acted = policy.act(data.dataset.obs.numpy(), generator=torch.Generator().manual_seed(0))
    assert np.isfinite(acted).all()
    assert (acted[:, 1] == 0.5).all() == repeats
    assert (data.spec.act_low[1], data.spec.act_high[1]) == ((0.5, 0.5) if repeats else (-1, 1))


def test_entries_of_observations_that_are_vectors_are_refused(file, maze):
    for path, env in ((file, None), (file, "none"), (maze, "none")):
        data = OfflineData(path, env=env, obs_keys=("foo",))
        told = "vectors without entries such as 'foo'; leave out --data.obs_keys"
        with pytest.raises(InputError, match=told) as error:
            _ = data.spec
        assert "\n" not in str(error.value)
