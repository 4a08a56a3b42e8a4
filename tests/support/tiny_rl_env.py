"""A tiny environment whose episodes have random lengths, and a short recording of PointMaze."""

from typing import ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import register
from rich.progress import Progress

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
