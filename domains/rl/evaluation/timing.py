"""Times of training steps and of actions, for OFQL and other algorithms."""

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median

import lightning as L
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from oneleap.core.cli.fit import quiet_loggers
from oneleap.core.objectives import MeanFlow
from oneleap.core.timing import median_ms
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import step_generator
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.bfq import Bootstrap
from oneleap.domains.rl.algorithms.dql import DQL
from oneleap.domains.rl.algorithms.flow.fql import FQL
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import NetworkConfig
from oneleap.domains.rl.spec import Spec

OBS, ACT, BATCH = 11, 3, 256
"""Sizes of Hopper, and the paper's batch size."""

MANY = 2500
"""Observations at once, as the paper times actions: 50 environments, 50 samples each."""

NETWORK = NetworkConfig(width=256, depth=3)
ROUNDS = 5


class StepTimer(L.Callback):
    """Records when each batch ends; differences are whole training steps, Lightning included."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *args: object) -> None:
        """Record the time."""
        self.ends.append(time.perf_counter())


def batches(size: int = 100_000, seed: int = 0) -> Iterator[Transitions]:
    """Endless batches from random transitions of Hopper's sizes."""
    g = torch.Generator().manual_seed(seed)
    obs, act = torch.randn(size, OBS, generator=g), torch.rand(size, ACT, generator=g) * 2 - 1
    data = Transitions(obs, act, torch.randn(size, generator=g), obs, torch.full((size,), 0.99))
    step = 0
    while True:
        yield data.sample(BATCH, step_generator(seed, step))
        step += 1


def build_policies(dql: tuple[int, ...], seed: int = 0) -> dict[str, ActorCritic]:
    """Build the algorithms on networks of one size, by the names of their figures.

    Args:
        dql: Numbers of denoising steps of Diffusion-QL.
        seed: Seed of the weights and draws.

    Returns:
        The policies.
    """
    limit = (-1.0,) * ACT, (1.0,) * ACT
    spec = Spec(OBS, ACT, (0.0,) * OBS, (1.0,) * OBS, *limit)
    recipe = Recipe(ema=0.995, compile=True, seed=seed)
    policies: dict[str, ActorCritic] = {
        "ofql": OFQL(spec, MeanFlow(), network=NETWORK, ema_start=0, recipe=recipe),
        "bfq": OFQL(spec, Bootstrap(), network=NETWORK, ema_start=0, recipe=recipe),
        "fql": FQL(spec, network=NETWORK, recipe=replace(recipe, ema=0.0)),
    }
    return policies | {
        f"dql{n}": DQL(spec, steps=n, network=NETWORK, ema_start=0, recipe=recipe) for n in dql
    }


def step_ms(policy: ActorCritic, steps: int, warmup: int) -> float:
    """Median milliseconds of a training step, Lightning's loop included.

    Args:
        policy: The policy; it is trained.
        steps: Number of steps to time.
        warmup: Number of steps before.

    Returns:
        The time.
    """
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
        trainer.fit(policy.lightning_module(), batches(seed=policy.recipe.seed))
    return 1e3 * float(median(np.diff(timer.ends)[-steps:]))


def step_gflop(policy: ActorCritic) -> float:
    """Matrix products of a training step, in 10^9 floating-point operations."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        batch = next(batches())
        policy.gradients(batch, policy.draw(batch, torch.Generator()))
    flops: int = counter.get_total_flops()
    return flops / 1e9


def action_ms(policies: dict[str, ActorCritic], calls: int) -> dict[str, float]:
    """Milliseconds of a call of ``act``, for one observation and for many, and of the bare network.

    The policies take turns, a fifth of the calls each, so that other load on the machine affects
    all of them alike.

    Args:
        policies: Policies by name; one is ``ofql``, whose network is timed alone too.
        calls: Number of calls.

    Returns:
        Times by ``NAME_action_ms``, ``NAME_action2500_ms`` and ``net_ms``.
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
    for _ in range(ROUNDS):
        for name, (job, n) in jobs.items():
            found[name].append(median_ms(job, calls=max(2, n // ROUNDS), warmup=1))
    return {name: median(times) for name, times in found.items()}
