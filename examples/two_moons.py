"""Two moons in one step: flow matching beside three ways to learn an average velocity."""

import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from oneleap.core.compile import compiled
from oneleap.core.distance import sliced_wasserstein
from oneleap.core.ema import ema_update, frozen_copy
from oneleap.core.nets import MLP
from oneleap.core.objectives import FlowMatching, MeanFlow, SplitMeanFlow
from oneleap.core.optim import Adam, build_optimizer
from oneleap.core.sampling import euler, sample
from oneleap.core.seed import step_generator
from oneleap.core.times import TimePairs, Uniform
from oneleap.core.types import Bound, Draw, Objective

HALF = TimePairs(Uniform(), p_equal=0.5)
METHODS = {  # how it is trained, how it is sampled, and whether flow matching is its teacher
    "flow matching": (FlowMatching(), euler, False),
    "MeanFlow": (MeanFlow(HALF), sample, False),
    "SplitMeanFlow": (SplitMeanFlow(HALF), sample, False),
    "SplitMeanFlow, taught": (SplitMeanFlow(HALF), sample, True),
}
SHOWN = (1, 2, 4, 100)


def moons(n: int, generator: torch.Generator) -> Tensor:
    """Two interleaved half circles of radius 1 with noise 0.05: (n, 2)."""
    angle = torch.pi * torch.rand(n, generator=generator)
    side = 1.0 - 2.0 * (torch.arange(n) % 2)
    x = torch.stack([side * (angle.cos() - 0.5), side * (angle.sin() - 0.25)], dim=1)
    return x + 0.05 * torch.randn(n, 2, generator=generator)


def train(name: str, objective: Objective, steps: int, teacher: nn.Module | None) -> nn.Module:
    """Train a small network from its first weight; returns the moving average."""
    torch.manual_seed(0)
    net = MLP(2, width=64, time_dim=32)
    average = frozen_copy(net)
    adam = Adam(lr=5e-3, warmup_steps=steps // 20, cosine=True)
    built = build_optimizer((adam, net.parameters()), total_steps=steps)
    optimizer, scheduler = built["optimizer"], built["lr_scheduler"]["scheduler"]

    def loss(x: Tensor, draw: Draw) -> Tensor:
        bound = Bound(field=net, x=x, target=average, teacher=teacher)
        return objective.loss(bound, draw).per_sample.mean()

    loss = compiled(loss) if steps > 100 else loss
    for k in track(range(steps), name, console=Console(stderr=True)):
        generator = step_generator(seed=0, step=k)
        x = moons(512, generator)
        loss(x, objective.draw(x, generator)).backward()
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        ema_update(average, net, 0.98)
    return average


def main(out: Path, steps: int, n: int = 10_000) -> None:
    """Train all four, print their distances to the data, and draw what they generate."""
    held = moons(n, step_generator(1, 0))
    noise = torch.randn(n, 2, generator=step_generator(1, 2))
    table = Table("sliced Wasserstein distance to data", *map(str, SHOWN), "training")
    _, axes = plt.subplots(4, 4, figsize=(10, 9), sharex=True, sharey=True, layout="tight")
    nets: list[nn.Module] = []
    for (name, (objective, sampler, taught)), row in zip(METHODS.items(), axes, strict=True):
        start = time.perf_counter()
        nets.append(train(name, objective, steps, nets[0] if taught else None))
        seconds, distances = time.perf_counter() - start, []
        for k, panel in zip(SHOWN, row, strict=True):
            with torch.no_grad():
                x = sampler(nets[-1], noise, steps=k)
            distances.append(f"{sliced_wasserstein(x, held, generator=step_generator(1, 3)):.3f}")
            panel.scatter(*held.T, s=1, c="0.85", lw=0)
            panel.scatter(*x.T, s=1, c=noise[:, 0], cmap="viridis", lw=0)
        table.add_row(name, *distances, f"{seconds:.0f} s")
