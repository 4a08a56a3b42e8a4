"""Two moons in one step: flow matching beside three ways to learn an average velocity."""

import argparse
import time
from pathlib import Path

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from oneleap.core.bench.distance import sliced_wasserstein
from oneleap.core.files import atomic_write
from oneleap.core.nets import MLP
from oneleap.core.objectives import FlowMatching, MeanFlow, SplitMeanFlow
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.sampling.ode import euler, sample
from oneleap.core.training.compile import compiled
from oneleap.core.training.ema import ema_update, frozen_copy
from oneleap.core.training.optim import AdamConfig, build_optimizer
from oneleap.core.training.seed import step_generator
from oneleap.core.types import Draw, Objective, TrainingBatch

HALF = TimePairs(Uniform(), p_equal=0.5)
METHODS = {  # how it is trained, how it is sampled, and whether flow matching is its teacher
    "flow matching": (FlowMatching(), euler, False),
    "MeanFlow": (MeanFlow(HALF), sample, False),
    "SplitMeanFlow": (SplitMeanFlow(HALF), sample, False),
    "SplitMeanFlow, distilled": (SplitMeanFlow(HALF), sample, True),
}
STEPS = (1, 2, 4, 100)


def moons(n: int, generator: torch.Generator) -> Tensor:
    """Two interleaved half circles of radius 1 with noise 0.05: (n, 2)."""
    angle = torch.pi * torch.rand(n, generator=generator)
    side = 1.0 - 2.0 * (torch.arange(n) % 2)
    x = torch.stack([side * (angle.cos() - 0.5), side * (angle.sin() - 0.25)], dim=1)
    return x + 0.05 * torch.randn(n, 2, generator=generator)


def train(name: str, objective: Objective, steps: int, teacher: nn.Module | None) -> nn.Module:
    """Train a small network; the moving average of its weights is returned."""
    torch.manual_seed(0)
    net = MLP(2, width=64, time_dim=32)
    average = frozen_copy(net)
    adam = AdamConfig(lr=0.02, warmup_steps=steps // 20, cosine=True)
    built = build_optimizer((adam, net.parameters()), total_steps=steps)
    optimizer, scheduler = built["optimizer"], built["lr_scheduler"]["scheduler"]

    def loss(x: Tensor, draw: Draw) -> Tensor:
        bound = TrainingBatch(field=net, x=x, target=average, teacher=teacher)
        return objective.loss(bound, draw).per_sample.mean()

    evaluate = compiled(loss) if steps > 100 else loss
    for k in track(range(steps), name.ljust(22), console=Console(stderr=True)):
        generator = step_generator(seed=0, step=k)
        x = moons(512, generator)
        optimizer.zero_grad()
        evaluate(x, objective.draw(x, generator)).backward()
        optimizer.step()
        scheduler.step()
        ema_update(average, net, 0.95)
    return average


def main(out: Path, steps: int) -> None:
    """Train all four, print how far their samples are from data, and draw samples over data."""
    torch.set_num_threads(1)  # more would wait for each other: the network is small
    held, more = moons(10_000, step_generator(1, 0)), moons(10_000, step_generator(1, 1))
    noise = torch.randn(10_000, 2, generator=step_generator(1, 2))
    floor = f"{sliced_wasserstein(more, held, generator=step_generator(1, 3)):.3f}"
    table = Table("distance to data", "training", *(f"{k} steps" for k in STEPS))
    figure, nets = Figure(figsize=(11, 7.4), layout="constrained"), list[nn.Module]()
    for row, (name, (objective, sampler, teacher_field)) in enumerate(METHODS.items()):
        start = time.perf_counter()
        nets.append(train(name, objective, steps, nets[0] if teacher_field else None))
        cells = [f"{time.perf_counter() - start:.0f} s"]
        for column, k in enumerate(STEPS):
            with torch.no_grad():
                x = sampler(nets[-1], noise, steps=k)
            cells.append(f"{sliced_wasserstein(x, held, generator=step_generator(1, 3)):.3f}")
            panel = figure.add_subplot(4, 4, 4 * row + column + 1, xlim=(-2, 2), ylim=(-1.1, 1.1))
            panel.set(title=f"{name}, {k}: {cells[-1]}", xticks=[], yticks=[])
            panel.scatter(*held.T, s=0.5, color="0.8")
            panel.scatter(*x[:4000].T, s=0.5, c=noise[:4000, 0], cmap="viridis")
        table.add_row(name, *cells)
    with atomic_write(out) as path:
        figure.savefig(path, dpi=110)
    table.add_row("other data", "", *[floor] * len(STEPS))
    Console().print(table, f"wrote {out}; a policy by the same objectives: oneleap demo", sep="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("two_moons.png"), help="the picture")
    parser.add_argument("--fast", action="store_true", help="train too little, in seconds")
    args = parser.parse_args()
    main(args.out, steps=20 if args.fast else 3000)
