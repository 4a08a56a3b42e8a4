"""The tab Policies: a rollout of the shipped policy, as it happens and as a video."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.studio.components import picture
from oneleap.domains.studio.handling import MODEL, clear_errors, nothing, seed_of
from oneleap.domains.studio.maze import draw_maze, write_video
from oneleap.domains.studio.models import POLICY, load_policy

MAX_STEPS = 300
"""Largest number of steps of a rollout; an episode of the shipped policy has as many."""

LIVE_STEPS = 20
"""Steps between two pictures while the rollout runs."""


@dataclass(frozen=True, eq=False)
class Moment:
    """A rollout after some steps.

    Attributes:
        path: Positions of the ball so far, meters, (steps + 1, 2).
        total: Return so far.
        calls: Network calls so far.
        act_ms: Mean time of an action in milliseconds, without the first.
        arrived: Step at which the ball first reached the goal, or ``None``.
    """

    path: NDArray[np.float32]
    total: float
    calls: int
    act_ms: float
    arrived: int | None


def rollout(seed: int, max_steps: int = MAX_STEPS) -> Iterator[Moment]:
    """Run one episode of the shipped policy, with one network call per action.

    Args:
        seed: Seed of the start and of the noise of the actions.
        max_steps: Largest number of steps.

    Yields:
        The rollout before the first step, and after each.
    """
    from oneleap.core.training.seed import episode_seed, step_generator

    policy = load_policy()
    if policy.spec.task is None:
        raise InputError(f"{POLICY}: was trained without an environment")
    env = policy.spec.task.make(disable_env_checker=True)
    generator = step_generator(seed, 0, stream=2)
    obs, over = env.reset(seed=episode_seed(seed, 0))[0], False
    policy.reset()
    path, total, times = [obs[:2]], 0.0, list[float]()
    arrived: int | None = None
    yield Moment(np.array(path), total, 0, 0.0, arrived)
    while not over and len(times) < max_steps:
        begin = time.perf_counter()
        action = policy.act(obs[None], steps=1, num_action_samples=1, generator=generator)[0]
        times.append(time.perf_counter() - begin)
        obs, reward, terminated, truncated, info = env.step(action)
        over = bool(terminated or truncated)
        total += float(reward)
        path.append(obs[:2])
        if arrived is None and info.get("success"):
            arrived = len(times)
        mean_ms = 1e3 * float(np.mean(times[1:] or times))
        yield Moment(np.array(path), total, len(times), mean_ms, arrived)
    env.close()


def describe(moment: Moment, score: float | None = None) -> str:
    """Describe a rollout in words; ``score`` is its score if it is over."""
    steps = len(moment.path) - 1
    text = f"Step {steps}: return **{moment.total:.1f}**, {moment.calls} network calls"
    if steps:
        text += f" ({moment.calls / steps:g} per action, {moment.act_ms:.2f} ms each)"
    if moment.arrived is not None:
        text += f". The ball reached the goal at step {moment.arrived}"
    if score is not None:
        text += f". Score {score:.0f}: random actions have 0, a scripted controller 100"
    return text + "."


def policies_tab(seed: int) -> None:
    """Build the tab inside a Gradio page.

    Args:
        seed: Seed that the tab begins with.
    """
    import gradio as gr

    gr.Markdown(
        f"`{POLICY}` steers a ball to the green goal and keeps it there. It acts 100 times a "
        "second of the simulation, and each action is one network call. The video shows the "
        "episode at half speed."
    )
    with gr.Row():
        with gr.Column():
            start = gr.Number(
                seed,
                precision=0,
                label="Seed of the start and of the actions",
                elem_id="policy-seed",
            )
            button = gr.Button("Run an episode", variant="primary", elem_id="policy-button")
        with gr.Column():
            result = gr.Markdown(elem_id="episode")
    with gr.Row():
        with gr.Column():
            live = picture("The episode as it runs", "live", 400)
        with gr.Column():
            gr.Markdown("**The whole episode as a video**")
            video = gr.Video(
                label="Video",
                show_label=False,
                interactive=False,
                buttons=["download"],
                autoplay=True,
                elem_id="video",
                height=400,
            )

    def on_run(seed: float | None) -> Iterator[tuple[Any, Any, str]]:
        with clear_errors("rl"), TemporaryDirectory() as folder:
            moment = None
            for moment in rollout(seed_of(seed)):
                if (len(moment.path) - 1) % LIVE_STEPS == 0:
                    yield draw_maze(moment.path), None, describe(moment)
            task = load_policy().spec.task
            if moment is None or task is None:
                return
            file = Path(folder) / "rollout.mp4"
            write_video(moment.path, file)
            score = float(task.score(np.array([moment.total]))[0])
            yield draw_maze(moment.path), str(file), describe(moment, score)

    shown = [live, video, result]
    button.click(
        on_run, [start], shown, show_progress_on=live, concurrency_id=MODEL, concurrency_limit=1
    ).failure(nothing(3), None, shown)
