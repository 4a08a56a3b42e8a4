"""Training of every method on toy data at equal compute."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.flop_counter import FlopCounterMode

from oneleap.core.bench.distance import directions, projected
from oneleap.core.bench.methods import METHODS, STUDENT, TEACHER, Method
from oneleap.core.bench.toy import SETS
from oneleap.core.fields.flow_map import teacher_pairs
from oneleap.core.losses.hooks import RecordsActivations
from oneleap.core.nets import MLP
from oneleap.core.nets.beside.judges import JudgePool
from oneleap.core.nets.beside.second import SecondModules
from oneleap.core.nets.embed import zero_interval_embedding
from oneleap.core.nets.low_rank import load_plain
from oneleap.core.objectives import Coupled, StoredPairs
from oneleap.core.objectives.matching.base import Matching
from oneleap.core.training.compile import compiled
from oneleap.core.training.ema import ema_update, frozen_copy, frozen_view
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.seed import step_generator
from oneleap.core.types import Draw, Field, SecondNetworks, TrainingBatch

STEPS, BATCH, SAMPLES = (1, 2, 4), 512, 10_000
PROJECTIONS = 256
STORED, SOLVER = 64, 8
"""Batches of stored pairs, and Heun's steps that make them; a step costs two of the three passes
that a training step costs."""

LR, STUDENT_LR = 2e-3, 1e-4
"""Learning rates: of most methods, and of generators that start as a trained one-step student."""

Weights = dict[str, Tensor]
NOTHING: Mapping[str, Weights] = MappingProxyType({})
"""No weights, in place of those of the teacher and the student."""


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
        errors: Standard error of each distance over seeds; empty for a single one.
    """

    distances: dict[int, float]
    step_ms: float
    cost: float
    steps: int
    saved_mib: float
    weights: Weights = field(repr=False)
    errors: dict[int, float] = field(default_factory=dict)


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
    """A network with a method, ready for training steps.

    Args:
        method: Method.
        known: Weights of :data:`TEACHER` and :data:`STUDENT`, for methods that use them.
        width: Width of the network.
        seed: Seed of the weights.
    """

    def __init__(
        self,
        method: Method,
        known: Mapping[str, Weights] = NOTHING,
        width: int = 128,
        seed: int = 0,
    ) -> None:
        self.objective = method.objective
        self.teacher: MLP | None = None
        self.net = network(None, width, seed)
        if method.distills:
            self.teacher = network(known.get(TEACHER), width).requires_grad_(False)
            start = STUDENT if method.from_student else TEACHER
            self.net = network(known.get(start), width, seed)
            if not method.from_student:
                zero_interval_embedding(self.net)
        self.average = frozen_copy(self.net)
        if isinstance(self.objective, RecordsActivations):
            self.objective.record_activations(self.net)
        self.pairs: list[tuple[Tensor, Tensor]] = []
        self.second: SecondModules | None = None
        if isinstance(self.objective, Matching):
            self.second = self._second(self.objective, seed)

    def _second(self, objective: Matching, seed: int) -> SecondModules:
        """Build the second networks, which start as the teacher."""
        assert self.teacher is not None
        pool = None if objective.pool is None else JudgePool(*objective.pool, seed=seed)
        second = SecondModules(
            self.net,
            judged=objective.judged,
            rank=objective.fake_rank,
            pool=pool,
            kept=objective.kept,
            view=frozen_view,
        )
        objective.attend(second.fake)
        for net in second.nets:
            load_plain(net, self.teacher.state_dict())
        second.settle()
        return second

    @property
    def trained(self) -> list[nn.Module]:
        """Networks with an optimizer."""
        return [self.net, *([] if self.second is None else self.second.trained)]

    def restart(self, other: "ToyRun") -> None:
        """Take the weights of another run of this method; what was compiled for this run stays.

        Args:
            other: Run that has not begun.
        """
        self.pairs = []
        for own, new in zip(self._networks(), other._networks(), strict=True):
            own.load_state_dict(new.state_dict())
        if self.second is not None:
            self.second.teaching = None
        for net in self.trained:
            net.zero_grad(set_to_none=True)

    def _networks(self) -> list[nn.Module]:
        """List everything with weights."""
        found = (self.net, self.average, self.teacher, self.second)
        return [net for net in found if net is not None]

    def draw(self, x: Tensor, generator: torch.Generator, step: int, progress: float) -> Draw:
        """Draw the randomness of a step.

        Args:
            x: Data, (b, 2).
            generator: Source of randomness.
            step: Number of the step.
            progress: Share of the run that is done.
        """
        draw = self.objective.draw(x, generator, progress)
        if isinstance(self.objective, Matching):
            return self.objective.turn(draw, step, progress)
        if isinstance(self.objective, Coupled):
            return self.objective.pair(TrainingBatch(field=self.net, x=x), draw)
        if isinstance(self.objective, StoredPairs):
            self.store_pairs(x)
            e, data = self.pairs[step % len(self.pairs)]
            return replace(draw, e=e, x=data)
        return draw

    def store_pairs(self, like: Tensor) -> None:
        """Let the teacher make the stored pairs, unless there are some or none are wanted.

        Args:
            like: Data of a batch, (b, 2).
        """
        if self.pairs or not isinstance(self.objective, StoredPairs):
            return
        assert self.teacher is not None
        for k in range(STORED):
            e = torch.randn(like.shape, generator=step_generator(k, 12))
            self.pairs.append(teacher_pairs(self.teacher, e, steps=SOLVER))

    @property
    def beforehand(self) -> float:
        """Compute before training, in flow-matching steps: what makes the stored pairs."""
        return STORED * SOLVER * 2 / 3 if isinstance(self.objective, StoredPairs) else 0.0

    def loss(self, x: Tensor, draw: Draw) -> Tensor:
        """Compute the mean loss of a batch."""
        second: SecondNetworks | None = None
        teacher: Field | None = self.teacher
        if self.second is not None:
            second = self.second.fields(lambda net: net)
            past = self.second.teacher(lambda net: net)
            teacher = teacher if past is None else past
        batch = TrainingBatch(
            field=self.net, x=x, target=self.average, teacher=teacher, second=second
        )
        return self.objective.loss(batch, draw).per_sample.mean()

    def measure_cost(self, x: Tensor) -> tuple[float, float]:
        """Measure FLOPs of a step in the middle of training, and MiB kept for its backward pass.

        They are the mean over a turn, if the generator rests in some steps.
        """
        turn = self.objective.ratio if isinstance(self.objective, Matching) else 1
        self.store_pairs(x)  # counted apart, see `beforehand`
        sizes: list[int] = []
        with FlopCounterMode(display=False) as flops:
            for step in range(turn):
                draw = self.draw(x, step_generator(0, 0), step, 0.4)
                with record_saved_bytes(sizes):
                    loss = self.loss(x, draw)
                torch.autograd.backward(loss)
        for net in self.trained:
            net.zero_grad()
        return float(flops.get_total_flops()) / turn, sum(sizes) / turn / 2**20

    def step_averages(self, step: int, progress: float, before: float) -> None:
        """Update the moving average, and what the second networks keep or renew, after a step.

        Args:
            step: Number of the step.
            progress: Share of the run that is done after it.
            before: Share that was done before it.
        """
        objective = self.objective
        count = step
        if isinstance(objective, Matching) and self.second is not None:
            if self.second.pool is not None:
                chance = step_generator(0, step, 11)
                self.second.pool.renew(self.second.pool.due(objective.refresh, chance), chance)
            for index in range(objective.copies(before), objective.copies(progress)):
                self.second.keep(index)
            self.second.teaching = objective.taught_by(progress)
            if not objective.generates(step, before):
                return
            count = step // objective.ratio
        ema_update(self.average, self.net, min(0.999, (1 + count) / (10 + count)))


