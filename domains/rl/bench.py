"""``oneleap bench rl``: OFQL's step and action against matrix products and the bare net."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import lightning as L
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from oneleap.core.bench import gemm_peak, median_ms, report
from oneleap.core.objectives import MeanFlow
from oneleap.core.seed import step_generator
from oneleap.domains.rl.dataset import Transitions
from oneleap.domains.rl.ofql import OFQL
from oneleap.domains.rl.task import Spec

OBS, ACT, BATCH = 11, 3, 256  # Hopper's sizes, the paper's batch


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
        rows = torch.randint(size, (BATCH,), generator=step_generator(0, step))
        yield Transitions(*(column[rows] for column in data))
        step += 1


def bench(steps: int = 300, json: Path | None = None) -> None:
    """Time OFQL at batch 256, networks 3x256 and Hopper's sizes.

    Example: oneleap bench rl --json rl.json

    Args:
        steps: Training steps timed, after 50 to warm up and compile.
        json: Also write the figures to this file.
    """
    limit = (-1.0,) * ACT, (1.0,) * ACT
    policy = OFQL(Spec(OBS, ACT, (0.0,) * OBS, (1.0,) * OBS, *limit), MeanFlow())
    timer = StepTimer()
    trainer = L.Trainer(
        max_steps=steps + 50,
        accelerator="cpu",
        callbacks=[timer],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(policy, batches())
    peak = gemm_peak()
    step_ms = 1e3 * median(np.diff(timer.ends)[50:])
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        batch = next(batches())
        policy.gradients(batch, policy.draw(batch, torch.Generator()))
    gflop = counter.get_total_flops() / 1e9
    obs = np.zeros(OBS, np.float32)
    z, s, t = torch.zeros(1, ACT), torch.zeros(1, OBS), torch.ones(1)
    with torch.inference_mode():
        net_ms = median_ms(lambda: policy.average(z, t, t, s), calls=2000)
    act_ms = median_ms(lambda: policy.act(obs), calls=2000)
    figures = {
        "gemm_gflops": peak,
        "ofql_step_gflop": gflop,
        "ofql_step_ms": step_ms,
        "ofql_step_over_gemm": step_ms / (1e3 * gflop / peak),
        "net_ms": net_ms,
        "ofql_action_ms": act_ms,
        "ofql_action_over_net": act_ms / net_ms,
    }
    report(f"OFQL on {torch.get_num_threads()} threads, torch {torch.__version__}", figures, json)
