"""Evaluation of a policy: settings are checked, episodes are played, figures are printed."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError, require_positive
from oneleap.core.sampling.samplers import Sampler
from oneleap.domains.robot.evaluation.metrics import metrics_table, rollout_metrics
from oneleap.domains.robot.evaluation.rank import condition_rank
from oneleap.domains.robot.evaluation.rollouts import EpisodePlayer, Rollout, play_episodes
from oneleap.domains.robot.models.policy import RobotPolicy


def make_player(
    policy: RobotPolicy,
    model: Path,
    n_action_steps: int | None,
    sampler: Sampler | None,
    temperature: float | None,
    max_steps: int | None,
    seed: int,
    camera: str,
) -> EpisodePlayer:
    """Check the settings of an evaluation; the policy's own replace those that are ``None``.

    Args:
        policy: Policy.
        model: Folder of the policy.
        n_action_steps: Number of actions of each chunk to execute.
        sampler: Sampler that generates chunks.
        temperature: Standard deviation of the noise.
        max_steps: Number of steps after which an episode has failed.
        seed: Seed of all draws.
        camera: Camera that records.

    Raises:
        InputError: The policy names no environment, or a setting is out of range.
    """
    spec, task = policy.spec, policy.spec.task
    if task is None:
        raise InputError(f"{model}: trained without an environment, so it cannot be evaluated")
    given = {"n_action_steps": n_action_steps, "max_episode_steps": max_steps}
    require_positive(**{name: n for name, n in given.items() if n is not None})
    if n_action_steps is not None and n_action_steps > spec.horizon:
        raise InputError(f"n_action_steps: {n_action_steps} of a chunk of {spec.horizon} actions")
    if temperature is not None and temperature < 0:
        raise InputError(f"temperature: {temperature} is negative")
    return EpisodePlayer(
        model.resolve(),
        n_action_steps=n_action_steps or policy.n_action_steps or spec.horizon,
        max_steps=max_steps or task.max_episode_steps,
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
    assert policy.spec.task is not None
    title = policy.spec.task.name
    rank = None if validation_data is None else condition_rank(policy, validation_data)
    played = dict[int, Rollout]()
    with Progress(console=Console(stderr=True)) as bar:
        progress = bar.add_task(f"evaluating {title}", total=rollouts)
        for number, rollout in play_episodes(player, range(rollouts), workers):
            played[number] = rollout
            bar.update(progress, completed=len(played))
    metrics = rollout_metrics([played[k] for k in range(rollouts)]) | player.figures()
    if rank is not None:
        metrics["condition_rank"] = rank
    Console().print(metrics_table(title, metrics))
    return metrics, played
