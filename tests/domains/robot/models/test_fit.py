"""Training by the command line, on demonstrations made here."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.tiny_robot import EYE, demonstrations

from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.domains.main import main
from oneleap.domains.robot.data.datamodule import DemonstrationData
from oneleap.domains.robot.models.policy import RobotPolicy

pytest.importorskip("h5py")

Capture = pytest.CaptureFixture[str]

CONFIG = """# A few steps.
model:
  class_path: oneleap.domains.robot.RobotPolicy
  init_args:
    objective:
      class_path: {objective}
    head: {{class_path: oneleap.domains.robot.MLPHead, init_args: {{width: 16}}}}
    recipe: {{compile: false}}
data:
  class_path: oneleap.domains.robot.DemonstrationData
  init_args:
    {{path: demos.hdf5, obs: [hand, object], horizon: 4, batch_size: 16, max_episode_steps: 20}}
trainer: {{max_steps: 6, log_every_n_steps: 1, accelerator: cpu}}
"""
DM1 = "oneleap.domains.robot.DM1"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fit(*argv: str, objective: str = DM1, status: int = 0) -> None:
    Path("robot.yaml").write_text(CONFIG.format(objective=objective))
    assert main(["fit", "--config", "robot.yaml", *argv]) == status


def rows(run: str) -> list[dict[str, str]]:
    with Path(run, "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_policy_is_trained_and_acts() -> None:
    episodes = demonstrations(Path("demos.hdf5"))
    fit("--run", "run")
    found = rows("run")
    assert len(found) == 6
    assert np.isfinite([float(row["train/dispersion"]) for row in found]).all()
    model = load_pretrained("run/model")
    assert isinstance(model, RobotPolicy)
    actions = np.concatenate([e.actions for e in episodes])
    middle = (actions.min(0) + actions.max(0)) / 2
    np.testing.assert_allclose(model.spec.act_shift, middle, atol=1e-6)
    assert model.spec.task is not None
    assert (model.spec.task.name, model.spec.task.max_episode_steps) == ("Lift", 20)
    chunk = model.act(np.zeros((2, 1, 5)), generator=torch.Generator().manual_seed(0))
    assert chunk.shape == (2, 4, 7)
    assert np.isfinite(chunk).all()


def test_settings_of_the_recipe_that_are_not_given_keep_their_defaults() -> None:
    demonstrations(Path("demos.hdf5"))
    fit("--run", "run", "--model.recipe.optimizer.lr", "0.01")
    model = load_pretrained("run/model")
    assert isinstance(model, RobotPolicy)
    assert model.recipe == Recipe(AdamConfig(lr=0.01), ema=0.995, compile=False)


def test_released_dm1_and_images_train() -> None:
    demonstrations(Path("demos.hdf5"), images=(24, 20))
    images = ["--data.cameras", f"[{EYE}]", "--data.obs", "[hand]", "--data.n_obs_steps", "2"]
    fit("--run", "run", *images, objective="oneleap.domains.robot.ReleasedDM1")
    model = load_pretrained("run/model")
    assert isinstance(model, RobotPolicy)
    assert model.spec.image_size == (24, 20)
    before = RobotPolicy(model.spec, model.objective, head=model.head)
    encoders = [m.net.vision_encoder for m in (before, model)]
    assert all(encoder is not None for encoder in encoders)
    pairs = zip(*(encoder.parameters() for encoder in encoders if encoder is not None), strict=True)
    assert all(not torch.equal(old, new) for old, new in pairs)


def test_a_student_starts_from_its_teacher() -> None:
    demonstrations(Path("demos.hdf5"))
    fit("--run", "teacher", objective="oneleap.core.NoisePrediction")
    teacher = ["--model.recipe.teacher", "teacher/model", "--model.recipe.from_teacher", "true"]
    still = ["--model.recipe.optimizer.lr", "0", "--run", "student"]
    fit(*teacher, *still, objective="oneleap.core.ConsistencyDistillation")
    models = [load_pretrained(f"{run}/model") for run in ("teacher", "student")]
    z, obs = torch.randn(3, 7, 4), torch.randn(3, 5)
    t = torch.full((3,), 0.6)
    fields = [m.average(z, t, t, obs) for m in models if isinstance(m, RobotPolicy)]
    torch.testing.assert_close(*fields)


def test_a_run_that_is_continued_ends_with_the_same_weights() -> None:
    demonstrations(Path("demos.hdf5"))
    every = ["--checkpoints.every_n_steps", "2"]
    fit("--run", "whole", *every)
    fit("--run", "halves", *every, "--trainer.max_steps", "4")
    fit("--run", "halves", *every, "--ckpt_path", "last")
    one, two = (load_file(f"{run}/model/model.safetensors") for run in ("whole", "halves"))
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, rtol=0, atol=0)


def test_a_mistake_is_reported_in_one_line(capsys: Capture) -> None:
    fit(status=2)
    assert "demos.hdf5: no such file" in last_line(capsys)
    demonstrations(Path("demos.hdf5"))
    fit("--data.obs", "[hnd]", status=2)
    assert "demo_0: no obs/hnd" in last_line(capsys)
    fit("--data.batch_size", "0", status=2)
    assert "batch_size: 0 is not positive" in last_line(capsys)


def last_line(capsys: Capture) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def data(**given: object) -> DemonstrationData:
    fields: dict[str, object] = {"obs": ("hand", "object"), "horizon": 4, "batch_size": 8, **given}
    return DemonstrationData("demos.hdf5", **fields)  # type: ignore[arg-type]


def test_batches_are_a_function_of_seed_and_step() -> None:
    demonstrations(Path("demos.hdf5"))
    one, same, other = (data(seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.batch(3).act, same.batch(3).act)
    assert not torch.equal(one.batch(3).act, one.batch(4).act)
    assert not torch.equal(one.batch(3).act, other.batch(3).act)


def test_threads_hand_out_images_in_order() -> None:
    demonstrations(Path("demos.hdf5"), images=(8, 8))
    module = data(cameras=(EYE,), workers=3)
    batches = module.train_dataloader()
    for step, batch in zip(range(9), batches, strict=False):
        wanted = batches.batch(step)
        assert torch.equal(batch.act, wanted.act)
        assert batch.images is not None
        assert wanted.images is not None
        assert torch.equal(batch.images, wanted.images)


def test_another_version_of_the_simulator_gives_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    from oneleap.domains.robot.data import datamodule
    from oneleap.domains.robot.envs.task import Task

    task = Task('{"env_name": "Lift", "env_version": "1.4.1"}')
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.5.2")
    note = datamodule.version_note("demos.hdf5", task)
    assert note is not None
    assert "recorded in robosuite 1.4.1, but 1.5.2 is installed" in note
    monkeypatch.setattr("importlib.metadata.version", lambda name: "1.4.0")
    assert datamodule.version_note("demos.hdf5", task) is None
