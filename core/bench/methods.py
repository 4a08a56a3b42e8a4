"""Training of every method on toy data at equal compute."""

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


def flow_map_samples(net: nn.Module, noise: Tensor, steps: int) -> Tensor:
    """Sample in steps along the mean velocity.

    Args:
        net: Network to sample from.
        noise: Noise, (b, 2).
        steps: Number of steps.
    """
    return sample(net, noise, steps=steps)


def euler_samples(net: nn.Module, noise: Tensor, steps: int) -> Tensor:
    """Sample with Euler's method on the instantaneous velocity.

    Args:
        net: Network to sample from.
        noise: Noise, (b, 2).
        steps: Number of steps.
    """
    return euler(net, noise, steps=steps)


def consistency_samples(net: nn.Module, noise: Tensor, steps: int) -> Tensor:
    """Sample with multistep consistency sampling.

    Args:
        net: Network to sample from.
        noise: Noise, (b, 2).
        steps: Number of steps.
    """
    return consistency(net, noise, steps=steps, generator=step_generator(1, 4))


@dataclass(frozen=True)
class Method:
    """Training and sampling of one method.

    Attributes:
        objective: Objective with settings for toy data.
        sampler: Function that samples in several steps.
        distills: Whether flow matching is the teacher and its weights are the start. The teacher's
            own training is not counted.
    """

    objective: Objective
    sampler: Callable[[nn.Module, Tensor, int], Tensor] = flow_map_samples
    distills: bool = False


HALF = TimePairs(Uniform(), p_equal=0.5, deployed=(1,), p_deployed=0.1)
TEACHER = "flow matching"
METHODS = {
    TEACHER: Method(FlowMatching(), euler_samples),
    "MeanFlow": Method(MeanFlow(HALF)),
    "improved MeanFlow": Method(ImprovedMeanFlow(HALF)),
    "alphaFlow": Method(AlphaFlow(HALF)),
    "SplitMeanFlow": Method(SplitMeanFlow(HALF)),
    "Shortcut": Method(Shortcut(TimePairs(Uniform(), p_equal=0.5))),
    "iCT": Method(ImprovedConsistencyTraining(), consistency_samples),
    "ECT": Method(EasyConsistencyTuning(), consistency_samples),
    "sCM": Method(ContinuousConsistency(sigma_data=1.0), consistency_samples),
    "SplitMeanFlow, distilled": Method(SplitMeanFlow(HALF), distills=True),
    "CD": Method(ConsistencyDistillation(), consistency_samples, distills=True),
    "CTM": Method(ConsistencyTrajectory(denoise_to="teacher"), distills=True),
    "sCM, distilled": Method(
        ContinuousConsistency(sigma_data=1.0), consistency_samples, distills=True
    ),
    "reflow": Method(Reflow(steps=8, heun=False), distills=True),
    "direct distillation": Method(DirectDistillation(steps=16), consistency_samples, distills=True),
}


@dataclass(frozen=True)
class Outcome:
    """Result of one method on one dataset.

    Attributes:
        distances: Sliced Wasserstein distance to held-out data by number of sampling steps.
        step_ms: Median time of a compiled training step, on one thread beside other workers.
        cost: FLOPs of a step, relative to a flow-matching step.
        steps: Number of gradient steps.
        saved_mib: Memory that one uncompiled step keeps for its backward pass, in MiB.
        weights: Weights of the moving average.
    """

    distances: dict[int, float]
    step_ms: float
    cost: float
    steps: int
    saved_mib: float
    weights: Weights = field(repr=False)


