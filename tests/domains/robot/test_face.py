"""The public names of the domain, old names, and what acting does not import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny_robot import EYE, spec

import oneleap.domains.robot as face
from oneleap.core.hub.legacy import migrate
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.objectives import MeanFlow
from oneleap.domains.robot.legacy import CLASSES, WEIGHTS
from oneleap.domains.robot.models.nets import MLPHead, VisionConfig
from oneleap.domains.robot.models.policy import RobotPolicy

HEAVY = (
    *("lightning", "torchmetrics", "tensorboard", "torch._dynamo", "torch._inductor"),
    *("pandas", "matplotlib", "scipy", "sklearn", "h5py", "mujoco", "robosuite"),
)
SCRIPT = f"""
import sys
import numpy as np
from oneleap.core import load_pretrained
policy = load_pretrained(sys.argv[1])
policy.act(np.zeros((1, 1, 5)))
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""


@pytest.mark.parametrize("name", face.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(face, name).__name__ == name


@pytest.mark.parametrize("path", CLASSES.values())
def test_old_classes_have_a_successor(path: str) -> None:
    assert hasattr(face, path.rpartition(".")[2])


def test_importing_the_face_imports_nothing_heavy() -> None:
    code = "import sys, oneleap.domains.robot; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_acting_imports_nothing_of_training(tmp_path: Path) -> None:
    RobotPolicy(spec(), MeanFlow(), head=MLPHead(8)).save_pretrained(tmp_path)
    argv = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_saved_models_name_the_face(tmp_path: Path) -> None:
    RobotPolicy(spec(), MeanFlow(), head=MLPHead(8)).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["class_path"] == "oneleap.domains.robot.RobotPolicy"
    paths = [value["class_path"] for value in config["init_args"].values() if type(value) is dict]
    assert all(path.count(".") in (2, 3) for path in paths), paths


def test_old_arguments_of_the_data_are_renamed() -> None:
    old = {
        "class_path": "oneleap.domains.robot.datamodule.Demonstrations",
        "init_args": {"path": "x.hdf5", "chunk": 8, "horizon": 300, "obs_steps": 2, "seed": 3},
    }
    new = {"path": "x.hdf5", "horizon": 8, "max_episode_steps": 300, "n_obs_steps": 2, "seed": 3}
    assert migrate(old) == {
        "class_path": "oneleap.domains.robot.DemonstrationData",
        "init_args": new,
    }
    assert migrate(migrate(old)) == migrate(old)


def test_old_weights_of_the_vision_encoder_are_loaded(tmp_path: Path) -> None:
    seen = spec(cameras=(EYE,), image_size=(24, 24))
    vision = VisionConfig(width=8, heads=2, out_dim=4)
    policy = RobotPolicy(seen, MeanFlow(), head=MLPHead(8), vision=vision)
    policy.save_pretrained(tmp_path)
    file, old = tmp_path / "model.safetensors", {today: name for name, today in WEIGHTS.items()}
    renamed = {
        ".".join(old.get(part, part) for part in name.split(".")): weight
        for name, weight in load_file(file).items()
    }
    assert any(name.startswith("net.eye.place") for name in renamed)
    save_file(renamed, file)
    again = load_pretrained(tmp_path)
    assert isinstance(again, RobotPolicy)
    for (name, weight), other in zip(
        policy.state_dict().items(), again.state_dict().values(), strict=True
    ):
        assert torch.equal(weight, other), name
