"""Evaluation of a policy: settings are checked, episodes are played, figures are printed."""

import warnings
from dataclasses import replace
from json import dumps
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError, Notice, require_positive
from oneleap.core.sampling.samplers import Sampler
from oneleap.domains.robot.envs.panda import panda_env_args
from oneleap.domains.robot.envs.task import Task, unknown_name
from oneleap.domains.robot.evaluation.metrics import metrics_table, rollout_metrics
from oneleap.domains.robot.evaluation.rank import condition_rank
from oneleap.domains.robot.evaluation.rollouts import EpisodePlayer, Rollout, play_episodes
from oneleap.domains.robot.models.policy import RobotPolicy
from oneleap.domains.robot.spec import Spec

UNKNOWN_HORIZON = 1000
"""Number of steps of an episode if neither the user nor the policy's data say one."""


def find_task(spec: Spec, env: str | None, horizon: int | None) -> Task | None:
    """Choose the environment in which a policy is evaluated.

    Args:
        spec: Spec of the policy.
        env: Name of an environment of robosuite, or ``none``; ``None`` is that of the training
            data. Its robot and controller are those of the data, or else a Panda's.
        horizon: Number of steps after which an episode has failed; by default the data's.

    Returns:
        The environment; ``None`` if there is none.

    Raises:
        InputError: robosuite has no such environment, or ``horizon`` is not positive.
    """
    if horizon is not None:
        require_positive(horizon=horizon)
    task = spec.task
    if env == "none" or (env is None and task is None):
        return None
    if env is not None:
        unknown = unknown_name(env)
        if unknown:
            raise InputError(f"env: robosuite {unknown}")
        args = panda_env_args(env) if task is None else dumps({**task.parsed(), "env_name": env})
        task = Task(args, UNKNOWN_HORIZON if task is None else task.max_episode_steps)
        if spec.task is None and horizon is None:
            warnings.warn(f"horizon: episodes have {UNKNOWN_HORIZON} steps", Notice, stacklevel=2)
    assert task is not None
    return task if horizon is None else replace(task, max_episode_steps=horizon)


def make_player(
    policy: RobotPolicy,
    model: Path,
    task: Task,
    n_action_steps: int | None,
    sampler: Sampler | None,
    temperature: float | None,
    seed: int,
    camera: str,
) -> EpisodePlayer:
    """Check the settings of an evaluation; the policy's own replace those that are ``None``.

    Args:
        policy: Policy.
        model: Folder of the policy.
        task: Environment.
        n_action_steps: Number of actions of each chunk to execute.
        sampler: Sampler that generates chunks.
        temperature: Standard deviation of the noise.
        seed: Seed of all draws.
        camera: Camera that records.

    Raises:
        InputError: A setting is out of range.
    """
    spec = policy.spec
    if n_action_steps is not None:
        require_positive(n_action_steps=n_action_steps)
        if n_action_steps > spec.horizon:
            raise InputError(
                f"n_action_steps: {n_action_steps} of a chunk of {spec.horizon} actions"
            )
    if temperature is not None and temperature < 0:
        raise InputError(f"temperature: {temperature} is negative")
    return EpisodePlayer(
        model.resolve(),
        task,
        n_action_steps=n_action_steps or policy.n_action_steps or spec.horizon,
        max_steps=task.max_episode_steps,
        seed=seed,
        camera=camera,
        sampler=policy.sampler if sampler is None else sampler,
        temperature=policy.temperature if temperature is None else temperature,
    )


def evaluate_policy(
    policy: RobotPolicy,
    player: EpisodePlayer,
    rollouts: int,
    workers: int,
    validation_data: str | None = None,
) -> tuple[dict[str, float], dict[int, Rollout]]:
    """Play episodes and print figures.

    Args:
        policy: Policy.
        player: Settings of the evaluation.
        rollouts: Number of episodes.
        workers: Number of processes.
        validation_data: HDF5 file of demonstrations on which the effective rank of the policy's
            condition is computed; see :func:`condition_rank`.

    Returns:
        Figures by name, and the outcome of each episode by its number.

    Raises:
        InputError: A number is not positive, or the file lacks what the policy observes.
    """
    require_positive(rollouts=rollouts)
    title = player.task.name
    further = dict[str, float]()
    if validation_data is not None:
        further = {"condition_rank": condition_rank(policy, validation_data)}
    played = dict[int, Rollout]()
    with Progress(console=Console(stderr=True)) as bar:
        progress = bar.add_task(f"evaluating {title}", total=rollouts)
        for number, rollout in play_episodes(player, range(rollouts), workers):
            played[number] = rollout
            bar.update(progress, completed=len(played))
    metrics = rollout_metrics([played[k] for k in range(rollouts)]) | player.figures()
    metrics |= further
    Console().print(metrics_table(title, metrics))
    return metrics, played
