"""Every method on toy data at equal compute: how it is trained there, and what comes of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.flop_counter import FlopCounterMode

from oneleap.core.bench.distance import sliced_wasserstein
from oneleap.core.bench.toy import SETS
from oneleap.core.nets import MLP
from oneleap.core.nets.embed import zero_interval_embedding
from oneleap.core.objectives import (
    AlphaFlow,
    ConsistencyDistillation,
    ConsistencyTrajectory,
    ContinuousConsistency,
    DirectDistillation,
    EasyConsistencyTuning,
    FlowMatching,
    ImprovedConsistencyTraining,
    ImprovedMeanFlow,
    MeanFlow,
    Reflow,
    Shortcut,
    SplitMeanFlow,
)
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.sampling.consistency import consistency
from oneleap.core.sampling.ode import euler, sample
from oneleap.core.training.compile import compiled
from oneleap.core.training.ema import ema_update, frozen_copy
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.seed import step_generator
from oneleap.core.types import Draw, Objective, TrainingBatch

STEPS, BATCH, SAMPLES = (1, 2, 4), 512, 10_000
Weights = dict[str, Tensor]


def jumps(net: nn.Module, noise: Tensor, steps: int) -> Tensor:
    """Leaps of a mean velocity."""
    return sample(net, noise, steps=steps)


def ode(net: nn.Module, noise: Tensor, steps: int) -> Tensor:
    """Euler's steps of an instantaneous velocity."""
    return euler(net, noise, steps=steps)


def renoised(net: nn.Module, noise: Tensor, steps: int) -> Tensor:
    """Jumps to the data and back to less noise."""
    return consistency(net, noise, steps=steps, generator=step_generator(1, 4))


@dataclass(frozen=True)
class Method:
    """How one method is trained and sampled.

    Attributes:
        objective: With settings for the plane.
        sampler: How one takes several steps.
        taught: Starts from flow matching's weights and has it as its teacher, whose own training
            is not counted.
    """

    objective: Objective
    sampler: Callable[[nn.Module, Tensor, int], Tensor] = jumps
    teacher_field: bool = False


HALF = TimePairs(Uniform(), p_equal=0.5, deployed=(1,), p_deployed=0.1)
TEACHER = "flow matching"
METHODS = {
    TEACHER: Method(FlowMatching(), ode),
    "MeanFlow": Method(MeanFlow(HALF)),
    "improved MeanFlow": Method(ImprovedMeanFlow(HALF)),
    "alphaFlow": Method(AlphaFlow(HALF)),
    "SplitMeanFlow": Method(SplitMeanFlow(HALF)),
    "Shortcut": Method(Shortcut(TimePairs(Uniform(), p_equal=0.5))),
    "iCT": Method(ImprovedConsistencyTraining(), renoised),
    "ECT": Method(EasyConsistencyTuning(), renoised),
    "sCM": Method(ContinuousConsistency(sigma_data=1.0), renoised),
    "SplitMeanFlow, taught": Method(SplitMeanFlow(HALF), teacher_field=True),
    "CD, taught": Method(ConsistencyDistillation(), renoised, teacher_field=True),
    "CTM, taught": Method(ConsistencyTrajectory(), teacher_field=True),
    "sCM, taught": Method(ContinuousConsistency(sigma_data=1.0), renoised, teacher_field=True),
    "reflow, taught": Method(Reflow(steps=8, heun=False), teacher_field=True),
    "distillation, taught": Method(DirectDistillation(steps=16), renoised, teacher_field=True),
}


@dataclass(frozen=True)
class Outcome:
    """One method on one set.

    Attributes:
        distances: Sliced Wasserstein to held-out data by number of steps.
        step_ms: Median time of a compiled training step, on one thread beside other workers.
        cost: FLOPs of a step in units of a flow-matching step's.
        steps: Gradient steps taken.
        saved_mib: What one uncompiled step keeps for its backward pass.
        weights: Of the trained average.
    """

    distances: dict[int, float]
    step_ms: float
    cost: float
    steps: int
    saved_mib: float
    weights: Weights = field(repr=False)


