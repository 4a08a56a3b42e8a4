"""Times of training steps and of actions, for OFQL and other algorithms."""

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from typing import Any

import lightning as L
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from oneleap.core.cli.checks import quiet_loggers
from oneleap.core.objectives import MeanFlow
from oneleap.core.timing import median_ms
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import step_generator
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.bfq import Bootstrap
from oneleap.domains.rl.algorithms.dql import DQL
from oneleap.domains.rl.algorithms.flow.drifting import DFP
from oneleap.domains.rl.algorithms.flow.dsrl import DSRL
from oneleap.domains.rl.algorithms.flow.fql import FQL
from oneleap.domains.rl.algorithms.flow.ifql import IFQL
from oneleap.domains.rl.algorithms.flow.meanflow_ql import MeanFlowQL
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.data.transitions import Transitions
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.spec import Spec

OBS, ACT, BATCH = 11, 3, 256
"""Sizes of Hopper, and the paper's batch size."""

MANY = 2500
"""Observations at once, as the paper times actions: 50 environments, 50 samples each."""

NETWORK = NetworkConfig(width=256, depth=3)

CUBE_OBS, CUBE_ACT = 37, 5
"""Sizes of OGBench's cube-double."""
ROUNDS = 5


class StepTimer(L.Callback):
    """Records when each batch ends; differences are whole training steps, Lightning included."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *args: object) -> None:
        """Record the time."""
        self.ends.append(time.perf_counter())


def batches(spec: Spec, size: int = 100_000, seed: int = 0) -> Iterator[Transitions]:
    """Endless batches from random transitions of the given sizes."""
    g = torch.Generator().manual_seed(seed)
    obs = torch.randn(size, spec.obs_dim, generator=g)
    act = torch.rand(size, spec.chunk_dim, generator=g) * 2 - 1
    data = Transitions(obs, act, torch.randn(size, generator=g), obs, torch.full((size,), 0.99))
    if spec.chunk > 1:
        data = data._replace(valid=torch.ones(size, spec.chunk, dtype=torch.bool))
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
    spec = random_spec(OBS, ACT)
    recipe = Recipe(ema=0.995, compile=True, seed=seed)
    policies: dict[str, ActorCritic] = {
        "ofql": OFQL(spec, MeanFlow(), network=NETWORK, ema_start=0, recipe=recipe),
        "bfq": OFQL(spec, Bootstrap(), network=NETWORK, ema_start=0, recipe=recipe),
        "fql": FQL(spec, network=NETWORK, recipe=replace(recipe, ema=0.0)),
    }
    return policies | {
        f"dql{n}": DQL(spec, steps=n, network=NETWORK, ema_start=0, recipe=recipe) for n in dql
    }


def random_spec(obs: int, act: int, chunk: int = 1) -> Spec:
    """Sizes without statistics, and actions on [-1, 1]."""
    return Spec(obs, act, (0.0,) * obs, (1.0,) * obs, (-1.0,) * act, (1.0,) * act, chunk=chunk)


def build_chunked(chunk: int, seed: int = 0) -> dict[str, ActorCritic]:
    """Build algorithms with chunks of actions, 10 critics and 4 layers of 512, as on OGBench.

    Args:
        chunk: Number of actions in a chunk.
        seed: Seed of the weights and draws.

    Returns:
        The policies by the names of their figures.
    """
    spec = random_spec(CUBE_OBS, CUBE_ACT, chunk)
    recipe = Recipe(ema=0.995, compile=True, seed=seed)
    critics = CriticConfig(layer_norm=True, members=10, q_agg="mean", rho=0.5)
    common: dict[str, Any] = {
        "network": NetworkConfig(width=512, depth=4),
        "critic_config": critics,
        "recipe": recipe,
    }
    return {
        "fql_chunk": FQL(spec, **common),
        "ofql_chunk": OFQL(spec, MeanFlow(), ema_start=0, **common),
        "meanflow_ql_chunk": MeanFlowQL(spec, **common),
        "dfp_chunk": DFP(spec, **common),
        "dsrl_chunk": DSRL(spec, **common),
        "ifql_chunk": IFQL(spec, **common),
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
        trainer.fit(policy.lightning_module(), batches(policy.spec, seed=policy.recipe.seed))
    return 1e3 * float(median(np.diff(timer.ends)[-steps:]))


def step_gflop(policy: ActorCritic) -> float:
    """Matrix products of a training step, in 10^9 floating-point operations."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        batch = next(batches(policy.spec))
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


def chunk_figures(policies: dict[str, ActorCritic], steps: int, warmup: int) -> dict[str, float]:
    """Milliseconds of a step and of planning one chunk, and both as ratios to those of FQL.

    Args:
        policies: Policies by name; one is ``fql_chunk``. Each acts by its own number of samples.
        steps: Number of steps to time.
        warmup: Number of steps before.

    Returns:
        Times by ``NAME_step_ms`` and ``NAME_plan_ms``, ratios by ``NAME_over_fql_step`` and
        ``NAME_over_fql_plan``.
    """
    one, found = np.zeros(CUBE_OBS, np.float32), dict[str, float]()
    for name, policy in policies.items():
        found[f"{name}_step_ms"] = step_ms(policy, steps, warmup)
        plan = functools.partial(policy.plan, one)
        found[f"{name}_plan_ms"] = median_ms(plan, calls=max(10, steps // policy.steps), warmup=3)
    for name in policies:
        for what in ("step", "plan"):
            ratio = found[f"{name}_{what}_ms"] / found[f"fql_chunk_{what}_ms"]
            found[f"{name}_over_fql_{what}"] = ratio
    return found
