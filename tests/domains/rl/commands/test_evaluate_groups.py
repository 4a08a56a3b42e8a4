"""Groups of episodes played side by side give the results of one process."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.tiny_rl import TINY

from oneleap.core.jobs.place import Place
from oneleap.core.objectives.meanflow import MeanFlow
from oneleap.domains.main import main
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.commands import evaluate_groups
from oneleap.domains.rl.commands.evaluate import load_policy
from oneleap.domains.rl.commands.evaluate_groups import Episodes, Player, play_side_by_side
from oneleap.domains.rl.envs.mazes import REFERENCE_RETURNS, pointmaze_task
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation import rollouts
from oneleap.domains.rl.evaluation.rollouts import evaluate_policy
from oneleap.domains.rl.spec import Spec

HOW = {"num_action_samples": 1, "steps": 1, "noise_scale": 1.0}


def maze() -> Task:
    task = pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"])
    task.env_kwargs["horizon"] = 5
    return task


def write_policy(folder: Path) -> Path:
    sizes: dict[str, Any] = {"obs_mean": (0.0,) * 4, "obs_std": (1.0,) * 4}
    bounds: dict[str, Any] = {"act_low": (-1.0, -1.0), "act_high": (1.0, 1.0)}
    spec = Spec(obs_dim=4, act_dim=2, **sizes, **bounds, task=maze())
    Policy(spec, MeanFlow(), **TINY).save_pretrained(folder / "model")
    return folder


class Here(Place):
    """Runs the jobs in this process, the last one first."""

    def run(self, jobs: Any, finished: Any) -> dict[str, str]:
        for job in reversed(jobs.values()):
            assert evaluate_groups.main(job.arguments[2:]) == 0
        return {}


def test_groups_in_any_order_are_those_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollouts, "MAX_PARALLEL", 3)
    model, episodes = write_policy(tmp_path) / "model", Episodes(8, 5, HOW)
    player = Player(load_policy(model), episodes)
    one = evaluate_policy(player.act, maze(), 8, 5, reset=player.reset)
    found = play_side_by_side(model, maze(), episodes, Here(), tmp_path)
    assert found.returns.tolist() == one.returns.tolist()
    assert len(set(one.returns.tolist())) == 8
    assert found.lengths.tolist() == one.lengths.tolist()
    assert (found.batch, found.cut) == (one.batch, one.cut)
    pairs = list(zip(found.trajectories, one.trajectories, strict=True))
    assert len(pairs) == 3
    assert all((a == b).all() for a, b in pairs)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]  # nothing is left


@pytest.mark.slow
def test_runs_and_groups_are_evaluated_by_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        (tmp_path / name).mkdir()
        write_policy(tmp_path / name)
    options = ["--episodes", "201", "--video", "false"]
    assert main(["evaluate", "a", *options]) == 0
    alone = json.loads(Path("a/evaluation.json").read_text())
    assert main(["evaluate", "a", *options, "--at_once", "2"]) == 0
    groups = json.loads(Path("a/evaluation.json").read_text())
    assert {k: v for k, v in groups.items() if k != "act_ms"} == {
        k: v for k, v in alone.items() if k != "act_ms"
    }
    capsys.readouterr()
    assert main(["evaluate", "a", "b", "--episodes", "3", "--video", "false"]) == 0
    out = capsys.readouterr().out
    assert "a: episodes 3 return" in out
    assert "b: episodes 3 return" in out
    assert json.loads(Path("b/evaluation.json").read_text())["episodes"] == 3
    assert main(["evaluate", "a", "b", "--num_action_samples", "5"]) == 1
    err = capsys.readouterr().err
    assert "a failed: num_action_samples: a Policy has no Q to select by" in err


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (["a"], "a run is named twice"),
        (["nowhere"], "nowhere"),
        (["b", "--json", "x.json"], "json: 2 models cannot share one file"),
        (["b", "--at_once", "0"], "at_once and threads must be positive"),
        (["b", "--at_once", "x"], "--at_once"),
    ],
)
def test_several_runs_are_checked_first(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        (tmp_path / name).mkdir()
        write_policy(tmp_path / name)
    assert main(["evaluate", "a", *more]) == 2
    err = capsys.readouterr().err
    assert complaint in err
    assert err.count("\n") == 1
