"""Sweeps: which trials there are, what they run, when they are done, and their table."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.core.jobs.place import Place
from oneleap.core.jobs.processes import Job
from oneleap.domains.main import main
from oneleap.domains.rl.commands import sweep_trials
from oneleap.domains.rl.commands.sweep import ValueSummary, next_command, summary, summary_table
from oneleap.domains.rl.commands.sweep_check import check_model
from oneleap.domains.rl.commands.sweep_trials import SweepPlan, Trial, fit_arguments, trials

Capture = pytest.CaptureFixture[str]
FIT = (
    "--data.path hopper.hdf5 --data.batch_size 8 --trainer.max_steps 3 "
    "--model.network.width 8 --model.recipe.compile false"
)
LINE = ["sweep", "rl/ofql_d4rl", "--episodes", "2", f"--fit={FIT}", "--out", "s"]


def test_trials_are_all_pairs_a_seed_at_a_time() -> None:
    found = trials([0.1, 0.5, 0.1], [3, 4])
    assert [(t.seed, t.value) for t in found] == [(3, 0.1), (3, 0.5), (4, 0.1), (4, 0.5)]
    assert found[0].name == "0.1-seed3"
    for values in ([], [0.1, 0.1 + 1e-12]):
        with pytest.raises(InputError, match=r"needs at least one|equal to six digits"):
            trials(values, [0])


def test_a_trial_sets_the_value_and_all_seeds_and_continues_if_it_was_begun(tmp_path: Path) -> None:
    plan = SweepPlan(("rl/ofql_d4rl", "rl/fql_d4rl"), "model.alpha", ("--data.path", "x"))
    found = fit_arguments(plan, Trial(0.1, 7), tmp_path)
    configs = ["--config", "rl/ofql_d4rl", "--config", "rl/fql_d4rl"]
    assert found[:7] == [*configs, "--trainer.devices=1", "--data.path", "x"]
    assert "--model.alpha=0.1" in found
    assert "--seed=7" in found
    assert f"--run={tmp_path}" in found
    assert not any("ckpt" in argument for argument in found)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/last.ckpt").touch()
    assert fit_arguments(plan, Trial(0.1, 7), tmp_path) == [*found, "--ckpt_path=last"]


@given(st.lists(st.floats(-200, 200), min_size=2, max_size=6))
def test_mean_and_standard_error_are_numpys(scores: list[float]) -> None:
    found = {Trial(0.3, k): {"score": score, "return": 0.0} for k, score in enumerate(scores)}
    (row,) = summary(found)
    assert row.mean == pytest.approx(np.mean(scores), abs=1e-9)
    error = np.std(scores, ddof=1) / np.sqrt(len(scores))
    assert row.standard_error == pytest.approx(error, abs=1e-9)


def test_the_next_step_is_the_best_value_on_other_episodes() -> None:
    rows = summary({Trial(v, 2): {"return": r} for v, r in ((0.5, 3.0), (0.1, 9.0), (0.3, 4.0))})
    assert [row.value for row in rows] == [0.1, 0.3, 0.5]
    assert math.isnan(rows[0].standard_error)
    found = next_command(SweepPlan(("c",), episodes=20), Path("s"), rows)
    assert found == "next: oneleap evaluate s/0.1-seed2 --episodes 20 --seed 1000000"
    assert ValueSummary(0.1, {2: 9.0}) == rows[0]


@pytest.mark.parametrize(("seeds", "shown"), [(1, "-"), (2, "1.0")])
def test_one_seed_has_no_standard_error_in_the_table(seeds: int, shown: str) -> None:
    rows = summary({Trial(0.5, k): {"return": 3.0 + 2 * k} for k in range(seeds)})
    table = summary_table(SweepPlan(("c",)), rows)
    assert list(table.columns[2].cells) == [shown]


def write_data(folder: Path) -> None:
    g = np.random.default_rng(0)
    with h5py.File(folder / "hopper.hdf5", "w") as file:
        file["observations"] = g.normal(size=(60, 11)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (60, 3)).astype(np.float32)
        file["rewards"] = g.normal(size=60).astype(np.float32)
        file["terminals"] = np.arange(60) % 20 == 19
        file["timeouts"] = np.zeros(60, bool)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A folder with data, and the processes replaced by a loop; the trials that were run."""
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    done: list[str] = []

    def loop(
        place: Place, jobs: Mapping[str, Job], finished: Callable[[str], None]
    ) -> dict[str, str]:
        failed = {}
        for name, job in jobs.items():
            done.append(name)
            try:
                folder, trial, threads = job.arguments[2:]
                sweep_trials.run_trial(Path(folder), trial, int(threads))
                finished(name)
            except InputError as error:
                failed[name] = str(error)
        return failed

    monkeypatch.setattr(Place, "run", loop)
    monkeypatch.setattr("torch.set_num_threads", lambda n: None)
    return done


def test_a_sweep_trains_scores_and_continues_where_it_was(
    played: list[str], capsys: Capture
) -> None:
    assert main([*LINE, "--values", "[0.01]", "--seeds", "[0]"]) == 0
    assert played == ["0.01-seed0"]
    out = capsys.readouterr().out
    assert "0 of 1 trials are done" in out
    assert "next: oneleap evaluate" in out
    settings = Path("s/0.01-seed0/config.yaml").read_text()
    assert "eta: 0.01" in settings
    assert main([*LINE, "--values", "[0.5]", "--seeds", "[0]"]) == 0
    assert played == ["0.01-seed0", "0.5-seed0"]  # the first is kept, and in the table again
    out = capsys.readouterr().out
    assert "1 of 2 trials are done" in out
    assert " 0.01 " in out
    # A trial that was trained and not scored is scored, not trained again.
    Path("s/0.5-seed0/score.json").unlink()
    weights = Path("s/0.5-seed0/model/model.safetensors").stat().st_mtime_ns
    assert main([*LINE, "--values", "[0.5]", "--seeds", "[0]"]) == 0
    assert played[2:] == ["0.5-seed0"]
    assert Path("s/0.5-seed0/model/model.safetensors").stat().st_mtime_ns == weights


