"""``oneleap evaluate`` for policies: scores in the environment, plots and a video."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneleap.core.errors import InputError, require_positive

if TYPE_CHECKING:
    from rich.table import Table

    from oneleap.core.training.run import ModelPath
    from oneleap.domains.rl.algorithms.policy import Policy
    from oneleap.domains.rl.envs.task import Task
    from oneleap.domains.rl.evaluation.rollouts import Evaluation
    from oneleap.domains.rl.spec import Spec


def evaluate(
    run: Path,
    episodes: int = 100,
    env: str | None = None,
    horizon: int | None = None,
    num_action_samples: int | None = None,
    steps: int | None = None,
    noise_scale: float = 1.0,
    temperature: float | None = None,
    seed: int = 0,
    json: Path | None = None,
    video: bool = True,
    at_once: int | None = None,
    threads: int = 1,
    ray: str | None = None,
    gpus: float = 0.0,
) -> None:
    """Run a trained policy in its environment, and print returns and scores.

    Example: oneleap evaluate runs/rl/ofql_hopper-medium/0

    Args:
        run: Folder of a run or of a model, where ``evaluation.json``, plots and the video go; or
            the name of a shipped policy, such as pointmaze-umaze, whose files go to
            evaluation/NAME.
        episodes: Number of episodes.
        env: Gymnasium id of the environment; by default that of the training data.
        horizon: Largest number of steps of an episode; by default that of the registered
            environment, or 1000 if it has none.
        num_action_samples: Actions sampled for each observation, of which one is selected by Q
            (best of N by Q); by default the policy's own number, which is 1 for most.
        steps: Network calls per action; by default the policy's own number.
        noise_scale: Factor on the noise of the actions. At 0 they are deterministic.
        temperature: Softmax temperature over Q when one of several actions is selected; 0 selects
            the best. By default the policy's own.
        seed: Seed of the environments and of the policy.
        json: Further file for the results, name -> number.
        video: Whether to write ``rollout.mp4``, if the environment can render images.
        at_once: Number of processes that play groups of 200 episodes side by side; by default this
            process plays them one after the other, with the same results.
        threads: Threads of each such process.
        ray: Address of a running Ray cluster whose nodes play the groups, HOST:PORT, or auto for
            the one that this machine belongs to. All nodes must see the folder of the policy and
            the current folder.
        gpus: GPUs of each group on a cluster; 0.5 lets two groups share one.

    Raises:
        InputError: There is no policy in ``run``, or it does not fit its environment.
    """
    from rich.console import Console

    from oneleap.core.jobs.place import Place
    from oneleap.core.training.seed import episode_seed
    from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
    from oneleap.domains.rl.commands.evaluate_groups import Episodes, Player, play_side_by_side
    from oneleap.domains.rl.evaluation.plots import record_video
    from oneleap.domains.rl.evaluation.rollouts import evaluate_policy

    found = find_policy(run, "evaluation")
    found.check_output()
    policy = load_policy(found.model)
    task = _fitting_task(policy.spec, run, env).limited(horizon)
    n = policy.num_action_samples if num_action_samples is None else num_action_samples
    steps = policy.steps if steps is None else steps
    require_positive(episodes=episodes, num_action_samples=n, steps=steps)
    if noise_scale < 0:
        raise InputError(f"noise_scale must be 0 or more, not {noise_scale}")
    _prepare_selection(policy, n, temperature)
    how: dict[str, Any] = {"num_action_samples": n, "steps": steps, "noise_scale": noise_scale}
    what, place = Episodes(episodes, seed, how, temperature), Place(at_once, threads, ray, gpus)
    player = Player(policy, what)
    if ray is None and at_once in (None, 1):
        evaluation = evaluate_policy(
            player.act, task, episodes, seed, progress=True, reset=player.reset
        )
    else:
        evaluation = play_side_by_side(found.model, task, what, place, found.home)
    figures = {**evaluation.figures(), **how, "seed": seed}
    if isinstance(policy, ActorCritic):
        figures["temperature"] = policy.temperature
    found.write_evaluation(figures, json)
    Console().print(_table(evaluation, n, steps, noise_scale))
    _plot(evaluation, found.home / "trajectories.png")
    if video:
        path = found.home / "rollout.mp4"
        player.reset()
        print(record_video(player.act, task, path, episode_seed(seed, 0)) or f"video: {path}")


def find_policy(run: Path, kind: str) -> "ModelPath":
    """Find a policy by its path, or by the name of one that ships with oneleap.

    Args:
        run: Folder of a run or of a model, or a name.
        kind: Folder for files about shipped policies.

    Returns:
        Its folder. That of a shipped policy is in no run: its files go to ``kind/NAME``.

    Raises:
        InputError: There is none.
    """
    from oneleap.core.hub.registry import find_shipped, shipped_models
    from oneleap.core.training.run import ModelPath, find_model

    known = shipped_models("oneleap.domains.rl", "policies")
    if str(run) in known:
        return ModelPath(known[str(run)], Path(kind, run.name))
    return find_model(run if run.exists() else find_shipped("policy", run, known))


def load_policy(folder: Path) -> "Policy":
    """Load a policy.

    Raises:
        InputError: The folder holds none.
    """
    from oneleap.core.hub.pretrained import load_pretrained
    from oneleap.domains.rl.algorithms.policy import Policy

    policy = load_pretrained(folder)
    if not isinstance(policy, Policy):
        raise InputError(f"{folder} holds a {type(policy).__name__}, not a policy")
    return policy


def _prepare_selection(
    policy: "Policy", num_action_samples: int, temperature: float | None
) -> None:
    """Check that the policy can select by Q, and set its temperature if one is given."""
    from oneleap.domains.rl.algorithms.actor_critic import ActorCritic

    name = type(policy).__name__
    if num_action_samples > 1 and not isinstance(policy, ActorCritic):
        raise InputError(f"num_action_samples: a {name} has no Q to select by")
    if temperature is None:
        return
    if temperature < 0:
        raise InputError(f"temperature must be 0 or more, not {temperature}")
    if not isinstance(policy, ActorCritic):
        raise InputError(f"temperature: a {name} has no Q to select by")
    policy.temperature = temperature


def _plot(evaluation: "Evaluation", path: Path) -> None:
    """Plot the trajectories of a maze; other environments have no plot."""
    from oneleap.domains.rl.envs.registration import POINTMAZE
    from oneleap.domains.rl.evaluation.plots import plot_trajectories

    task = evaluation.task
    if task.env != POINTMAZE:
        return
    maze = str(task.env_kwargs.get("maze", "umaze"))
    plot_trajectories(maze, evaluation.trajectories, path, f"score {evaluation.score:.0f}")
    print(f"plot: {path}")


def _table(
    evaluation: "Evaluation", num_action_samples: int, steps: int, noise_scale: float
) -> "Table":
    """The results, and how the policy chose its actions."""
    table = evaluation.table()
    several = f"best of {num_action_samples} by Q" if num_action_samples > 1 else "1"
    table.add_row("action samples", several)
    table.add_row("network calls", f"{steps} per action")
    table.add_row("noise scale", f"{noise_scale:g}")
    return table


def _fitting_task(spec: "Spec", run: Path, env: str | None) -> "Task":
    """The requested or the policy's own task, if its environment has the policy's sizes."""
    from oneleap.domains.rl.data.d4rl import task_of
    from oneleap.domains.rl.envs.task import HORIZON

    task = spec.task
    if env is not None and (task is None or env != task.env):
        task = replace(task_of(env), obs_keys=spec.obs_keys)
    if task is None:
        raise InputError(
            f"{run}: trained without an environment: name one with --env, a Gymnasium id such as "
            f"Hopper-v5; --horizon limits its episodes ({HORIZON} steps if it has no limit)"
        )
    return task.fitted(
        str(run), spec.obs_dim, spec.act_dim, "the policy has", "name another with --env ID"
    )
