"""``oneleap evaluate`` of a policy: its scores in its environment, and pictures of what it does."""

import functools
from json import dumps
from pathlib import Path
from typing import Any

import gymnasium
from rich.console import Console
from rich.table import Table

from oneleap.core.errors import InputError, positive
from oneleap.core.files import replacing
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.training.seed import step_generator
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.envs.pointmaze import ENV_ID
from oneleap.domains.rl.envs.task import Spec, Task
from oneleap.domains.rl.evaluation.plots import draw, record_video, observation_vector
from oneleap.domains.rl.evaluation.rollouts import Evaluation, episode_seed, evaluate


def command(
    run: Path,
    episodes: int = 100,
    num_action_samples: int | None = None,
    steps: int | None = None,
    noise_scale: float = 1.0,
    temperature: float | None = None,
    seed: int = 0,
    json: Path | None = None,
    video: bool = True,
) -> None:
    """Play a trained policy in its environment, and print returns and scores.

    Example: oneleap evaluate runs/rl/ofql_hopper-medium/0

    Args:
        run: Folder of the run; ``evaluation.json`` and pictures are written there.
        episodes: How many.
        candidates: Actions proposed per observation, of which the value chooses one; by default
            the policy's own number, 1 for most.
        steps: Network calls per action; by default the policy's own number.
        noise_scale: Factor on the noise that actions are made of; by 0 they are always the same.
        temperature: Softmax temperature over values when one candidate is chosen, 0 for the best;
            by default the policy's own.
        seed: Of environments and policy.
        json: Also write the figures to this file, name -> number.
        video: Write ``rollout.mp4`` if the environment can draw itself.

    Raises:
        InputError: There is no policy in ``run``, or it does not fit its environment.
    """
    policy = load_pretrained(run / "model")
    if not isinstance(policy, Policy):
        raise InputError(f"{run / 'model'} holds a {type(policy).__name__}, not a policy")
    task = _fitting(policy.spec, run)
    num_action_samples = policy.num_action_samples if num_action_samples is None else num_action_samples
    steps = policy.steps if steps is None else steps
    positive(episodes=episodes, num_action_samples=num_action_samples, steps=steps)
    if noise_scale < 0:
        raise InputError(f"noise_scale must be 0 or more, not {noise_scale}")
    _choose_at(policy, num_action_samples, temperature)
    generator = step_generator(seed, 0, stream=2, device=policy.device)
    how: dict[str, Any] = {"num_action_samples": num_action_samples, "steps": steps, "noise_scale": noise_scale}
    act = functools.partial(policy.act, **how, generator=generator)

    evaluation = evaluate(act, task, episodes, seed, progress=True)
    found = {**evaluation.flat(), **how, "seed": seed}
    if isinstance(policy, ActorCritic):
        found["temperature"] = policy.temperature
    for path in filter(None, (run / "evaluation.json", json)):
        with replacing(path) as temporary:
            temporary.write_text(dumps(found, indent=2) + "\n", encoding="utf-8")
    Console().print(_told(evaluation, **how))
    if task.env == ENV_ID:
        maze, title = str(task.env_kwargs.get("maze", "umaze")), f"score {evaluation.score:.0f}"
        draw(maze, evaluation.trajectories, run / "trails.png", title)
        print(f"picture: {run / 'trajectories.png'}")
    if video:
        path = run / "rollout.mp4"
        print(record_video(act, task, path, episode_seed(seed, 0)) or f"video: {path}")


def _choose_at(policy: Policy, num_action_samples: int, temperature: float | None) -> None:
    """Have a policy choose among its candidates, at another temperature if one is given."""
    if num_action_samples > 1 and type(policy).select_action is Policy.select_action:
        raise InputError(f"candidates: a {type(policy).__name__} has no values to choose by")
    if temperature is None:
        return
    if temperature < 0:
        raise InputError(f"temperature must be 0 or more, not {temperature}")
    if not isinstance(policy, ActorCritic):
        raise InputError(f"temperature: a {type(policy).__name__} has no values to choose by")
    policy.temperature = temperature


def _told(evaluation: Evaluation, num_action_samples: int, steps: int, noise_scale: float) -> Table:
    """The figures for people, and how the policy acted."""
    table = evaluation.table()
    table.add_row("num_action_samples", f"N={num_action_samples}, chosen by value" if num_action_samples > 1 else "N=1")
    table.add_row("network calls", f"{steps} per action")
    table.add_row("noise", f"times {noise_scale:g}")
    return table


def _fitting(spec: Spec, run: Path) -> Task:
    """The policy's task, if its environment has the policy's sizes."""
    if spec.task is None:
        raise InputError(
            f"{run}: trained without an environment; set data.env and train again to evaluate"
        )
    env = spec.task.make()
    seen, actions = observation_vector(env.reset(seed=0)[0]).shape, env.action_space
    env.close()
    shape = actions.shape if isinstance(actions, gymnasium.spaces.Box) else None
    if seen != (spec.obs_dim,) or shape != (spec.act_dim,):
        raise InputError(
            f"{run}: the policy maps {spec.obs_dim} observations to {spec.act_dim} actions; "
            f"{spec.task.env} has observations {seen} and actions {actions}"
        )
    return spec.task