def test_scoring_on_other_episodes_does_not_choose(played: list[str], capsys: Capture) -> None:
    given = [*LINE, "--values", "[0.01]", "--seeds", "[0]", "--num_action_samples", "2"]
    assert main(given) == 0
    before = Path("s/0.01-seed0/score.json").read_bytes()
    said = capsys.readouterr().out.splitlines()[-1].removeprefix("next: oneleap ").split()
    assert said[-2:] == ["--num_action_samples", "2"]
    assert main([*said, "--video", "false"]) == 0
    assert main(given) == 0
    assert played == ["0.01-seed0"]
    assert Path("s/0.01-seed0/score.json").read_bytes() == before


def test_another_plan_wants_another_folder(played: list[str], capsys: Capture) -> None:
    Path("s").mkdir()
    plan = {"configs": ["rl/fql_d4rl"], "setting": "model.alpha", "fit": [], "episodes": 2}
    stored = {"plan": {**plan, "num_action_samples": None}, "trials": [[0.1, 0]]}
    Path("s/sweep.json").write_text(json.dumps(stored))
    assert main([*LINE, "--values", "[0.5]", "--seeds", "[0]"]) == 2
    assert "holds a sweep of rl/fql_d4rl with other settings" in capsys.readouterr().err
    assert main(["sweep", "rl/nothing_here"]) == 2
    assert main(["sweep", "rl/ofql_d4rl", "--at_once", "0"]) == 2
    assert played == []


def test_a_failed_trial_is_reported_and_the_others_are_not_lost(
    played: list[str], capsys: Capture
) -> None:
    arguments = [*LINE, "--setting", "model.ema_every", "--seeds", "[0]"]
    assert main([*arguments, "--values", "[2, 0]"]) == 1
    out, err = capsys.readouterr()
    assert "0-seed0 failed: " in err
    assert " 2 " in out


def test_a_setting_may_be_an_integer(played: list[str]) -> None:
    arguments = [*LINE, "--setting", "model.network.width", "--seeds", "[1]"]
    assert main([*arguments, "--values", "[8, 16]"]) == 0
    for width in (8, 16):
        config = yaml.safe_load(Path(f"s/{width}-seed1/config.yaml").read_text())
        model = config["model"]["init_args"]
        assert model["network"]["width"] == width
        assert (model["recipe"]["seed"], config["data"]["init_args"]["seed"]) == (1, 1)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--values", "[2, 2.5]", "--setting", "model.ema_every"], "model.ema_every: expected int"),
        (["--setting", "model.etta"], "no option 'model.etta'; did you mean 'model.eta'?"),
        ([f"--fit={FIT} --data.env none"], "the data name no environment"),
        ([f"--fit={FIT} --data.path nowhere.hdf5"], "nowhere.hdf5"),
        ([f"--fit={FIT} --seed 3"], "fit: leave --seed out"),
        ([f"--fit={FIT} --run=x"], "fit: leave --run out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_sweep_that_cannot_score_is_refused_first(
    played: list[str], capsys: Capture, options: list[str], complaint: str
) -> None:
    assert main([*LINE, "--seeds", "[0]", *options]) == 2
    err = capsys.readouterr().err
    assert complaint in err
    assert err.count("\n") == 1
    assert played == []
    assert not Path("s").exists()


def test_only_policies_are_swept(tmp_path: Path) -> None:
    plan = SweepPlan(("tiny.yaml",), num_action_samples=2)
    with pytest.raises(InputError, match=r"tiny\.yaml trains a Shrink: a sweep scores policies"):
        check_model(plan, "support.tiny.Shrink")
    with pytest.raises(InputError, match="num_action_samples: a Policy has no Q to select by"):
        check_model(plan, "oneleap.domains.rl.Policy")


def test_a_sweep_of_before_is_resumed(played: list[str], capsys: Capture) -> None:
    """Its files have the old name of the number of action samples."""
    line = [*LINE, "--values", "[0.01]", "--seeds", "[0]", "--num_action_samples", "2"]
    assert main(line) == 0
    for file in (Path("s/sweep.json"), Path("s/0.01-seed0/score.json")):
        file.write_text(file.read_text().replace("num_action_samples", "candidates"))
    assert main(line) == 0
    assert played == ["0.01-seed0"]
    assert "1 of 1 trials are done" in capsys.readouterr().out


@pytest.mark.slow
def test_trials_run_in_processes_of_their_own(tmp_path: Path) -> None:
    write_data(tmp_path)
    line = [sys.executable, "-m", "oneleap.domains.main", *LINE, "--seeds", "[0, 1]"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    outputs = []
    for values in ("[0.01]", "[0.01, -1.0]"):
        done = subprocess.run(
            [*line, "--values", values],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        outputs.append(done.stdout)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
    assert "0 of 2 trials are done" in outputs[0]
    assert "2 of 4 trials are done" in outputs[1]
    assert "-1-seed1: return" in outputs[1]