@lru_cache(maxsize=1)
def prepared(name: str, compile_loss: bool) -> tuple[ToyRun, Callable[[Tensor, Draw], Tensor]]:
    """Build a run and its loss, which all datasets and seeds of a method share in one process.

    Args:
        name: Name of the method.
        compile_loss: Whether to compile the loss.
    """
    torch.compiler.reset()  # otherwise earlier methods of this process count as recompilations
    run = ToyRun(METHODS[name])
    return run, compiled(run.loss) if compile_loss else run.loss


def train(
    name: str,
    dataset: str,
    budget: int,
    known: Mapping[str, Weights] = NOTHING,
    seed: int = 0,
    compile_loss: bool = True,
    batch: int = BATCH,
) -> Outcome:
    """Train one method on one dataset, on one thread.

    Args:
        name: Name of the method.
        dataset: Name of the dataset.
        budget: Compute, in flow-matching steps.
        known: Weights of :data:`TEACHER` and :data:`STUDENT`, for methods that use them.
        seed: Seed of weights and draws; the held-out data are always the same.
        compile_loss: Whether to compile the loss; short runs are faster without.
        batch: Rows of a batch.

    Returns:
        Result of the run.
    """
    torch.set_num_threads(1)
    method, draws = METHODS[name], SETS[dataset]
    run, evaluate = prepared(name, compile_loss)
    run.restart(ToyRun(method, known, seed=seed))
    x = draws(batch, step_generator(seed, 0))
    flops, saved = run.measure_cost(x)
    cost = flops / ToyRun(METHODS[TEACHER]).measure_cost(x)[0]
    steps = max(1, round((method.compute * budget - run.beforehand) / cost))
    lr = STUDENT_LR if method.from_student else LR  # the former starts from a trained generator
    adam = AdamConfig(
        lr=lr if method.lr is None else method.lr, warmup_steps=steps // 20, cosine=True, clip=1.0
    )
    optimizer, scheduler = optimizers(run, adam, steps)
    times = []
    for k in range(steps):
        generator, start = step_generator(seed, k), time.perf_counter()
        x = draws(batch, generator)
        draw = run.draw(x, generator, k, k / steps)
        optimizer.zero_grad()
        torch.autograd.backward(evaluate(x, draw))
        for net in run.trained:
            adam.clip_(net.parameters())
        optimizer.step()
        scheduler.step()
        run.step_averages(k, (k + 1) / steps, k / steps)
        times.append(time.perf_counter() - start)
    ms = 1e3 * torch.tensor(times).median().item()
    found = distances(run.average, method, dataset)
    weights = {key: weight.clone() for key, weight in run.average.state_dict().items()}
    return Outcome(found, ms, cost, steps, saved, weights)


