"""``oneleap evaluate`` for robot policies: success rate and interval, latencies, videos."""

from json import dumps
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError, positive
from oneleap.core.files import replacing
from oneleap.core.sampling.samplers import Sampler
from oneleap.domains.robot.evaluation.metrics import metrics_table, rollout_metrics
from oneleap.domains.robot.evaluation.plots import record_videos
from oneleap.domains.robot.evaluation.rank import condition_rank
from oneleap.domains.robot.evaluation.rollouts import EpisodePlayer, Rollout, play_episodes
from oneleap.domains.robot.models.policy import RobotPolicy


def evaluate(
    run: Path,
    rollouts: int = 200,
    n_action_steps: int | None = None,
    sampler: Sampler | None = None,
    temperature: float | None = None,
    max_episode_steps: int | None = None,
    seed: int = 0,
    workers: int = 2,
    json: Path | None = None,
    video: bool = True,
    camera: str = "agentview",
    validation_data: str | None = None,
) -> None:
    """Play a trained policy in its simulator and print its success rate and latencies.

    The interval of the success rate is Wilson's. Two latencies are printed: that of the policy,
    and that of a whole control step with simulation and observation. No episode starts like one of
    the demonstrations.

    Example: oneleap evaluate runs/robot/dm1_lift/0 --rollouts 200

    Args:
        run: Folder of the run; ``evaluation.json``, videos and a contact sheet are written there.
        rollouts: Number of episodes.
        n_action_steps: Number of actions of each chunk to execute; by default the policy's.
        sampler: Sampler that generates chunks; by default the policy's. For DDIM, give
            --sampler oneleap.core.DDIMSampler --sampler.steps 10.
        temperature: Standard deviation of the noise; by default the policy's.
        max_episode_steps: Number of steps after which an episode has failed; by default that of
            the training data.
        seed: Seed of the episodes and of the policy's noise.
        workers: Number of processes.
        json: File to write the figures to as well, name -> number.
        video: Whether to play some successes and failures again and record them.
        camera: Camera that records.
        validation_data: HDF5 file; the effective rank of the policy's condition is computed on its
            demonstrations under the filter key ``valid``.

    Raises:
        InputError: ``run`` holds no robot policy, or a setting does not fit the policy.
    """
    model = run if (run / "config.json").is_file() else run / "model"
    policy = RobotPolicy.from_pretrained(model)
    spec, task = policy.spec, policy.spec.task
    if task is None:
        raise InputError(f"{model}: trained without an environment, so it cannot be evaluated")
    given = {"n_action_steps": n_action_steps, "max_episode_steps": max_episode_steps}
    positive(rollouts=rollouts, **{name: n for name, n in given.items() if n is not None})
    if n_action_steps is not None and n_action_steps > spec.horizon:
        raise InputError(f"n_action_steps: {n_action_steps} of a chunk of {spec.horizon} actions")
    if temperature is not None and temperature < 0:
        raise InputError(f"temperature: {temperature} is negative")
    player = EpisodePlayer(
        model.resolve(),
        n_action_steps=n_action_steps or policy.n_action_steps or spec.horizon,
        max_steps=max_episode_steps or task.max_episode_steps,
        seed=seed,
        camera=camera,
        sampler=policy.sampler if sampler is None else sampler,
        temperature=policy.temperature if temperature is None else temperature,
    )
    rank = None if validation_data is None else condition_rank(policy, validation_data)
    played = _play(player, rollouts, workers, task.name)
    metrics = rollout_metrics([played[k] for k in range(rollouts)]) | player.figures()
    if rank is not None:
        metrics["condition_rank"] = rank
    Console().print(metrics_table(task.name, metrics))
    for path in filter(None, (run / "evaluation.json", json)):
        with replacing(path) as temporary:
            temporary.write_text(dumps(metrics, indent=2) + "\n", encoding="utf-8")
    if video:
        record_videos(player, played, run, workers)


def _play(player: EpisodePlayer, n: int, workers: int, title: str) -> dict[int, Rollout]:
    """Play the first ``n`` episodes under a progress bar."""
    played = dict[int, Rollout]()
    with Progress(console=Console(stderr=True)) as bar:
        progress = bar.add_task(f"evaluating {title}", total=n)
        for number, rollout in play_episodes(player, range(n), workers):
            played[number] = rollout
            bar.update(progress, completed=len(played))
    return played
