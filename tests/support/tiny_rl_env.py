"""A tiny environment, a short recording of PointMaze, and checkpoints of demonstrators."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.envs.registration import register
from rich.progress import Progress
from torch import Tensor

from oneleap.domains.rl.demonstrators.pointmaze import Trajectories, record_trajectories
from oneleap.domains.rl.envs.task import Task


class Countdown(gymnasium.Env):
    """The seed determines the length; the reward is the action; observations count steps."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, keyed=False, succeeds=False, render_mode=None):
        vector = spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.keyed, self.succeeds, self.render_mode = keyed, succeeds, render_mode
        self.observation_space = spaces.Dict({"observation": vector}) if keyed else vector
        self.action_space = spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = self.length = int(self.np_random.integers(3, 30))
        return self._obs(), {}

    def _obs(self):
        obs = np.array([self.length - self.left, self.length], np.float64)
        return {"observation": obs} if self.keyed else obs

    def step(self, action):
        assert self.left > 0, "stepped after its end"
        self.left -= 1
        info = {"success": self.length % 2 == 0 and self.left == 1} if self.succeeds else {}
        over = self.left == 0
        return self._obs(), float(action[0]), over and self.length > 15, over, info

    def render(self):
        return np.full((64, 64, 3), 10 * self.left, np.uint8)


register(id="Countdown-v0", entry_point=Countdown)
TASK = Task("Countdown-v0", {}, 0.0, 20.0, "made up")


def one(obs):
    return np.ones((len(obs), 1), np.float32)


def recorded(
    steps: int = 1000, seed: int = 0, maze: str = "umaze", perturbation: float = 0.0
) -> Trajectories:
    with Progress(disable=True) as progress:
        return record_trajectories(maze, steps, seed, perturbation, progress, progress.add_task(""))


def tensors(kind: str, obs: int = 11, act: int = 3) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    names = {
        "sac": ["actor.latent_pi.0", "actor.latent_pi.2", "actor.mu"],
        "td3": ["actor.mu.0", "actor.mu.2", "actor.mu.4"],
        "common": ["mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net"],
    }[kind]
    sizes, found = [obs, 8, 6, act], {}
    for k, name in enumerate(names):
        found[f"{name}.weight"] = torch.randn(sizes[k + 1], sizes[k], generator=g)
        found[f"{name}.bias"] = torch.randn(sizes[k + 1], generator=g)
    if kind == "sac":
        found["actor.log_std.weight"] = torch.zeros(act, 6)
        found["actor.log_std.bias"] = torch.full((act,), -3.0)
        found["critic.qf0.0.weight"] = torch.zeros(2, 2)
    if kind == "common":
        found["log_std"] = torch.full((act,), -20.0)
    return found


def checkpoint(path: Path, kind: str = "sac", weights: Any = None, **settings: Any) -> Path:
    data = {"policy_class": {"__module__": f"stable_baselines3.{kind}.policies"}, **settings}
    stored = io.BytesIO()
    torch.save(tensors(kind) if weights is None else weights, stored)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data", json.dumps(data))
        file.writestr("policy.pth", stored.getvalue())
    return path
