import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_robot import KEYS, demonstrations, spec

from oneleap.core.errors import InputError
from oneleap.core.objectives import MeanFlow
from oneleap.core.sampling.samplers import DDIMSampler
from oneleap.domains.main import main
from oneleap.domains.robot.envs import robosuite
from oneleap.domains.robot.evaluation import rollouts
from oneleap.domains.robot.evaluation.rank import effective_rank
from oneleap.domains.robot.evaluation.rollouts import EpisodePlayer, Rollout
from oneleap.domains.robot.models.nets import MLPHead
from oneleap.domains.robot.models.policy import RobotPolicy


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """robosuite is taken for installed; no test here starts it."""
    monkeypatch.setattr(robosuite, "require_robosuite", lambda task: None)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    RobotPolicy(spec(), MeanFlow(), head=MLPHead(8)).save_pretrained(tmp_path / "model")
    return tmp_path


def pretend(player: EpisodePlayer, numbers: Any, workers: int) -> Any:
    """Replaces the simulator: every third episode succeeds."""
    for k in numbers:
        frames = np.zeros((9, 16, 16, 3), np.uint8) if k in player.recorded else None
        yield k, Rollout(k % 3 == 0, 10 + k, (0.5,), (1.0,), frames)


def test_the_command_writes_figures_and_videos(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("imageio")
    monkeypatch.setattr(rollouts, "run_jobs", pretend)
    options = ["--rollouts", "9", "--json", str(run / "robot.json")]
    assert main(["evaluate", str(run), *options]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found == json.loads((run / "robot.json").read_text())
    assert found["success"] == pytest.approx(1 / 3)
    assert found["length"] == 14
    assert found["steps"] == 1
    assert found["n_action_steps"] == 4
    out = capsys.readouterr().out
    assert "33.3 %, 95 % interval 12.1 to 64.6 %" in out
    for name in ("success.mp4", "failure.mp4", "rollouts.png"):
        assert (run / name).stat().st_size > 500
        assert name in out.replace("\n", "")


def test_settings_reach_the_processes(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    players = list[EpisodePlayer]()

    def spy(player: EpisodePlayer, numbers: Any, workers: int) -> Any:
        players.append(player)
        return pretend(player, numbers, workers)

    monkeypatch.setattr(rollouts, "run_jobs", spy)
    ddim = ["--sampler", "oneleap.core.DDIMSampler", "--sampler.steps", "5"]
    assert main(["evaluate", str(run), "--rollouts", "2", "--video", "false", *ddim]) == 0
    assert players[0].sampler == DDIMSampler(steps=5)
    assert players[0].temperature == 1.0
    assert players[0].max_steps == 20
    assert json.loads((run / "evaluation.json").read_text())["steps"] == 5
    other = ["--temperature", "0.5", "--n_action_steps", "3", "--horizon", "7"]
    assert main(["evaluate", str(run), "--rollouts", "2", "--video", "false", *other]) == 0
    assert (players[1].temperature, players[1].n_action_steps) == (0.5, 3)
    assert players[1].max_steps == 7
    found = json.loads((run / "evaluation.json").read_text())
    assert (found["temperature"], found["n_action_steps"]) == (0.5, 3)


def test_the_rank_of_the_condition_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The condition of a policy without images is the normalized observations themselves."""
    pytest.importorskip("h5py")
    monkeypatch.setattr(rollouts, "run_jobs", pretend)
    policy = RobotPolicy(spec(), MeanFlow(), head=MLPHead(8))
    policy.save_pretrained(tmp_path / "model")
    *_, last = demonstrations(tmp_path / "demos.hdf5")
    options = ["--rollouts", "2", "--video", "false"]
    options += ["--validation_data", str(tmp_path / "demos.hdf5")]
    assert main(["evaluate", str(tmp_path), *options]) == 0
    rows = np.concatenate([last.obs[key][:-1] for key in KEYS], axis=1)
    wanted = effective_rank(policy.normalize_obs(torch.from_numpy(rows).float().unsqueeze(1)))
    found = json.loads((tmp_path / "evaluation.json").read_text())["condition_rank"]
    assert found == pytest.approx(wanted, rel=1e-4)
    assert f"effective rank {found:.1f}" in capsys.readouterr().out


def test_without_opengl_there_is_no_video(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_gl(player: EpisodePlayer, numbers: Any, workers: int) -> Any:
        if player.recorded:
            raise InputError("images need OpenGL")
        return pretend(player, numbers, workers)

    monkeypatch.setattr(rollouts, "run_jobs", no_gl)
    assert main(["evaluate", str(run), "--rollouts", "2"]) == 0
    assert "no video: images need OpenGL" in capsys.readouterr().out


def test_mistakes_are_reported_in_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--rollouts", "0"]) == 2
    assert "rollouts: 0 is not positive" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--temperature", "-1"]) == 2
    assert "temperature: -1.0 is negative" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--n_action_steps", "9"]) == 2
    assert "n_action_steps: 9 of a chunk of 4 actions" in capsys.readouterr().err
    RobotPolicy(spec(task=None), MeanFlow(), head=MLPHead(8)).save_pretrained(run / "model")
    assert main(["evaluate", str(run)]) == 2
    assert "no environment and no demonstrations to evaluate on" in capsys.readouterr().err
