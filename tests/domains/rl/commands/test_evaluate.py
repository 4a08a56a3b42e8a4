"""``oneleap evaluate`` for policies: settings, written files, and refused input."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_rl import TINY

from oneleap.core.errors import InputError
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.domains.main import main
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.commands.evaluate import evaluate, find_policy
from oneleap.domains.rl.envs.mazes import REFERENCE_RETURNS, pointmaze_task
from oneleap.domains.rl.envs.registration import POINTMAZE
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation import plots
from oneleap.domains.rl.spec import Spec


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
    Policy(spec, MeanFlow(), **TINY).save_pretrained(folder / "model")
    return folder


def test_noise_and_temperature_of_an_evaluation(tmp_path: Path) -> None:
    """Without noise, actions are deterministic. Without Q, there is no selection."""
    task = pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"])
    task.env_kwargs["horizon"] = 4
    run = trained(tmp_path, task)
    policy, obs = Policy.from_pretrained(run / "model"), np.zeros((5, 4), np.float32)
    none, half, whole = (
        np.ptp(policy.act(obs, noise_scale=k, generator=torch.Generator().manual_seed(0)), 0).max()
        for k in (0.0, 0.5, 1.0)
    )
    assert none < 1e-6 < half < whole
    evaluate(run, episodes=2, noise_scale=0.5, video=False)
    assert json.loads((run / "evaluation.json").read_text())["noise_scale"] == 0.5
    with pytest.raises(InputError, match=r"noise_scale must be 0 or more, not -1\.0"):
        evaluate(run, noise_scale=-1.0)
    with pytest.raises(InputError, match=r"temperature must be 0 or more, not -0\.1"):
        evaluate(run, temperature=-0.1)
    with pytest.raises(InputError, match="temperature: a Policy has no Q to select by"):
        evaluate(run, temperature=0.1)
    with pytest.raises(InputError, match="num_action_samples: a Policy has no Q to select by"):
        evaluate(run, num_action_samples=5)
    with pytest.raises(InputError, match="num_action_samples: 0 is not positive"):
        evaluate(run, num_action_samples=0)


def test_the_command_leaves_figures_and_pictures(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plots, "record_video", lambda *args: "no video, said the test")
    task = pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"])
    task.env_kwargs["horizon"] = 20
    run = trained(tmp_path, task)
    figures = []
    for _ in range(2):
        torch.randn(3)  # global randomness does not matter
        evaluate(run, episodes=3, seed=1, json=tmp_path / "more.json")
        figures.append(json.loads((tmp_path / "evaluation.json").read_text()))
        assert json.loads((tmp_path / "more.json").read_text()) == figures[-1]
        figures[-1].pop("act_ms")
    assert figures[0] == figures[1]
    assert figures[0]["num_action_samples"] == 1
    assert figures[0]["length"] == 20
    assert all(isinstance(value, int | float) for value in figures[0].values())
    assert (tmp_path / "trajectories.png").exists()
    printed = capsys.readouterr().out
    assert "action samples" in printed
    assert "no video, said the test" in printed


def test_what_cannot_be_evaluated_is_reported(tmp_path):
    with pytest.raises(InputError, match="trained without an environment: name one with --env"):
        evaluate(trained(tmp_path / "a", None))
    with pytest.raises(
        InputError,
        match=r"observations \(4,\) .* policy has \(5,\) and \(2,\)",
    ):
        evaluate(trained(tmp_path / "b", Task(POINTMAZE), 5))
    with pytest.raises(InputError):
        evaluate(tmp_path / "nothing")


@pytest.mark.parametrize("inside_run", [True, False])
def test_a_model_folder_is_evaluated_like_its_run(tmp_path: Path, inside_run: bool) -> None:
    task = pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"])
    task.env_kwargs["horizon"] = 4
    run = trained(tmp_path / "run", task)
    if inside_run:
        (run / "config.yaml").write_text("data: {}\n")
    assert main(["evaluate", str(run / "model"), "--episodes", "2", "--video", "false"]) == 0
    home = run if inside_run else run / "model"
    assert json.loads((home / "evaluation.json").read_text())["episodes"] == 2
    assert (home / "trajectories.png").is_file()


def test_a_shipped_policy_is_evaluated_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = ["evaluate", "pointmaze-umaze", "--episodes", "8", "--video", "false"]
    assert main(line) == 0
    figures = json.loads((tmp_path / "evaluation/pointmaze-umaze/evaluation.json").read_text())
    assert figures["success"] == 1
    assert figures["score"] > 50
    assert main(["evaluate", "pointmaze-umaz"]) == 2
    told = capsys.readouterr().err
    assert "pointmaze-umaz: no such folder, and no such model ships; did you mean" in told
    with pytest.raises(InputError, match="no 'pointmaze-umaz'; did you mean 'pointmaze-umaze'"):
        evaluate(Path("pointmaze-umaz"))


def test_the_shipped_policy_is_small_and_its_critics_choose_better_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = find_policy(Path("pointmaze-umaze"), "evaluation").model
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2 * 2**20
    assert "License" in (folder / "README.md").read_text(encoding="utf-8")
    evaluate(Path("pointmaze-umaze"), episodes=3, num_action_samples=50, video=False)
    figures = json.loads((tmp_path / "evaluation/pointmaze-umaze/evaluation.json").read_text())
    assert figures["score"] > 80
