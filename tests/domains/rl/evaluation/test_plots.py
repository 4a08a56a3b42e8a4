"""Plots of trajectories, and videos."""

import os

import numpy as np
from support.tiny_rl_env import TASK, Countdown, one

from oneleap.domains.rl.envs.mazes import MAZES
from oneleap.domains.rl.evaluation.plots import plot_trajectories, record_video


def test_a_maze_is_drawn(tmp_path):
    trail = MAZES["large"].starts(40, np.random.default_rng(0)).astype(np.float32)
    plot_trajectories("large", [trail, trail[:3]], tmp_path / "maze.png", "title")
    assert (tmp_path / "maze.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["maze.png"]


def test_a_video_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "MUJOCO_GL", "egl")
    assert record_video(one, TASK, tmp_path / "video.mp4", seed=0) is None
    assert b"ftyp" in (tmp_path / "video.mp4").read_bytes()[:64]


def test_a_video_that_fails_names_the_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "MUJOCO_GL", "egl")

    def fail(self):
        raise RuntimeError("no\nlibEGL")

    monkeypatch.setattr(Countdown, "render", fail)
    message = record_video(one, TASK, tmp_path / "video.mp4", seed=0)
    assert message == (
        "no video, install Debian's libegl1 libgl1 libosmesa6 libgles2 (OpenGL failed: no libEGL)"
    )
    monkeypatch.setitem(Countdown.metadata, "render_modes", [])
    assert record_video(one, TASK, tmp_path / "video.mp4", seed=0) == (
        "no video: Countdown-v0 cannot render images"
    )
    assert not list(tmp_path.iterdir())
