"""Training from the command line: a run is one folder, and it resumes."""

import csv
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file
from support.tiny import CONFIG, Shrink, Spec, complain

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.objectives import MeanFlow, SplitMeanFlow
from oneleap.domains.main import main

TESTS = Path(__file__).parent
ENV = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return tmp_path


def fit(*options: str) -> None:
    assert main(["fit", "--config", "tiny.yaml", *options]) == 0


def metrics(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_is_one_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit("--model.objective=SplitMeanFlow", "--data.size", "5", "--model.optimizer.lr", "0.5")
    (run,) = (here / "runs" / "tiny").iterdir()
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    events = {name for name in files if name.startswith("events.out.tfevents")}
    assert len(events) == 1
    assert files - events == {
        "config.yaml",
        "metrics.csv",
        "checkpoints/last.ckpt",
        "checkpoints/best.ckpt",
        "model/config.json",
        "model/model.safetensors",
        "model/README.md",
    }
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["data"]["init_args"] == {"path": "here", "size": 5}
    assert config["model"]["init_args"]["optimizer"]["lr"] == 0.5
    assert not {"run", "runs", "ckpt_path", "config"} & set(config)
    model = load_pretrained(run / "model", trusted=("support",))
    assert isinstance(model, Shrink)
    assert model.objective == SplitMeanFlow()
    assert model.spec == Spec(3, (0.5, 0.0, 0.0), ["x", "y", "z"])  # of the data
    losses = [row for row in metrics(run) if row["train/loss"]]
    assert [int(row["step"]) for row in losses] == list(range(4, 40, 5))
    assert float(losses[-1]["train/loss"]) < float(losses[0]["train/loss"])
    assert capsys.readouterr().out == f"model: {run.relative_to(here)}/model\n"


def test_the_resolved_configuration_repeats_the_run(here: Path) -> None:
    fit("--run", "a", "--model.objective=MeanFlow", "--model.objective.pairs.p_equal", "0.25")
    assert main(["fit", "--config", "a/config.yaml", "--run", "b"]) == 0
    a, b = ((here / name / "model" / "model.safetensors") for name in "ab")
    assert a.read_bytes() == b.read_bytes()
    again = load_pretrained(here / "b" / "model", trusted=("support",))
    assert isinstance(again, Shrink)
    assert isinstance(again.objective, MeanFlow)
    assert again.objective.pairs.p_equal == 0.25
    assert (here / "a" / "config.yaml").read_text() == (here / "b" / "config.yaml").read_text()


def test_other_commands_of_lightning(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit("--run", "a")
    before = sorted(here.rglob("*"))
    options = ["--config", "a/config.yaml", "--ckpt_path", "a/checkpoints/best.ckpt"]
    assert main(["validate", *options]) == 0
    assert "eval/size" in capsys.readouterr().out
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_checkpoint_goes_by_its_name(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    fit("--run", "a")
    said = []
    for which in (name, f"a/checkpoints/{name}.ckpt"):
        capsys.readouterr()
        assert main(["validate", "--config", "a/config.yaml", "--ckpt_path", which]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    (here / "a" / "checkpoints" / f"{name}.ckpt").unlink()
    assert main(["validate", "--config", "a/config.yaml", "--ckpt_path", name]) == 2
    assert f"ckpt_path: a/checkpoints/{name}.ckpt is missing" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "validate"])
@pytest.mark.parametrize("bad", [b"PK\x03\x04", b"no zip", b""])
def test_a_damaged_checkpoint_is_named(
    here: Path, capsys: pytest.CaptureFixture[str], command: str, bad: bytes
) -> None:
    (here / "a.ckpt").write_bytes(bad)
    assert main([command, "--config", "tiny.yaml", "--ckpt_path", "a.ckpt"]) == 2
    assert "a.ckpt is damaged or not a checkpoint of a run" in capsys.readouterr().err


def test_a_checkpoint_of_another_model_is_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit("--run", "a")
    capsys.readouterr()
    checkpoint = torch.load("a/checkpoints/last.ckpt", weights_only=True)
    checkpoint["state_dict"]["net.weight"] = torch.zeros(1, 4)
    torch.save(checkpoint, "a/checkpoints/last.ckpt")
    assert main(["fit", "--config", "tiny.yaml", "--run", "a", "--ckpt_path", "last"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "last.ckpt is for another model: size mismatch for" in said


def test_what_cannot_work_is_a_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--config", "tiny.yaml"]) == 2
    assert "test: Shrink has no test_step" in capsys.readouterr().err
    (here / "taken").write_text("")
    assert main(["fit", "--config", "tiny.yaml", "--run", "taken/a"]) == 2
    assert "taken" in capsys.readouterr().err.splitlines()[-1]


def test_arguments_win_wherever_they_stand(here: Path) -> None:
    assert main(["fit", "--data.size=5", "--config=tiny.yaml", "--run=a"]) == 0
    config = yaml.safe_load((here / "a" / "config.yaml").read_text())
    assert config["data"]["init_args"] == {"path": "here", "size": 5}


def test_a_finished_run_is_not_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit("--run", "a")
    capsys.readouterr()
    before = (here / "a" / "metrics.csv").read_text()
    assert main(["fit", "--config", "tiny.yaml", "--run", "a"]) == 2
    assert "a already holds a run" in capsys.readouterr().err
    assert (here / "a" / "metrics.csv").read_text() == before


@pytest.mark.parametrize("hook", ["setup", "on_train_start", "training_step"])
def test_a_refused_run_leaves_nothing_behind(
    hook: str, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InputError("teacher: nowhere")

    monkeypatch.setattr(Shrink, hook, refuse)
    before = sorted(here.rglob("*"))
    assert complain(capsys, "fit --config tiny.yaml --run a") == "teacher: nowhere"
    assert sorted(here.rglob("*")) == before


def test_settings_that_the_trainer_refuses_leave_nothing_behind(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.rglob("*"))
    said = complain(capsys, "fit --config tiny.yaml --run a --trainer.overfit_batches -1")
    assert said.startswith("trainer: You have passed invalid value -1 for overfit_batches")
    assert sorted(here.rglob("*")) == before


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a folder that nobody can write")
@pytest.mark.parametrize("options", ["--run /sys/run", "--runs /sys", "--run /sys"])
def test_a_folder_that_cannot_be_written_says_what_to_do(
    options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = complain(capsys, f"fit --config tiny.yaml {options}")
    assert said.startswith("/sys")
    assert " cannot be written (" in said
    assert said.endswith("name another folder with --run")


def test_warnings_of_ours_are_one_line(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "warner.py").write_text(
        "import warnings\n"
        "from oneleap.core.errors import Notice\n"
        "def run() -> None:\n"
        '    """Warn."""\n'
        "    warnings.warn('x.txt: half of it', Notice)\n"
        "    warnings.warn('deep inside')\n"
    )
    code = (
        "from oneleap.core.cli.dispatch import Command\n"
        "from oneleap.domains.main import COMMANDS, main\n"
        "COMMANDS['warn'] = Command('', 'warner:run')\n"
        "main(['warn'])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    ours, others, *_ = capfd.readouterr().err.splitlines()
    assert ours == "oneleap: x.txt: half of it"
    assert others.endswith("warner.py:6: UserWarning: deep inside")


def test_a_killed_run_ends_as_if_it_had_not_been(here: Path) -> None:
    """Same weights to the bit, same checkpoints, same figures, one folder."""
    fit("--run", "whole")
    code = "import sys; from oneleap.domains.main import main; sys.exit(main(sys.argv[1:]))"
    argv = ["fit", "--config", "tiny.yaml", "--model.kill_at", "33"]
    done = subprocess.run([sys.executable, "-c", code, *argv], env=ENV, check=False)
    assert done.returncode == -signal.SIGKILL
    (run,) = (here / "runs" / "tiny").iterdir()
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 30
    fit("--ckpt_path", "last")
    assert list((here / "runs" / "tiny").iterdir()) == [run]
    for name in ("last.ckpt", "best.ckpt"):
        one, two = (
            torch.load(folder / "checkpoints" / name, weights_only=True)
            for folder in (here / "whole", run)
        )
        torch.testing.assert_close(one["state_dict"], two["state_dict"], rtol=0, atol=0)
        torch.testing.assert_close(one["optimizer_states"], two["optimizer_states"], rtol=0, atol=0)
        assert one["global_step"] == two["global_step"]
    weights = [load_file(f / "model" / "model.safetensors") for f in (here / "whole", run)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert metrics(run) == metrics(here / "whole")


def test_last_is_the_newest_and_may_be_made_longer(here: Path) -> None:
    for name in ("2026-01-01", "2026-01-03", "2026-01-02"):
        fit("--run", f"runs/tiny/{name}", "--trainer.max_steps", "20")
    (here / "runs" / "tiny" / "2026-01-04").mkdir()  # has no checkpoint
    fit("--ckpt_path", "last")
    lengths = {run.parent.name: len(metrics(run.parent)) for run in here.rglob("metrics.csv")}
    assert lengths == {"2026-01-01": 6, "2026-01-02": 6, "2026-01-03": 12}
    fit("--run", "whole")
    longer, whole = (
        (here / name / "model" / "model.safetensors").read_bytes()
        for name in ("runs/tiny/2026-01-03", "whole")
    )
    assert longer == whole


def interrupted(kill_at: int) -> None:
    """Ctrl-C in step ``-2 - kill_at``; the handler is left as it was."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert main(["fit", "--config=tiny.yaml", "--run=a", f"--model.kill_at={kill_at}"]) == 130
    finally:
        signal.signal(signal.SIGINT, handler)


def test_an_interrupted_run_says_how_to_go_on(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted(-15)
    advice = capsys.readouterr().err.splitlines()[-1].removeprefix("to resume: ")
    assert advice == "oneleap fit --config a/config.yaml --run a --ckpt_path last"
    assert main([*shlex.split(advice)[1:], "--model.kill_at=-1"]) == 0
    fit("--run", "whole")
    assert metrics(here / "a") == metrics(here / "whole")


def test_a_run_interrupted_before_its_first_checkpoint_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupted(-5)
    said = capsys.readouterr().err
    assert "nothing was saved yet" in said
    assert "to resume" not in said
    assert main(["fit", "--config=tiny.yaml", "--run=a"]) == 2
    assert "a already holds a run: delete it, or name another folder" in capsys.readouterr().err


def test_a_file_may_be_named_for_its_stem_only(here: Path) -> None:
    (here / "deep").mkdir()
    (here / "deep" / "other.yaml").write_text(CONFIG)
    assert main(["fit", "-c", "deep/other.yaml", "--runs", "all", "--trainer.max_steps=1"]) == 0
    assert len(list((here / "all" / "other").iterdir())) == 1
