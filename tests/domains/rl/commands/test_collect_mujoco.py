"""``oneleap collect mujoco``: both layouts hold the same steps."""

from pathlib import Path

import h5py
import pytest
import torch
from support.tiny_rl_env import checkpoint, tensors

from oneleap.domains.main import main
from oneleap.domains.rl.data import d4rl
from oneleap.domains.rl.data import minari as minari_io

Capture = pytest.CaptureFixture[str]


ENV = "Hopper-v4"


@pytest.mark.parametrize("seed", [3])
def test_both_layouts_are_the_same_steps_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path / "p.zip")
    line = ["collect", "mujoco", "--policy", "p.zip", "--steps", "60", "--seed", str(seed)]
    assert main([*line, "--out", "data"]) == 0
    out = capsys.readouterr().out
    assert "60 steps in" in out
    assert "next: oneleap fit --config rl/ofql_d4rl --data.path hopper-collected.hdf5" in out
    one, two = d4rl.read_d4rl("hopper-collected.hdf5"), minari_io.read_minari("data")
    assert len(one.data) == len(two.data) == 60
    for name in ("obs", "act", "reward", "next_obs", "terminal", "bounds"):
        torch.testing.assert_close(getattr(one.data, name), getattr(two.data, name))
    assert one.task is not None
    assert two.task is not None
    assert (one.task.env, one.task.ref_max) == (two.task.env, two.task.ref_max) == (ENV, 3234.3)
    with h5py.File("hopper-collected.hdf5") as file:
        assert file.attrs["env_id"] == ENV
    first = one.data.act.clone()
    assert main([*line, "--out", "data"]) == 2  # nothing is replaced unasked
    assert "exists already" in capsys.readouterr().err
    assert main([*line, "--out", "data", "--overwrite"]) == 0
    torch.testing.assert_close(d4rl.read_d4rl("hopper-collected.hdf5").data.act, first)


def test_pen_is_played_for_d4rls_100_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path / "p.zip", weights=tensors("sac", 45, 24))
    line = ["collect", "mujoco", "--env", "AdroitHandPen-v1", "--policy", "p.zip"]
    assert main([*line, "--steps", "150", "--out", "data"]) == 0
    for found in (d4rl.read_d4rl("pen-collected.hdf5"), minari_io.read_minari("data")):
        assert found.data.bounds.tolist() == [0, 100, 150]
        assert found.task is not None
        assert found.task.env_kwargs["max_episode_steps"] == 100


@pytest.mark.slow
def test_sac_is_trained_to_a_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("stable_baselines3")
    monkeypatch.chdir(tmp_path)
    line = ["collect", "mujoco", "--policy", "sac", "--steps", "50", "--out", "data"]
    assert main([*line, "--target", "-50", "--train_steps", "120"]) == 0
    assert Path("hopper-collected.zip").is_file()
    assert main([*line, "--overwrite", "--target", "99", "--train_steps", "10"]) == 2


def test_training_needs_a_scale(capsys: Capture, tmp_path: Path) -> None:
    line = ["collect", "mujoco", "--env", "Pendulum-v1", "--out", str(tmp_path / "d")]
    assert main([*line, "--hdf5", str(tmp_path / "p.hdf5")]) == 2
    assert "D4RL has no reference returns for it" in capsys.readouterr().err