def network(weights: Weights | None = None, width: int = 128) -> MLP:
    """The network that all methods train."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = MLP(2, width=width, depth=3, time_dim=32)
    if weights is not None:
        net.load_state_dict(weights)
    return net


@contextmanager
def counted(sizes: list[int]) -> Iterator[None]:
    """Note the bytes of each tensor that is saved for a backward pass, weights left out."""

    def note(x: Tensor) -> Tensor:
        if not isinstance(x if x._base is None else x._base, nn.Parameter):
            sizes.append(x.numel() * x.element_size())
        return x

    with saved_tensors_hooks(note, lambda x: x):
        yield


class Trial:
    """A network under a method, ready to be stepped."""

    def __init__(self, method: Method, teacher: Weights | None = None, width: int = 128) -> None:
        self.objective = method.objective
        self.net = network(teacher if method.teacher_field else None, width)
        if method.teacher_field:
            zero_interval_embedding(self.net)
        self.average = frozen_copy(self.net)
        self.teacher = network(teacher).requires_grad_(False) if method.teacher_field else None

    def loss(self, x: Tensor, draw: Draw) -> Tensor:
        """Mean over the batch."""
        batch = TrainingBatch(field=self.net, x=x, target=self.average, teacher=self.teacher)
        return self.objective.loss(batch, draw).per_sample.mean()

    def price(self, x: Tensor) -> tuple[float, float]:
        """FLOPs of a step in the middle of training, and MiB kept for its backward pass."""
        sizes: list[int] = []
        draw = self.objective.draw(x, step_generator(0, 0), 0.4)
        with FlopCounterMode(display=False) as flops:
            with counted(sizes):
                loss = self.loss(x, draw)
            torch.autograd.backward(loss)
        self.net.zero_grad()
        return float(flops.get_total_flops()), sum(sizes) / 2**20


def train(name: str, where: str, budget: int, teacher: Weights | None) -> Outcome:
    """One method on one set, on one thread, for the compute of ``budget`` flow-matching steps."""
    torch.set_num_threads(1)
    torch.compiler.reset()  # a worker's earlier methods count as compilations of this one
    method, draws = METHODS[name], SETS[where]
    trial = Trial(method, teacher)
    x = draws(BATCH, step_generator(0, 0))
    flops, saved = trial.price(x)
    cost = flops / Trial(METHODS[TEACHER]).price(x)[0]
    steps = max(1, round(budget / cost))
    adam = AdamConfig(lr=2e-3, warmup_steps=steps // 20, cosine=True, clip=1.0)
    optimizer = AdamW(trial.net.parameters(), lr=adam.lr, weight_decay=0.0, fused=True)
    scheduler = LambdaLR(optimizer, partial(adam.factor, total_steps=steps))
    evaluate, times = compiled(trial.loss), []
    for k in range(steps):
        generator, start = step_generator(0, k), time.perf_counter()
        x = draws(BATCH, generator)
        draw = trial.objective.draw(x, generator, k / steps)
        optimizer.zero_grad()
        torch.autograd.backward(evaluate(x, draw))
        adam.clip_(trial.net.parameters())
        optimizer.step()
        scheduler.step()
        ema_update(trial.average, trial.net, min(0.999, (1 + k) / (10 + k)))
        times.append(time.perf_counter() - start)
    ms = 1e3 * torch.tensor(times).median().item()
    found = distances(trial.average, method, where)
    return Outcome(found, ms, cost, steps, saved, trial.average.state_dict())


def distances(net: nn.Module, method: Method, where: str) -> dict[int, float]:
    """Sliced Wasserstein distance of samples to held-out data, by number of steps."""
    held = SETS[where](SAMPLES, step_generator(1, 0))
    noise = torch.randn(SAMPLES, 2, generator=step_generator(1, 2))
    found = {}
    for k in (*STEPS, 100) if method is METHODS[TEACHER] else STEPS:
        with torch.no_grad():
            x = method.sampler(net, noise, k)
        found[k] = sliced_wasserstein(x, held, generator=step_generator(1, 3)).item()
    return found