def optimizers(run: ToyRun, adam: AdamConfig, steps: int) -> tuple[AdamW, LambdaLR]:
    """Make the optimizer and its schedule; second networks have their own learning rate.

    Args:
        run: Run whose networks train.
        adam: Settings of the generator.
        steps: Number of steps of the run.
    """
    objective = run.objective
    factor = objective.fake_lr if isinstance(objective, Matching) else 1.0
    groups = [
        {"params": list(net.parameters()), "lr": adam.lr * (1.0 if net is run.net else factor)}
        for net in run.trained
    ]
    optimizer = AdamW(groups, weight_decay=0.0, fused=True)
    return optimizer, LambdaLR(optimizer, partial(adam.factor, total_steps=steps))


@lru_cache
def held_out(dataset: str) -> tuple[Tensor, Tensor]:
    """Directions, and sorted projections of the held-out data on them.

    Args:
        dataset: Name of the dataset.
    """
    held = SETS[dataset](SAMPLES, step_generator(1, 0))
    along = directions(held, PROJECTIONS, step_generator(1, 3))
    return along, projected(held, along)


def distances(net: nn.Module, method: Method, dataset: str) -> dict[int, float]:
    """Compute the sliced Wasserstein distance of samples to held-out data.

    Args:
        net: Network to sample from.
        method: Method with its sampler.
        dataset: Name of the dataset.

    Returns:
        Distance by number of sampling steps.
    """
    along, held = held_out(dataset)
    noise = torch.randn(SAMPLES, 2, generator=step_generator(1, 2))
    found = {}
    for k in (*STEPS, 100) if method is METHODS[TEACHER] else STEPS:
        with torch.no_grad():
            x = method.sampler(net, noise, k)
        found[k] = (projected(x, along) - held).square().mean().sqrt().item()
    return found
