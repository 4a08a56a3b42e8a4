"""OGBench's recordings: plan, layout, and rewards that equal those of its own package."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.main import main
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.demonstrators import ogbench
from oneleap.domains.rl.demonstrators.ogbench import (
    OGBenchRecording,
    collect_ogbench,
    origin,
    validation_file,
)

TINY = OGBenchRecording("cube-single-v0", "play", episodes=10, steps=12)


@pytest.mark.parametrize("episodes", [1, 9, 10, 25, 100, 1000])
def test_episodes_are_split_into_blocks_of_training_and_of_validation(episodes: int) -> None:
    recording = replace(TINY, episodes=episodes)
    train, validation = recording.blocks
    numbers = [[list(recording.numbers(k)) for k in blocks] for blocks in (train, validation)]
    trained, validated = ([n for block in part for n in block] for part in numbers)
    assert trained == list(range(episodes))
    assert validated == list(range(episodes, episodes + episodes // 10))
    assert all(0 < len(block) <= 10 for part in numbers for block in part)
    assert [*train, *validation] == list(range(len(train) + len(validation)))


@pytest.mark.parametrize("name", ["antmaze-large-navigate", "cube-double", "mine", "cube-x-stitch"])
def test_data_that_cannot_be_made_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="name cube-double-play, scene-play"):
        origin(name)


@pytest.mark.parametrize(
    ("name", "env", "behavior", "episodes", "steps"),
    [
        ("cube-double-play", "cube-double-v0", "play", 1000, 1001),
        ("cube-triple-noisy-v0", "cube-triple-v0", "noisy", 3000, 1001),
        ("puzzle-4x6-play", "puzzle-4x6-v0", "play", 5000, 1001),
        ("scene-play-v0", "scene-v0", "play", 1000, 1001),
        ("pointmaze-giant-navigate", "pointmaze-giant-v0", "navigate", 500, 2001),
        ("pointmaze-giant-stitch", "pointmaze-giant-v0", "stitch", 5000, 201),
    ],
)
def test_origins_are_those_of_ogbenchs_scripts(
    name: str, env: str, behavior: str, episodes: int, steps: int
) -> None:
    pytest.importorskip("ogbench")
    assert origin(name) == OGBenchRecording(env, behavior, episodes, steps)


def test_the_command_says_which_extra_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(ogbench, "import_module", missing)
    assert main(["collect", "ogbench", "--out", str(tmp_path / "data")]) == 2
    assert "pip install 'oneleap[ogbench]'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*precision lowered")  # in the package's own function
@pytest.mark.parametrize(
    ("env", "behavior", "task"),
    [
        ("cube-double-v0", "play", "cube-double-play-singletask-task1-v0"),
        pytest.param("scene-v0", "play", "scene-play-singletask-task4-v0", marks=pytest.mark.slow),
        pytest.param(
            "puzzle-3x3-v0",
            "noisy",
            "puzzle-3x3-noisy-singletask-task2-v0",
            marks=pytest.mark.slow,
        ),
        ("pointmaze-medium-v0", "navigate", "pointmaze-medium-navigate-singletask-task1-v0"),
        ("pointmaze-large-v0", "stitch", "pointmaze-large-stitch-singletask-v0"),
    ],
)
def test_rewards_and_layout_are_those_of_the_package(
    tmp_path: Path, env: str, behavior: str, task: str
) -> None:
    package = pytest.importorskip("ogbench")
    path = tmp_path / f"{env.removesuffix('-v0')}-{behavior}-v0.npz"
    recording = OGBenchRecording(env, behavior, episodes=10, steps=9)
    assert collect_ogbench(recording, path, workers=1) == (80, 8)
    assert sorted(tmp_path.iterdir()) == sorted([path, validation_file(path)])
    _near_the_goal(path, task)
    _, train, validation = package.make_env_and_datasets(task, dataset_path=str(path))
    for file, wanted in ((path, train), (validation_file(path), validation)):
        data = OfflineData(str(file), env=task).dataset
        np.testing.assert_array_equal(data.obs, wanted["observations"])
        np.testing.assert_array_equal(data.next_obs, wanted["next_observations"])
        np.testing.assert_array_equal(data.act, wanted["actions"])
        np.testing.assert_array_equal(data.reward, wanted["rewards"])
        np.testing.assert_array_equal(1 - data.terminal, wanted["masks"])
        ends = np.flatnonzero(wanted["terminals"]) + 1
        np.testing.assert_array_equal(data.bounds[1:], ends)
    rewards = OfflineData(str(path), env=task).dataset.reward
    assert len(rewards.unique()) > 1  # else nothing was compared


def _near_the_goal(path: Path, task: str) -> None:
    """Put some rows of a file where parts of the task are done."""
    from oneleap.domains.rl.envs.ogbench import ogbench_task

    env = ogbench_task(task).make(disable_env_checker=True)
    env.reset(seed=0)
    inside: Any = env.unwrapped
    arrays = dict(np.load(path))
    if "maze" in task:
        arrays["qpos"][5:7] = inside.cur_goal_xy
    else:
        arrays["qpos"][5:, 14:17] = inside._data.mocap_pos[0] if "puzzle" not in task else 0
        if "button_states" in arrays:
            arrays["button_states"][5:20] = inside._target_button_states
    np.savez(path, **arrays)


def test_the_data_depend_on_the_seed_alone(tmp_path: Path) -> None:
    pytest.importorskip("ogbench")
    record = TINY()
    first, again = record(0), TINY()(0)
    assert first["observations"].shape == (120, 28)
    kinds = {name: array.dtype.kind for name, array in first.items()}
    assert kinds == {
        "observations": "f",
        "actions": "f",
        "terminals": "b",
        "qpos": "f",
        "qvel": "f",
    }
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    assert np.flatnonzero(first["terminals"]).tolist() == list(range(11, 120, 12))
    other = replace(TINY, seed=1)()(0)
    assert not np.array_equal(first["observations"], other["observations"])


def test_the_command_writes_both_files_and_names_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ogbench")
    monkeypatch.setattr(ogbench, "origin", lambda name: TINY)
    line = ["collect", "ogbench", "--env", "cube-single-play", "--out", str(tmp_path)]
    assert main([*line, "--episodes", "10", "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "110 steps, 11 for validation" in out
    assert "--data.env cube-single-singletask-task1-v0" in out
    assert main(line) == 2
    assert "--overwrite replaces it" in capsys.readouterr().err
