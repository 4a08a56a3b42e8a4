"""``oneleap collect random`` and ``adroit``: steps, files, scores, and refused input."""

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from oneleap.domains.main import main
from oneleap.domains.rl.data.d4rl import read_d4rl
from oneleap.domains.rl.demonstrators.adroit import ARRAYS
from oneleap.domains.rl.demonstrators.steps import StepsRecording

Capture = pytest.CaptureFixture[str]


def test_random_steps_are_those_of_the_action_space_and_of_the_environment(
    tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "mine.hdf5"
    line = ["collect", "random", "--env", "Hopper-v4", "--steps", "400", "--workers", "1"]
    assert main([*line, "--out", str(path)]) == 0
    out = capsys.readouterr().out
    assert "complete episodes" in out
    assert f"next: oneleap fit --config rl/ofql_d4rl --data.path {path}" in out
    loaded = read_d4rl(str(path))
    assert len(loaded.data) == 400
    assert loaded.task is not None
    assert loaded.task.env == "Hopper-v4"
    assert loaded.data.act.abs().max() > 0.9
    assert loaded.data.act.mean().abs() < 0.1
    ends = loaded.data.bounds[1:] - 1
    assert loaded.data.terminal[ends[:-1]].all()
    assert loaded.data.timeout.nonzero().flatten().tolist() in ([399], [])
    assert [p.name for p in tmp_path.iterdir()] == ["mine.hdf5"]
    assert main([*line, "--out", str(path)]) == 2
    assert "--overwrite replaces it" in capsys.readouterr().err
    with h5py.File(path) as file:
        first = file["observations"][()]
    assert main([*line, "--out", str(tmp_path / "again.hdf5")]) == 0
    with h5py.File(tmp_path / "again.hdf5") as file:
        np.testing.assert_array_equal(file["observations"][()], first)


def test_blocks_hold_whole_episodes() -> None:
    for limit, block in ((1000, 10_000), (300, 10_200), (30_000, 30_000)):
        recording = StepsRecording("{}", 1_000_000, limit, 0)
        assert recording.block == block
        assert recording.blocks == -(-1_000_000 // block)


def expert(path: Path, obs: int = 39, act: int = 28) -> str:
    """A policy whose mean action is 0.5 everywhere, almost without noise."""
    sizes = {"weight0": (4, obs), "weight1": (4, 4), "weight2": (act, 4), "bias0": 4, "bias1": 4}
    sizes |= {"in_shift": obs, "in_scale": obs}
    arrays = {name: np.zeros(sizes.get(name, act), np.float32) for name in ARRAYS}
    arrays["out_shift"] += 0.5
    arrays["log_std"] -= 10
    np.savez(path, **arrays)
    return str(path)


def test_an_expert_is_recorded_with_d4rls_rewards(tmp_path: Path, capsys: Capture) -> None:
    policy, out = expert(tmp_path / "policy.npz"), tmp_path / "door-expert.hdf5"
    line = ["collect", "adroit", "--task", "door", "--policy", policy, "--workers", "1"]
    assert main([*line, "--episodes", "2", "--out", str(out)]) == 0
    assert "mean return of 2 complete episodes" in capsys.readouterr().out
    loaded = read_d4rl(str(out))
    assert loaded.data.bounds.tolist() == [0, 200, 400]
    assert loaded.data.timeout.nonzero().flatten().tolist() == [199, 399]
    assert not loaded.data.terminal.any()
    assert (loaded.data.act - 0.5).abs().max() < 1e-3
    assert loaded.task is not None
    assert loaded.task.reference == "D4RL door"
    obs, reward = loaded.data.next_obs.double(), loaded.data.reward
    distance = obs[:, 35:38].norm(dim=1)  # from the palm to the handle
    hinge = obs[:, 28]
    upper = -0.1 * distance - 0.1 * (hinge - 1.57) ** 2
    assert (reward <= upper + 1e-6).all()  # the rest is a cost of speed; no bonus is paid here


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "door-expert-policy.npz: no such file; --policy names"),
        ({"obs": 5}, r"has observations \(39,\) and actions \(28,\), the policy has \(5,\)"),
    ],
)
def test_policies_that_are_missing_or_do_not_fit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, change: Any, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    policy = ["--policy", expert(tmp_path / "p.npz", **change)] if change else []
    before = sorted(tmp_path.iterdir())
    assert main(["collect", "adroit", *policy]) == 2
    assert re.search(told, capsys.readouterr().err)
    assert sorted(tmp_path.iterdir()) == before


def test_random_actions_need_an_environment_with_continuous_ones(capsys: Capture) -> None:
    assert main(["collect", "random", "--env", "CartPole-v1"]) == 2
    assert "not vectors of continuous numbers" in capsys.readouterr().err
