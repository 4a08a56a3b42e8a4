"""Steering a frozen generator by its noise (DITTO, arXiv 2401.12179; DITTO-2, arXiv 2405.20289)."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.base import Control, Weighted, weighted

Decode = Callable[[Tensor], Tensor]
"""Noise (b, mels, n) to normalised spectrograms (b, mels, n); differentiable, each row alone."""

Progress = Callable[[int, Mapping[str, Tensor]], None]
"""Called after each step with the number of steps and each control's metric, (b,)."""


@dataclass(frozen=True, eq=False)
class Result:
    """What was found.

    Attributes:
        noise: The best noise of each row.
        mel: What the decoder makes of it.
        metrics: Of each control, by name.
        history: Losses of each control after each number of steps, by name, (steps + 1, b).
        steps: After which each row was at its best.
        reached: Rows for which every control stopped.
        seconds: How long it took.
    """

    noise: Float[Tensor, "b mels n"]
    mel: Float[Tensor, "b mels n"]
    metrics: dict[str, Float[Tensor, "b"]]
    history: dict[str, Float[Tensor, "k b"]]
    steps: Tensor
    reached: Bool[Tensor, "b"]
    seconds: float


@dataclass
class LatentAdam:
    """Adam on one tensor, each row alone: a row that is left out keeps its state.

    Attributes:
        lr: Learning rate.
        first: Mean gradient.
        second: Mean square gradient.
        count: Steps of each row.
    """

    lr: float
    first: Tensor
    second: Tensor
    count: Tensor
    betas: tuple[float, float] = (0.9, 0.999)

    @classmethod
    def of(cls, x: Tensor, lr: float) -> "LatentAdam":
        """Fresh, for a tensor like ``x``."""
        return cls(lr, torch.zeros_like(x), torch.zeros_like(x), x.new_zeros(len(x), 1, 1))

    def step(self, x: Tensor, gradient: Tensor, moving: Bool[Tensor, "b"]) -> Tensor:
        """``x`` after a step of the rows that move."""
        on = moving.view(-1, 1, 1)
        a, b = self.betas
        self.count = self.count + on
        self.first = torch.where(on, a * self.first + (1 - a) * gradient, self.first)
        self.second = torch.where(on, b * self.second + (1 - b) * gradient.square(), self.second)
        first = self.first / (1 - a ** self.count.clamp(min=1))
        second = self.second / (1 - b ** self.count.clamp(min=1))
        return torch.where(on, x - self.lr * first / (second.sqrt() + 1e-8), x)


