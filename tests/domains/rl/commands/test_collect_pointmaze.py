"""``oneleap collect pointmaze``: a complete data set, or none."""

from pathlib import Path

import minari
import numpy as np
import pytest
from minari.dataset._storages.hdf5_storage import HDF5Storage
from support.tiny_rl_env import recorded

from oneleap.core.cli import configs
from oneleap.core.errors import InputError
from oneleap.domains.rl.commands import collect_pointmaze as collect
from oneleap.domains.rl.data import minari as minari_io
from oneleap.domains.rl.data.rewards import (
    GoalDistanceReward,
)
from oneleap.domains.rl.demonstrators import pointmaze as recording
from oneleap.domains.rl.envs.mazes import MAZES, REFERENCE_RETURNS


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    monkeypatch.setattr(recording, "MIN_BALL_STEPS", 500)
    monkeypatch.setattr(recording, "measure_references", REFERENCE_RETURNS.__getitem__)
    return tmp_path


def test_the_command_writes_a_whole_minari_data_set(root, capsys):
    collect.pointmaze("umaze", 1000, seed=3)
    assert "next: oneleap fit --config rl/ofql_pointmaze-umaze\n" in capsys.readouterr().out
    assert list(minari.list_local_datasets()) == ["oneleap/pointmaze-umaze-v0"]
    loaded, expected = minari_io.read_minari("oneleap/pointmaze-umaze-v0"), recorded(1000, 3)
    np.testing.assert_array_equal(loaded.data.obs, expected.obs[:, :-1].reshape(-1, 4))
    np.testing.assert_array_equal(loaded.data.next_obs, expected.obs[:, 1:].reshape(-1, 4))
    reward = GoalDistanceReward(MAZES["umaze"].goal)(loaded.data)
    np.testing.assert_allclose(loaded.data.reward, reward, atol=1e-6)
    assert loaded.task.ref_min == REFERENCE_RETURNS["umaze"]["dense_random"]
    assert loaded.sparse_task.ref_max == REFERENCE_RETURNS["umaze"]["sparse_controller"]
    assert not loaded.moving_goal
    env = minari.load_dataset("oneleap/pointmaze-umaze-v0").recover_environment()
    assert env.unwrapped.maze == "umaze"


@pytest.mark.parametrize("maze", MAZES)
def test_balls_are_pushed_off_course_by_default_in_the_larger_mazes(maze, root):
    collect.pointmaze(maze, 500)
    expected = recorded(500, maze=maze, perturbation=0.0 if maze == "umaze" else 0.25)
    loaded = minari_io.read_minari(f"oneleap/pointmaze-{maze}-v0")
    np.testing.assert_array_equal(loaded.data.act, expected.act[0])


def test_an_interrupted_collection_leaves_what_was_there(root, monkeypatch):
    collect.pointmaze("umaze", 100, out=root / "a")
    before = (root / "a/data/metadata.json").read_text()

    def interrupted(maze, recording):
        raise KeyboardInterrupt

    def broken(storage, pieces):
        next(iter(pieces))
        raise KeyboardInterrupt

    for owner, name, stop in (
        (recording, "split_episodes", interrupted),
        (minari_io.MinariStorage, "update_metadata", interrupted),
        (HDF5Storage, "update_episodes", broken),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, stop)
            for place in ("a", "b"):
                with pytest.raises(KeyboardInterrupt):
                    collect.pointmaze("umaze", 200, out=root / place, overwrite=True)
    assert [path.name for path in root.iterdir()] == ["a"]
    assert (root / "a/data/metadata.json").read_text() == before
    assert len(minari_io.read_minari(str(root / "a")).data) == 100


def test_a_folder_may_be_relative(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    collect.pointmaze("umaze", 100, out=Path("some/where"))
    assert len(minari_io.read_minari("some/where").data) == 100


def test_a_data_set_is_replaced_only_with_overwrite(root, capsys):
    collect.pointmaze("umaze", 100, dataset_id="me/mine-v3")
    assert "--data.path me/mine-v3" in capsys.readouterr().out
    with pytest.raises(InputError, match="exists already: --overwrite replaces it"):
        collect.pointmaze("umaze", 200, dataset_id="me/mine-v3")
    assert len(minari_io.read_minari("me/mine-v3").data) == 100
    collect.pointmaze("umaze", 200, dataset_id="me/mine-v3", overwrite=True)
    assert len(minari_io.read_minari("me/mine-v3").data) == 200
    names = sorted(path.name for path in (root / "me").iterdir())
    assert names == ["mine-v3", "namespace_metadata.json"]


def test_the_next_command_names_a_configuration_that_ships(root, monkeypatch, capsys):
    for known, expected in (
        (["rl/ofql_pointmaze-large"], "rl/ofql_pointmaze-large"),
        (
            [],
            "rl/ofql_pointmaze-umaze --data.path oneleap/pointmaze-large-v0 "
            "'--data.reward.goal=[3.5, -3.0]'",
        ),
    ):
        monkeypatch.setattr(configs, "shipped_configs", lambda known=known: known)
        collect.pointmaze("large", 100, overwrite=True)
        assert f"next: oneleap fit --config {expected}\n" in capsys.readouterr().out


def test_wrong_settings_are_reported():
    with pytest.raises(InputError, match="steps: 0 is not positive"):
        collect.pointmaze("umaze", 0)
    with pytest.raises(InputError, match=r"perturbation: 1\.0 is not in \[0, 1\)"):
        collect.pointmaze("umaze", 10, perturbation=1.0)
    with pytest.raises(InputError, match="must be namespace/name-vNUMBER"):
        collect.pointmaze("umaze", 10, dataset_id="no version")
