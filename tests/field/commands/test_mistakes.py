"""Settings that would fail late, or be ignored, are one line before training."""

from pathlib import Path

import pytest
import torch
from jsonargparse import Namespace
from support.tiny import CONFIG, complain
from support.tiny_generative import Toy

from oneleap.core.cli.checks import require_own_clipping
from oneleap.core.errors import InputError, Notice
from oneleap.core.objectives import MeanFlow
from oneleap.domains.main import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--trainer.max_epochs 0", "trainer.max_epochs: 0 trains nothing: give at least 1"),
        ("--trainer.max_steps 0", "trainer.max_steps: 0 trains nothing: give at least 1"),
        ("--trainer.max_steps -5", "trainer.max_steps: -5 trains nothing: give at least 1"),
        ("--trainer.limit_train_batches 0", "trainer.limit_train_batches: 0 batches train nothing"),
        ("--trainer.log_every_n_steps 0", "trainer.log_every_n_steps: 0 is not positive"),
        ("--trainer.accumulate_grad_batches 0", "trainer.accumulate_grad_batches: 0 is not"),
        ("--trainer.check_val_every_n_epoch 0", "trainer.check_val_every_n_epoch: 0 is not"),
        ("--trainer.val_check_interval 0", "trainer.val_check_interval: 0 is not positive"),
        ("--trainer.devices x", "trainer.devices: give a number of at least 1, or auto"),
        ("--trainer.devices 0", "trainer.devices: give a number of at least 1, or auto, not 0"),
        ("--trainer.devices -2", "trainer.devices: give a number of at least 1, or auto, not -2"),
        ("--trainer.enable_checkpointing false", "leave it out, or write fewer with --checkpoints"),
        ("--trainer.barebones true", "trainer.barebones: a run always writes figures and"),
        ("--trainer.default_root_dir x", "name it with --run"),
        ("--trainer.strategy ddp_spawn", "hand back the weights: use ddp"),
        ("--trainer.strategy swift", "trainer.strategy: use auto, or ddp for several processes"),
        ("--trainer.accelerator tpu", "torch_xla is not installed: use auto or cpu"),
        ("--trainer.callbacks RichProgressBar", "has a progress line already: leave others out"),
        ("--trainer.callbacks EarlyStopping", "trainer.callbacks: monitor is missing"),
        ("--trainer.callbacks bogus", "trainer.callbacks: no class 'bogus'"),
        ("--trainer.precision 8", "trainer.precision: expected 64 or 32 or 16 or transformer"),
        ("--trainer.deterministic maybe", "trainer.deterministic: expected bool or warn"),
        ("--run ''", "run: the name is empty"),
        ("--runs ''", "runs: the name is empty"),
        ("--ckpt_path ''", "ckpt_path: the name is empty"),
        ("--data.size", "data: the value is missing"),
        ("--config tiny.yaml", "config: tiny.yaml is named 2 times: name it once"),
        ("--config ./tiny.yaml", "config: tiny.yaml is named 2 times: name it once"),
        ("--config", "config: name a configuration: --config NAME"),
        ("--config --run x", "config: name a configuration: --config NAME"),
        ("--config empty.yaml", "empty.yaml: holds no settings"),
        ("--config list.yaml", "list.yaml: holds no settings"),
        ("--config run", "config: run is a folder: name its file: --config run/config.yaml"),
    ],
)
def test_a_mistake_is_one_line_before_training(
    options: str, complaint: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.yaml").touch()
    Path("list.yaml").write_text("- a\n")
    Path("run").mkdir()
    Path("run/config.yaml").touch()
    before = sorted(here.rglob("*"))
    assert complaint in complain(capsys, f"fit --config tiny.yaml {options}")
    assert sorted(here.rglob("*")) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("name", ["gpu", "cuda"])
def test_a_missing_gpu_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = complain(capsys, f"fit --config tiny.yaml --run a --trainer.accelerator {name}")
    assert line.startswith("trainer.accelerator: ")
    assert ": use auto or cpu" in line


def test_a_run_may_be_silent_and_is_the_same(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "fit --config tiny.yaml --run"
    assert main([*line.split(), "a"]) == 0
    assert "fit 40/40" in capsys.readouterr().err
    silent = ("--trainer.enable_progress_bar", "false")
    assert main([*line.split(), "b", *silent]) == 0
    assert capsys.readouterr().err == "run: b\n"
    a, b = (here / run / "model" / "model.safetensors" for run in "ab")
    assert a.read_bytes() == b.read_bytes()
    again = ["fit", "--config", "b/config.yaml", "--run", "b", "--ckpt_path", "last"]
    assert main([*again, "--trainer.max_steps", "50"]) == 0
    assert capsys.readouterr().err == "run: b\n"
    assert "is at step 50 already" in complain(capsys, " ".join(again))


@pytest.mark.parametrize("line", ["collect pointmaze --steps", "speak --out", "speak -o"])
def test_a_missing_value_names_its_option(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    option = line.split()[-1].strip("-").replace("o", "out") if "-o" in line.split() else ""
    assert f"{option or line.split('--')[1]}: the value is missing" in complain(capsys, line)


@pytest.mark.parametrize(("command", "step"), [("test", "test_step"), ("predict", "predict_step")])
def test_a_command_that_a_model_does_not_have_is_one_line(
    command: str, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = complain(capsys, f"{command} --config tiny.yaml")
    assert line == (f"{command}: Shrink has no {step}: oneleap evaluate RUN scores a trained model")


def test_a_model_without_validation_is_not_validated(capsys: pytest.CaptureFixture[str]) -> None:
    h5py = pytest.importorskip("h5py")
    import numpy as np

    with h5py.File("mine.hdf5", "w") as file:
        file["observations"], file["actions"] = np.zeros((40, 3)), np.zeros((40, 2))
        file["observations"][:] = np.random.default_rng(0).normal(size=(40, 3))
        file["actions"][:] = np.random.default_rng(1).uniform(-1, 1, (40, 2))
        file["rewards"] = np.ones(40)
        file["terminals"], file["timeouts"] = np.arange(40) % 10 == 9, np.zeros(40, bool)
    line = "validate --config rl/ofql_d4rl --data.path mine.hdf5 --data.env none"
    assert complain(capsys, line).startswith("validate: OFQL has no validation_step: oneleap eval")


def test_untrained_weights_are_not_validated_in_silence() -> None:
    with pytest.warns(Notice, match="no --ckpt_path is given, so the weights are untrained"):
        assert main(["validate", "--config", "tiny.yaml"]) == 0


def test_the_trainers_clipping_is_not_ignored_in_silence() -> None:
    module = Toy(MeanFlow()).lightning_module()
    require_own_clipping(Namespace(gradient_clip_val=None), module)
    with pytest.raises(InputError, match=r"not used here: set --model\.recipe\.optimizer\.clip"):
        require_own_clipping(Namespace(gradient_clip_val=1.0), module)
