"""Comparison of trained policies on PointMaze umaze, for the report of ``oneleap demo``."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.timing import median_ms
from oneleap.core.training.run import find_model
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.rewards import GoalDistanceReward
from oneleap.domains.rl.envs.mazes import MAZES
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation.plots import plot_trajectories
from oneleap.domains.rl.evaluation.rollouts import Evaluation, evaluate_policy

NEW_EPISODES = 1_000_000
"""Added to the seed of the evaluation, so that its episodes are not those of training."""

MAZE = "umaze"


@dataclass(frozen=True)
class PolicyResult:
    """A trained policy and its results.

    Attributes:
        label: Name of the policy in the report.
        run: Folder of the run.
        plot: PNG file of its trajectories.
        evaluation: Results of its episodes.
        act_ms: Median time of one action in milliseconds.
    """

    label: str
    run: Path
    plot: Path
    evaluation: Evaluation
    act_ms: float

    @property
    def row(self) -> tuple[str, ...]:
        """Label, score, success rate and time of an action, as text."""
        figures = self.evaluation.figures()
        score = f"{figures['score']:.1f}"
        if "score_se" in figures:  # a single episode has no standard error
            score += f" ± {figures['score_se']:.1f}"
        return self.label, score, f"{100 * figures['success']:.0f} %", f"{self.act_ms:.2f}"


def evaluate_run(
    label: str, run: Path, episodes: int, seed: int, num_action_samples: int = 1
) -> PolicyResult:
    """Evaluate a finished run, plot its trajectories, and time its actions.

    Args:
        label: Name of the policy in the report.
        run: Folder of the run.
        episodes: Number of episodes.
        seed: Seed of episodes and noise.
        num_action_samples: Actions sampled for each observation; the best by Q is taken.

    Returns:
        The results.
    """
    policy = Policy.from_pretrained(find_model(run).model)
    task = policy.spec.task
    assert task is not None
    noise = torch.Generator().manual_seed(seed)

    def act(obs: NDArray[np.float32]) -> NDArray[np.float32]:
        return policy.act(obs, num_action_samples=num_action_samples, generator=noise)

    evaluation = evaluate_policy(act, task, episodes, seed + NEW_EPISODES, reset=policy.reset)
    plot = run / f"trajectories-{num_action_samples}.png"
    title = f"{label}: score {evaluation.score:.0f}"
    plot_trajectories(MAZE, evaluation.trajectories, plot, title)
    obs = np.zeros(policy.spec.obs_dim, np.float32)
    act_ms = median_ms(lambda: act(obs), calls=500)
    return PolicyResult(label, run, plot, evaluation, act_ms)


def data_score(path: Path, task: Task) -> float:
    """Score of the data themselves: their mean reward times the length of an episode."""
    goal = MAZES[MAZE].goal
    reward = GoalDistanceReward((float(goal[0]), float(goal[1])))
    rewards = OfflineData(str(path), reward=reward).dataset.reward
    mean = rewards.double().mean().item() * MAZES[MAZE].horizon
    return float(task.score(np.array([mean]))[0])