def network(weights: Weights | None = None, width: int = 128, seed: int = 0) -> MLP:
    """Build the network that all methods train."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = MLP(2, width=width, depth=3, time_dim=32)
    if weights is not None:
        net.load_state_dict(weights)
    return net


@contextmanager
def record_saved_bytes(sizes: list[int]) -> Iterator[None]:
    """Record the size in bytes of each tensor that is saved for a backward pass, except weights."""

    def note(x: Tensor) -> Tensor:
        if not isinstance(x if x._base is None else x._base, nn.Parameter):
            sizes.append(x.numel() * x.element_size())
        return x

    with saved_tensors_hooks(note, lambda x: x):
        yield


class ToyRun:
    """A network with a method, ready for training steps."""

    def __init__(
        self, method: Method, teacher: Weights | None = None, width: int = 128, seed: int = 0
    ) -> None:
        self.objective = method.objective
        self.net = network(teacher if method.distills else None, width, seed)
        if method.distills:
            zero_interval_embedding(self.net)
        self.average = frozen_copy(self.net)
        self.teacher = network(teacher).requires_grad_(False) if method.distills else None

    def loss(self, x: Tensor, draw: Draw) -> Tensor:
        """Compute the mean loss of a batch."""
        batch = TrainingBatch(field=self.net, x=x, target=self.average, teacher=self.teacher)
        return self.objective.loss(batch, draw).per_sample.mean()

    def measure_cost(self, x: Tensor) -> tuple[float, float]:
        """Measure FLOPs of a step in the middle of training, and MiB kept for its backward pass."""
        sizes: list[int] = []
        draw = self.objective.draw(x, step_generator(0, 0), 0.4)
        with FlopCounterMode(display=False) as flops:
            with record_saved_bytes(sizes):
                loss = self.loss(x, draw)
            torch.autograd.backward(loss)
        self.net.zero_grad()
        return float(flops.get_total_flops()), sum(sizes) / 2**20


def train(name: str, dataset: str, budget: int, teacher: Weights | None, seed: int = 0) -> Outcome:
    """Train one method on one dataset, on one thread.

    Args:
        name: Name of the method.
        dataset: Name of the dataset.
        budget: Compute, in flow-matching steps.
        teacher: Weights of the teacher, for methods that distill.
        seed: Seed of weights and draws; the held-out data are always the same.

    Returns:
        Result of the run.
    """
    torch.set_num_threads(1)
    torch.compiler.reset()  # otherwise earlier methods of this worker count as recompilations
    method, draws = METHODS[name], SETS[dataset]
    run = ToyRun(method, teacher, seed=seed)
    x = draws(BATCH, step_generator(seed, 0))
    flops, saved = run.measure_cost(x)
    cost = flops / ToyRun(METHODS[TEACHER]).measure_cost(x)[0]
    steps = max(1, round(budget / cost))
    adam = AdamConfig(lr=2e-3, warmup_steps=steps // 20, cosine=True, clip=1.0)
    optimizer = AdamW(run.net.parameters(), lr=adam.lr, weight_decay=0.0, fused=True)
    scheduler = LambdaLR(optimizer, partial(adam.factor, total_steps=steps))
    evaluate, times = compiled(run.loss), []
    for k in range(steps):
        generator, start = step_generator(seed, k), time.perf_counter()
        x = draws(BATCH, generator)
        draw = run.objective.draw(x, generator, k / steps)
        optimizer.zero_grad()
        torch.autograd.backward(evaluate(x, draw))
        adam.clip_(run.net.parameters())
        optimizer.step()
        scheduler.step()
        ema_update(run.average, run.net, min(0.999, (1 + k) / (10 + k)))
        times.append(time.perf_counter() - start)
    ms = 1e3 * torch.tensor(times).median().item()
    found = distances(run.average, method, dataset)
    return Outcome(found, ms, cost, steps, saved, run.average.state_dict())


def distances(net: nn.Module, method: Method, dataset: str) -> dict[int, float]:
    """Compute the sliced Wasserstein distance of samples to held-out data.

    Args:
        net: Network to sample from.
        method: Method with its sampler.
        dataset: Name of the dataset.

    Returns:
        Distance by number of sampling steps.
    """
    held = SETS[dataset](SAMPLES, step_generator(1, 0))
    noise = torch.randn(SAMPLES, 2, generator=step_generator(1, 2))
    found = {}
    for k in (*STEPS, 100) if method is METHODS[TEACHER] else STEPS:
        with torch.no_grad():
            x = method.sampler(net, noise, k)
        found[k] = sliced_wasserstein(x, held, generator=step_generator(1, 3)).item()
    return found
