"""``oneleap evaluate`` for robots: success and its interval, lengths, latencies, films."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from json import dumps
from math import sqrt
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from oneleap.core.errors import InputError, positive
from oneleap.core.files import replacing
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.sampling.samplers import Sampler
from oneleap.domains.robot.data.datamodule import Demonstrations
from oneleap.domains.robot.evaluation.plots import contact_sheet, film
from oneleap.domains.robot.evaluation.rollouts import Episodes, Rollout
from oneleap.domains.robot.evaluation.workers import each
from oneleap.domains.robot.models.dm1 import effective_rank
from oneleap.domains.robot.models.policy import RobotPolicy

FILMED = 3
"""Successes that are filmed, and failures, at most."""

PERIOD_MS = 50.0
"""From one control step to the next."""


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a rate (JASA 22, 1927), by default of 95 %."""
    p, zz = successes / n, z * z / n
    centre = (p + zz / 2) / (1 + zz)
    half = z * sqrt(p * (1 - p) / n + zz / (4 * n)) / (1 + zz)
    return max(0.0, centre - half), min(1.0, centre + half)


def figures(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """All figures by name, for JSON.

    ``net_ms`` is the median of a call of the policy, ``loop_ms`` of a control step, most of which
    execute what was decided before; ``loop_hz`` is the rate over all steps.
    """
    n, successes = len(rollouts), sum(r.success for r in rollouts)
    low, high = wilson(successes, n)
    found = {
        "rollouts": float(n),
        "success": successes / n,
        "success_low": low,
        "success_high": high,
        "length": float(np.mean([r.length for r in rollouts])),
    }
    if successes:
        found["length_success"] = float(np.mean([r.length for r in rollouts if r.success]))
    net = np.concatenate([r.net_ms for r in rollouts])
    loop = np.concatenate([r.loop_ms for r in rollouts])
    for name, times in (("net", net), ("loop", loop)):
        if len(times):
            found[f"{name}_ms"] = float(np.median(times))
            found[f"{name}_p99_ms"] = float(np.quantile(times, 0.99))
    if len(loop):
        found["loop_hz"] = 1e3 / float(loop.mean())
        found["late"] = float((loop > PERIOD_MS).mean())
    return found


def table(title: str, found: dict[str, float]) -> Table:
    """The figures for people."""
    shown = Table(title=title, show_header=False)
    low, high = 100 * found["success_low"], 100 * found["success_high"]
    rate = f"{100 * found['success']:.1f} %, 95 % interval {low:.1f} to {high:.1f} %"
    shown.add_row("success", rate)
    shown.add_row("rollouts", f"{found['rollouts']:.0f}, of {found['length']:.0f} steps on average")
    if "loop_ms" in found:
        shown.add_row("policy", f"{found['net_ms']:.2f} ms (99 %: {found['net_p99_ms']:.2f})")
        loop = f"{found['loop_ms']:.1f} ms (99 %: {found['loop_p99_ms']:.1f})"
        shown.add_row("control step", f"{loop}, {found['loop_hz']:.0f} Hz with the simulation")
    return shown


def command(
    run: Path,
    rollouts: int = 200,
    execute: int | None = None,
    sampler: Sampler | None = None,
    temperature: float | None = None,
    horizon: int | None = None,
    seed: int = 0,
    workers: int = 2,
    json: Path | None = None,
    video: bool = True,
    camera: str = "agentview",
    held: str | None = None,
) -> None:
    """Play a trained policy in its simulator, and print its success and its latencies.

    The interval of success is Wilson's. The latency of the policy and that of a whole control
    step, which simulates and observes too, are told apart. No episode starts as one of the
    demonstrations did.

    Example: oneleap evaluate runs/robot/dm1_lift/0 --rollouts 200

    Args:
        run: Folder of the run; ``evaluation.json``, films and a contact sheet are written there.
        rollouts: Episodes.
        execute: Actions of each chunk, by default the policy's own number.
        sampler: How the policy acts, by default as it was trained to; DDIM is
            --sampler oneleap.core.sampling.samplers.DDIMSampler --sampler.steps 10.
        temperature: Deviation of the policy's noise, by default the policy's own.
        horizon: Steps after which an episode has failed, by default those of the data.
        seed: Of the episodes and of the policy's noise.
        workers: Processes.
        json: Also write the figures to this file, name -> number.
        video: Play some successes and failures again with a camera.
        camera: That films.
        held: HDF5 file with demonstrations under the filter key ``valid`` that training left out:
            the effective rank of the policy's condition on them is told too.

    Raises:
        InputError: There is no such policy in ``run``, or it does not fit its environment.
    """
    model = run if (run / "config.json").is_file() else run / "model"
    policy = load_pretrained(model)
    if not isinstance(policy, RobotPolicy):
        raise InputError(f"{model} holds a {type(policy).__name__}, not a policy of a robot")
    task = policy.spec.task
    if task is None:
        raise InputError(f"{model}: trained without an environment, nowhere to evaluate")
    horizon = task.horizon if horizon is None else horizon
    positive(rollouts=rollouts, horizon=horizon, execute=1 if execute is None else execute)
    if execute is not None and execute > policy.spec.chunk:
        raise InputError(f"execute: {execute} of a chunk of {policy.spec.chunk} actions")
    ranks = {} if held is None else {"condition_rank": condition_rank(policy, held)}
    if temperature is not None and temperature < 0:
        raise InputError(f"temperature: {temperature} is negative")
    episodes = Episodes(
        model.resolve(),
        execute,
        horizon,
        seed,
        camera=camera,
        sampler=sampler,
        temperature=temperature,
    )
    played = dict[int, Rollout]()
    with Progress(console=Console(stderr=True)) as bar:
        advance = bar.add_task(f"evaluating {task.name}", total=rollouts)
        for number, rollout in outcomes(episodes, range(rollouts), workers):
            played[number] = rollout
            bar.update(advance, completed=len(played))
    found = figures([played[k] for k in range(rollouts)])
    calls = (sampler or policy.sampler).steps
    shown = table(task.name, found)
    shown.add_row("network calls", f"{calls} a decision")
    for rank in ranks.values():
        shown.add_row("rank of condition", f"{rank:.1f} on {held}")
    Console().print(shown)
    found |= {"steps": float(calls), "seed": float(seed), **ranks}
    found["execute"] = float(execute or policy.execute or policy.spec.chunk)
    found["temperature"] = policy.temperature if temperature is None else temperature
    for path in filter(None, (run / "evaluation.json", json)):
        with replacing(path) as temporary:
            temporary.write_text(dumps(found, indent=2) + "\n", encoding="utf-8")
    if video:
        draw(episodes, played, run, workers)


@torch.inference_mode()
def condition_rank(policy: RobotPolicy, path: str, most: int = 1024) -> float:
    """Effective rank of what a policy's network is given, on demonstrations it has not seen.

    Args:
        policy: Whose average is asked.
        path: HDF5 file; its filter key ``valid`` is taken.
        most: Observations at most, evenly spread.

    Raises:
        InputError: The file lacks the key, or what the policy observes.
    """
    spec = policy.spec
    held = Demonstrations(
        path,
        obs=spec.obs_keys,
        cameras=spec.cameras,
        filter_key="valid",
        obs_steps=spec.obs_steps,
        chunk=1,
    ).chunks
    batch = held.batch(torch.linspace(0, len(held) - 1, min(most, len(held))).round().long())
    return effective_rank(policy.average.encode(policy.observe(batch.obs), batch.images))


def outcomes(
    episodes: Episodes, numbers: Iterable[int], workers: int
) -> Iterator[tuple[int, Rollout]]:
    """Play episodes in processes, in no order; one whose process died has failed."""
    for number, rollout in each(episodes, numbers, workers):
        lost = Rollout(False, episodes.horizon, (), ())
        yield number, lost if rollout is None else rollout


def draw(episodes: Episodes, played: dict[int, Rollout], run: Path, workers: int) -> None:
    """Play some episodes again with a camera; write films and a sheet, or say why not."""
    kinds = {True: "success", False: "failure"}
    chosen = {
        kind: [k for k in sorted(played) if played[k].success is kind and played[k].loop_ms][
            :FILMED
        ]
        for kind in kinds
    }
    numbers = [k for kind in kinds for k in chosen[kind]]
    filming = replace(episodes, filmed=frozenset(numbers))
    try:
        filmed = dict(outcomes(filming, numbers, min(workers, max(1, len(numbers)))))
    except InputError as error:
        print(f"no video: {error}")
        return
    for kind, name in kinds.items():
        takes = [f for k in chosen[kind] if (f := filmed[k].frames) is not None]
        if takes:
            film(takes, run / f"{name}.mp4")
            print(f"video: {run / f'{name}.mp4'}")
    if any(rollout.frames is not None for rollout in filmed.values()):
        contact_sheet([*filmed.values()], run / "rollouts.png", str(run))
        print(f"picture: {run / 'rollouts.png'}")
