"""Runs that are resumed from another folder, named by several configurations, or tracked."""

import shlex
import signal
import sys
from pathlib import Path

import pytest
import test_matrix as matrix
import yaml
from support.tiny import CONFIG, WandbLogger, complain

from oneleap.core.cli.configs import runs_name
from oneleap.core.cli.parse import parse_fit
from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.domains.main import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "my work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "tiny.yaml").write_text(CONFIG)
    return folder


def test_a_relative_path_is_resumed_from_elsewhere(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "data").mkdir()
    assert main(["fit", "--config", "tiny.yaml", "--data.path", "data", "--run", "a"]) == 0
    config = yaml.safe_load((here / "a" / "config.yaml").read_text())
    assert config["data"]["init_args"]["path"] == str(here / "data")
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    options = ["--run", "../a", "--ckpt_path", "last", "--trainer.max_steps", "45"]
    assert main(["fit", "--config", "../a/config.yaml", *options]) == 0
    again = yaml.safe_load((here / "a" / "config.yaml").read_text())
    assert again["data"]["init_args"]["path"] == str(here / "data")


def test_a_setting_of_null_stays_null_when_the_run_is_resumed(here: Path) -> None:
    for module in ("soundfile", "soxr", "numba"):
        pytest.importorskip(module)
    tiny = matrix.config(here, "oneleap.domains.speech.AcousticModel", "FlowMatching")
    fit = ["fit", "--config", tiny]
    null = ["--data.trim_db", "null", "--model.crop_s", "null", "--trainer.max_steps", "1"]
    assert main([*fit, *null, "--run", "a"]) == 0
    settings = parse_fit(["--config", "a/config.yaml"])
    assert settings.data.init_args.trim_db is None
    assert settings.model.init_args.crop_s is None
    again = ["fit", "--config", "a/config.yaml", "--run", "a", "--ckpt_path", "last"]
    assert main([*again, "--trainer.max_steps", "2"]) == 0


def test_a_resumed_run_that_is_at_its_end_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "tiny.yaml", "--run", "a"]) == 0
    capsys.readouterr()
    said = complain(capsys, "fit --config tiny.yaml --run a --ckpt_path last")
    assert "is at step 40 already: give a larger --trainer.max_steps" in said


def test_a_name_that_is_no_file_stays_a_name(here: Path) -> None:
    assert main(["fit", "--config", "tiny.yaml", "--data.path", "D4RL/x/y-v0", "--run", "a"]) == 0
    config = yaml.safe_load((here / "a" / "config.yaml").read_text())
    assert config["data"]["init_args"]["path"] == "D4RL/x/y-v0"


def test_what_ctrl_c_says_works_as_typed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = signal.getsignal(signal.SIGINT)
    run = ["fit", "--config=tiny.yaml", "--run=my run", "--data.size=5"]
    try:
        assert main([*run, "--model.kill_at=-15"]) == 130
    finally:
        signal.signal(signal.SIGINT, handler)
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("to resume: oneleap fit --config 'my run/config.yaml' --run 'my run' ")
    words = shlex.split(line.removeprefix("to resume: "))
    assert main([*words[1:], "--model.kill_at=-1"]) == 0
    config = yaml.safe_load((here / "my run" / "config.yaml").read_text())
    assert config["data"]["init_args"]["size"] == 5
    assert (here / "my run" / "model" / "config.json").is_file()


def test_the_own_configuration_of_a_run_resumes_it(here: Path) -> None:
    assert main(["fit", "--config", "tiny.yaml"]) == 0
    (run,) = (here / "runs" / "tiny").iterdir()
    line = ["fit", "--config", str(run / "config.yaml"), "--ckpt_path", "last"]
    assert main([*line, "--trainer.max_steps", "45"]) == 0
    assert len((run / "metrics.csv").read_text().splitlines()) > 12
    assert list((here / "runs").rglob("config.yaml")) == [run / "config.yaml"]


def test_several_configurations_name_the_run_together(here: Path) -> None:
    (here / "longer.yaml").write_text("trainer: {max_steps: 2}\n")
    assert main(["fit", "--config", "tiny.yaml", "--config", "longer.yaml"]) == 0
    (run,) = (here / "runs").iterdir()
    assert run.name == "tiny+longer"
    assert runs_name(["rl/ofql_hopper-medium", "rl/dql_d4rl"]) == "rl/ofql_hopper-medium+dql_d4rl"
    assert runs_name(["rl/dql_d4rl"]) == "rl/dql_d4rl"


def test_a_tracked_run_has_its_settings_and_is_resumed_as_itself(here: Path) -> None:
    WandbLogger.made.clear()
    fit = ["fit", "--config", "tiny.yaml", "--trainer.logger", "support.tiny.WandbLogger"]
    assert main([*fit, "--run", "a", "--seed", "7"]) == 0
    assert main([*fit, "--run", "a", "--ckpt_path", "last", "--trainer.max_steps", "45"]) == 0
    assert main([*fit, "--run", "b"]) == 0
    assert main(["fit", "--config", "a/config.yaml", "--run", "c"]) == 0
    assert main([*fit, "--run", "d", "--trainer.logger.id", "mine"]) == 0
    first, resumed, other, repeated, named = WandbLogger.made
    assert first.id
    assert resumed.id == first.id
    assert len({first.id, other.id, repeated.id, named.id}) == 4
    assert named.id == "mine"
    assert (first.folder, other.folder) == ("a", "b")
    (settings,) = first.settings
    assert settings["seed"] == 7
    assert settings["data"]["init_args"] == {"path": "here", "size": 8}
    assert settings["trainer"]["max_steps"] == 40
    assert first.steps
    assert (here / "a" / "metrics.csv").is_file()  # the run's own log is kept beside
    assert "id: null" in (here / "a" / "config.yaml").read_text() or (
        first.id not in (here / "a" / "config.yaml").read_text()
    )


def test_a_tracker_that_is_not_installed_is_named_first(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(here.rglob("*"))
    monkeypatch.setattr("oneleap.core.cli.trackers.find_spec", lambda name: None)
    line = complain(
        capsys, "fit --config tiny.yaml --trainer.logger lightning.pytorch.loggers.WandbLogger"
    )
    assert line == "trainer.logger: WandbLogger needs wandb: pip install wandb"
    assert sorted(here.rglob("*")) == before


def test_a_path_asks_no_network(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies below an existing folder is a path, and no repository of the Hub."""

    class Network:
        def __getattr__(self, name: str) -> object:
            raise AssertionError("asked the network")

    monkeypatch.setitem(sys.modules, "huggingface_hub", Network())
    assert main(["fit", "--config", "tiny.yaml", "--run", "a"]) == 0
    assert load_pretrained("a/model", trusted=("support",))
    for missing in ("a/nothing", "/a/b", "./b", "nowhere"):
        with pytest.raises(InputError, match="no such folder"):
            load_pretrained(missing)
