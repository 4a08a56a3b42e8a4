"""From PointMaze data to images, a policy and a score."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from oneleap.core.hub.pretrained import load_pretrained
from oneleap.domains.main import main
from oneleap.domains.rl.algorithms.pixel_ofql import PixelOFQL
from oneleap.domains.rl.demonstrators import pointmaze as recording
from oneleap.domains.rl.envs.mazes import REFERENCE_RETURNS, pointmaze_task
from oneleap.domains.rl.envs.pointmaze_pixels import SIZE, PointMazePixels
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig

Capture = pytest.CaptureFixture[str]


def test_from_a_maze_to_a_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """All steps on tiny data: collect, draw, train, act."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recording, "measure_references", lambda maze: REFERENCE_RETURNS[maze])
    assert main(["collect", "pointmaze", "--steps", "600", "--out", "states"]) == 0
    assert main(["collect", "pixels", "--path", "states", "--steps", "400"]) == 0
    assert "next: oneleap fit --config rl/ofql_pointmaze-pixels" in capsys.readouterr().out
    with h5py.File("pointmaze-umaze-pixels.hdf5") as file:
        task = Task.from_json(str(file.attrs["oneleap_task"]))
        assert file["observations"].shape == (400, SIZE, SIZE, 3)
    assert task.env == "oneleap/PointMazePixels-v0"
    assert task.reference == pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"]).reference
    small = "--model.network.width 8 --model.recipe.compile false --trainer.max_steps 2"
    line = ["fit", "--config", "rl/ofql_pointmaze-pixels", "--run", "run", *small.split()]
    assert main([*line, "--data.batch_size", "4", "--trainer.callbacks", "null"]) == 0
    policy: Any = load_pretrained("run/model")
    assert asdict(policy.spec.task) == asdict(task)
    env = PointMazePixels(horizon=3)
    obs = env.reset(seed=0)[0]
    assert policy.act(np.stack([obs, obs])).shape == (2, 2)
    started = PixelOFQL(
        policy.spec,
        policy.objective,
        network=NetworkConfig(width=8),
        critic_config=CriticConfig(layer_norm=True),
    )
    moved = [
        name
        for (name, new), old in zip(
            policy.net.named_parameters(), started.net.parameters(), strict=True
        )
        if not torch.equal(new, old)
    ]
    assert any(name.startswith("encoder.convolutions.0") for name in moved)
    assert main(["collect", "pixels", "--path", "states", "--steps", "400"]) == 2
