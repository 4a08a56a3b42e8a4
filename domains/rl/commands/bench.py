"""``oneleap bench rl``: steps and actions of OFQL and its peers, against products and bare nets."""

import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import lightning as L
import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch.utils.flop_counter import FlopCounterMode

from oneleap.core.cli.fit import quiet_loggers
from oneleap.core.objectives import MeanFlow
from oneleap.core.timing import gemm_peak, median_ms, report
from oneleap.core.training.seed import step_generator
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.bfq import Bootstrap
from oneleap.domains.rl.algorithms.dql import DQL
from oneleap.domains.rl.algorithms.fql import FQL
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.envs.task import Spec

OBS, ACT, BATCH = 11, 3, 256  # Hopper's sizes, the paper's batch
MANY = 2500  # observations at once, as the paper times actions: 50 environments, 50 candidates
WIDTH, DEPTH = 256, 3
TURNS = 5


class StepTimer(L.Callback):
    """Times whole training steps, from one batch's end to the next's: Lightning is included."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *args: object) -> None:
        """Take the time."""
        self.ends.append(time.perf_counter())


def batches(size: int = 100_000) -> Iterator[Transitions]:
    """Endless batches from random transitions of Hopper's sizes."""
    g = torch.Generator().manual_seed(0)
    obs, act = torch.randn(size, OBS, generator=g), torch.rand(size, ACT, generator=g) * 2 - 1
    data = Transitions(obs, act, torch.randn(size, generator=g), obs, torch.full((size,), 0.99))
    step = 0
    while True:
        yield data.sample(BATCH, step_generator(0, step))
        step += 1


def build_policies(dql: tuple[int, ...]) -> dict[str, ActorCritic]:
    """Algorithms by the names of their figures, on networks of one size, past their first steps."""
    limit = (-1.0,) * ACT, (1.0,) * ACT
    spec = Spec(OBS, ACT, (0.0,) * OBS, (1.0,) * OBS, *limit)
    found: dict[str, ActorCritic] = {
        "ofql": OFQL(spec, MeanFlow(), width=WIDTH, depth=DEPTH, ema_start=0),
        "bfq": OFQL(spec, Bootstrap(), width=WIDTH, depth=DEPTH, ema_start=0),
        "fql": FQL(spec, width=WIDTH, depth=DEPTH),
    }
    peers = {f"dql{n}": DQL(spec, steps=n, width=WIDTH, depth=DEPTH, ema_start=0) for n in dql}
    return found | peers


def step_ms(policy: ActorCritic, steps: int, warmup: int) -> float:
    """Median milliseconds of a training step, Lightning's loop included."""
    timer = StepTimer()
    with quiet_loggers():
        trainer = L.Trainer(
            max_steps=steps + warmup,
            accelerator="cpu",
            callbacks=[timer],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(policy, batches())
    return 1e3 * float(median(np.diff(timer.ends)[-steps:]))


def bench(
    steps: int = 300,
    warmup: int = 50,
    dql: tuple[int, ...] = (5, 10, 20, 50),
    json: Path | None = None,
) -> None:
    """Time OFQL, BFQ, FQL and Diffusion-QL at batch 256, networks 3x256 and Hopper's sizes.

    ``<name>_step_ms`` is one training step, ``<name>_action_ms`` one action, one candidate, and
    ``<name>_action2500_ms`` 2500 of them at once. Ratios of actions are those of one action, unless
    they are named 2500.

    Example: oneleap bench rl --json rl.json

    Args:
        steps: Training steps timed; fewer of a chain longer than 5.
        warmup: Steps before, the first of which compiles.
        dql: Numbers of denoising steps of Diffusion-QL; 50 take minutes to compile.
        json: Also write the figures to this file.
    """
    policies = build_policies(dql)
    figures = {"gemm_gflops": gemm_peak()}
    console = Console(stderr=True)  # a long chain compiles for minutes
    for name, policy in track(policies.items(), "compiling and timing steps", console=console):
        few = max(10, 5 * steps // max(5, policy.steps))  # a chain takes as many times as long
        figures[f"{name}_step_ms"] = step_ms(policy, few, min(warmup, few))
    figures |= _against_gemm(policies["ofql"], figures)
    figures |= _actions(policies, calls=steps)
    figures["ofql_action_over_net"] = figures["ofql_action_ms"] / figures["net_ms"]
    for what in ("step", "action", "action2500"):
        for name in (f"dql{n}" for n in dql):
            ratio = figures[f"{name}_{what}_ms"] / figures[f"ofql_{what}_ms"]
            figures[f"{name}_over_ofql_{what}"] = ratio
    report(f"RL on {torch.get_num_threads()} threads, torch {torch.__version__}", figures, json)


def _against_gemm(policy: ActorCritic, figures: dict[str, float]) -> dict[str, float]:
    """A step's products, and its time against theirs at the machine's peak."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        batch = next(batches())
        policy.gradients(batch, policy.draw(batch, torch.Generator()))
    gflop = counter.get_total_flops() / 1e9
    ideal_ms = 1e3 * gflop / figures["gemm_gflops"]
    return {
        "ofql_step_gflop": gflop,
        "ofql_step_over_gemm": figures["ofql_step_ms"] / ideal_ms,
    }


def _actions(policies: dict[str, ActorCritic], calls: int) -> dict[str, float]:
    """Milliseconds of a call of ``act``, for one observation and for many, and of the bare net.

    In turns, a fifth of the calls each: whatever else the machine does meets all of them alike.
    """
    one, many = np.zeros(OBS, np.float32), np.zeros((MANY, OBS), np.float32)
    z, s, t = torch.zeros(1, ACT), torch.zeros(1, OBS), torch.ones(1)
    net = torch.inference_mode()(policies["ofql"].average.forward)
    jobs: dict[str, tuple[Callable[[], object], int]] = {
        "net_ms": (lambda: net(z, t, t, s), 5 * calls)
    }
    for name, policy in policies.items():
        act = functools.partial(policy.act, num_action_samples=1)
        few = calls // policy.steps
        jobs[f"{name}_action_ms"] = functools.partial(act, one), 5 * few
        jobs[f"{name}_action2500_ms"] = functools.partial(act, many), few // 5
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(TURNS):
        for name, (job, n) in jobs.items():
            found[name].append(median_ms(job, calls=max(2, n // TURNS), warmup=1))
    return {name: median(times) for name, times in found.items()}