def off_sphere(noise: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
    """``(|x|^2 / d - 1)^2``: how far noise is from where normal noise of so many numbers lies."""
    return (noise.square().mean((1, 2)) - 1).square()


def optimize_noise(
    decode: Decode,
    controls: Sequence[Control | Weighted],
    noise: Float[Tensor, "b mels n"],
    *,
    steps: int = 70,
    lr: float = 0.02,
    prior: float = 1.0,
    patience: int | None = None,
    candidates: int = 1,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> Result:
    """``argmin_e L(f(decode(e)), y)``, DITTO's Eq. (1), by Adam, each row of the batch alone.

    ``L`` is the sum of the controls' losses over their scales, weighted. A control that has
    reached its stop in a row is left out there until it is lost again; a row is done when all
    have, or when its loss has not fallen for ``patience`` steps. The best noise of each row is
    kept, by the number of controls reached and then by ``L``; one whose gradient is no number stays
    where it is. Nothing is added to the paper but
    ``prior (|e|^2 / d - 1)^2``, without which long runs leave the sphere the model was trained on.

    Cost: a forward and a backward pass of the decoder a step, a forward pass for each further
    candidate.

    Args:
        decode: The frozen generator.
        controls: What is asked for.
        noise: Where to start, (b, mels, n): drawn, or another result's, which is a warm start.
        steps: Of Adam, at most.
        lr: Its learning rate. DITTO's own is not known for certain, and small; 0.1 is too much.
        prior: Weight of the noise's norm.
        patience: Steps without a lower loss after which a row is given up; ``None`` is never.
        candidates: Draws for each row, ``noise`` being the first, of which the best is the start.
        generator: Of the further candidates.
        progress: Called after each step.

    Raises:
        InputError: If a setting is out of range, or the decoder makes no numbers.
    """
    if steps < 0 or candidates < 1 or not lr > 0:
        raise InputError(
            f"steps from 0, candidates from 1, lr above 0: not {steps}, {candidates}, {lr:g}"
        )
    start, asked = time.perf_counter(), weighted(controls)
    e = _best_draw(decode, asked, noise.detach(), candidates, generator)
    adam, best = LatentAdam.of(e, lr), _Best(e)
    history = dict[str, list[Tensor]]()
    for k in range(steps + 1):
        x = e.requires_grad_(True)
        mel = decode(x)
        total, metrics, reached = _judge(asked, mel, history)
        best.offer(k, e, mel, total, metrics, reached)
        if progress is not None:
            progress(k, metrics)
        moving = ~best.reached
        if patience is not None:
            moving = moving & (k - best.lowered < patience)
        if k == steps or not bool(moving.any()):
            break
        loss = total + prior * off_sphere(x)
        (gradient,) = torch.autograd.grad(loss.sum(), x)
        finite = gradient.isfinite().flatten(1).all(1)
        if not bool(finite.any()):
            raise InputError(f"step {k}: the loss is no number: a smaller lr than {lr:g}?")
        e = adam.step(e.detach(), gradient.nan_to_num(0, 0, 0), moving & finite)
    took = time.perf_counter() - start
    curves = {name: torch.stack(losses) for name, losses in history.items()}
    return Result(best.noise, best.mel, best.metrics, curves, best.step, best.reached, took)


def _judge(
    asked: Sequence[Weighted], mel: Tensor, history: dict[str, list[Tensor]]
) -> tuple[Tensor, dict[str, Tensor], Bool[Tensor, "c b"]]:
    """Sum of the losses that still count, metrics, and which controls are reached."""
    total, metrics, reached = mel.new_zeros(len(mel)), dict[str, Tensor](), []
    for k, (control, weight) in enumerate(asked):
        name = control.name if control.name not in metrics else f"{control.name} {k + 1}"
        loss = control.loss(mel)
        history.setdefault(name, []).append(loss.detach())
        with torch.no_grad():
            metrics[name] = control.metric(mel)
        reached.append(control.reached(metrics[name]))
        total = total + torch.where(reached[-1], 0.0, weight / control.scale * loss)
    return total, metrics, torch.stack(reached)


class _Best:
    """The best of each row so far.

    Args:
        noise: The start.
    """

    def __init__(self, noise: Tensor) -> None:
        b = len(noise)
        self.noise, self.mel = noise.detach().clone(), torch.empty_like(noise)
        self.metrics = dict[str, Tensor]()
        self.step = torch.zeros(b, dtype=torch.long, device=noise.device)
        self.lowered = self.step.clone()
        self.count = torch.full_like(self.step, -1)
        self.loss = noise.new_full((b,), torch.inf)
        self.reached = torch.zeros(b, dtype=torch.bool, device=noise.device)

    def offer(
        self,
        k: int,
        noise: Tensor,
        mel: Tensor,
        loss: Tensor,
        metrics: dict[str, Tensor],
        reached: Bool[Tensor, "c b"],
    ) -> None:
        """Take the rows that are better; one that has all controls keeps what it has."""
        loss, count = loss.detach(), reached.sum(0)
        more = (count > self.count) | ((count == self.count) & (loss < self.loss))
        better = more & ~self.reached
        on = better.view(-1, 1, 1)
        if k == 0:
            self.mel = mel.detach().clone()
        self.noise = torch.where(on, noise.detach(), self.noise)
        self.mel = torch.where(on, mel.detach(), self.mel)
        for name, value in metrics.items():
            self.metrics[name] = torch.where(better, value, self.metrics.get(name, value))
        now = torch.full_like(self.step, k)
        self.step = torch.where(better, now, self.step)
        self.lowered = torch.where(better, now, self.lowered)
        self.count = torch.where(better, count, self.count)
        self.loss = torch.where(better, loss, self.loss)
        self.reached = self.reached | reached.all(0)


@torch.no_grad()
def _best_draw(
    decode: Decode,
    asked: Sequence[Weighted],
    noise: Tensor,
    candidates: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Of several draws, that with the least loss, row by row."""
    least = None
    for k in range(candidates):
        drawn = noise
        if candidates == 1:
            return drawn.clone()
        if k > 0:
            where = noise.device if generator is None else generator.device
            drawn = torch.randn(noise.shape, generator=generator, dtype=noise.dtype, device=where)
            drawn = drawn.to(noise.device)
        mel = decode(drawn)
        loss = torch.stack([w / c.scale * c.loss(mel) for c, w in asked]).sum(0)
        if least is None:
            best, least = drawn.clone(), loss
        better = loss < least
        best, least = torch.where(better.view(-1, 1, 1), drawn, best), torch.minimum(loss, least)
    return best
