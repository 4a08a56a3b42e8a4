"""Optimization of the initial noise of a frozen generator (DITTO, DITTO-2).

DITTO is arXiv 2401.12179, DITTO-2 is arXiv 2405.20289.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.base import Control, WeightedControl, with_weights

Decode = Callable[[Tensor], Tensor]
"""Noise (b, mels, n) to normalized spectrograms (b, mels, n). It is differentiable, and no row
depends on another."""

ProgressCallback = Callable[[int, Mapping[str, Tensor]], None]
"""Called after each step with the number of steps and the metric of each control, (b,)."""


@dataclass(frozen=True, eq=False)
class OptimizationResult:
    """The result of an optimization.

    Attributes:
        noise: Best noise of each row.
        mel: Spectrograms decoded from it.
        metrics: Metric of each control, by name.
        history: Losses of each control before the first step and after every step, by name.
        steps: Number of steps after which each row was best.
        reached: Rows in which all controls reached their thresholds.
        seconds: Duration of the optimization.
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
    """Adam for one tensor whose rows are independent: a row that is skipped keeps its state.

    Attributes:
        lr: Learning rate.
        first: First moment of the gradient.
        second: Second moment of the gradient.
        count: Number of steps of each row.
        betas: Decay rates of the moments.
    """

    lr: float
    first: Tensor
    second: Tensor
    count: Tensor
    betas: tuple[float, float] = (0.9, 0.999)

    @classmethod
    def of(cls, x: Tensor, lr: float) -> "LatentAdam":
        """Return a fresh optimizer for a tensor like ``x``."""
        return cls(lr, torch.zeros_like(x), torch.zeros_like(x), x.new_zeros(len(x), 1, 1))

    def step(self, x: Tensor, gradient: Tensor, active: Bool[Tensor, "b"]) -> Tensor:
        """Return ``x`` after a step of the active rows.

        Args:
            x: Current values, (b, mels, n).
            gradient: Gradient, of the same shape.
            active: Rows that take the step.
        """
        on = active.view(-1, 1, 1)
        a, b = self.betas
        self.count = self.count + on
        self.first = torch.where(on, a * self.first + (1 - a) * gradient, self.first)
        self.second = torch.where(on, b * self.second + (1 - b) * gradient.square(), self.second)
        first = self.first / (1 - a ** self.count.clamp(min=1))
        second = self.second / (1 - b ** self.count.clamp(min=1))
        return torch.where(on, x - self.lr * first / (second.sqrt() + 1e-8), x)


def norm_penalty(noise: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
    """Return ``(|x|^2 / d - 1)^2``, which is near 0 for normal noise of ``d`` numbers."""
    return (noise.square().mean((1, 2)) - 1).square()


def optimize_noise(
    decode: Decode,
    controls: Sequence[Control | WeightedControl],
    noise: Float[Tensor, "b mels n"],
    *,
    steps: int = 70,
    lr: float = 0.02,
    norm_weight: float = 1.0,
    patience: int | None = None,
    candidates: int = 1,
    generator: torch.Generator | None = None,
    progress: ProgressCallback | None = None,
) -> OptimizationResult:
    """Solve ``argmin_e L(f(decode(e)), y)`` (DITTO, Eq. 1) with Adam, independently for each row.

    ``L`` is the weighted sum of the controls' losses, each divided by its typical size. A control
    that has reached its threshold in a row is ignored there, until it leaves the threshold again.
    A row is finished when all controls have reached their thresholds, or when ``patience`` steps
    have not improved it. The best noise of each row is returned: first by the number of controls
    that were reached, then by ``L``. A row whose gradient is not finite does not move.

    The only addition to the paper is the term ``norm_weight (|e|^2 / d - 1)^2``. Without it, long
    optimizations leave the sphere of noise that the model was trained on.

    Cost: one forward and backward pass of the decoder per step, and one forward pass per
    additional candidate.

    Args:
        decode: The frozen generator.
        controls: Controls of the clips.
        noise: Initial noise, (b, mels, n). A warm start is the noise of an earlier result.
        steps: Maximum number of Adam steps.
        lr: Learning rate. DITTO's own rate is small but not exactly known; 0.1 is too large.
        norm_weight: Weight of the penalty on the norm of the noise.
        patience: Number of steps without improvement after which a row is finished; ``None``
            means never.
        candidates: Number of random starts of each row, including ``noise``. The best is chosen.
        generator: Random generator of the additional candidates.
        progress: Called after each step.

    Returns:
        The best noise of each row, and its spectrograms and metrics.

    Raises:
        InputError: If a setting is out of range, or the loss is not finite in any row.
    """
    if steps < 0 or candidates < 1 or not lr > 0:
        raise InputError(
            "steps must be at least 0, candidates at least 1, and lr positive: got "
            f"{steps}, {candidates}, {lr:g}"
        )
    start, weighted = time.perf_counter(), with_weights(controls)
    e = _best_candidate(decode, weighted, noise.detach(), candidates, generator)
    adam, best = LatentAdam.of(e, lr), _BestSoFar(e)
    history = dict[str, list[Tensor]]()
    for k in range(steps + 1):
        x = e.requires_grad_(True)
        mel = decode(x)
        total, metrics, reached = _evaluate_controls(weighted, mel, history)
        best.update(k, e, mel, total, metrics, reached)
        if progress is not None:
            progress(k, metrics)
        active = ~best.reached
        if patience is not None:
            active = active & (k - best.improved < patience)
        if k == steps or not bool(active.any()):
            break
        loss = total + norm_weight * norm_penalty(x)
        (gradient,) = torch.autograd.grad(loss.sum(), x)
        finite = gradient.isfinite().flatten(1).all(1)
        if not bool(finite.any()):
            raise InputError(f"step {k}: the loss is not finite: try an lr smaller than {lr:g}")
        e = adam.step(e.detach(), gradient.nan_to_num(0, 0, 0), active & finite)
    took = time.perf_counter() - start
    curves = {name: torch.stack(losses) for name, losses in history.items()}
    return OptimizationResult(
        best.noise, best.mel, best.metrics, curves, best.step, best.reached, took
    )


def _evaluate_controls(
    weighted: Sequence[WeightedControl], mel: Tensor, history: dict[str, list[Tensor]]
) -> tuple[Tensor, dict[str, Tensor], Bool[Tensor, "c b"]]:
    """Return the sum of the active losses, the metrics, and which controls are reached.

    The losses are appended to ``history``.
    """
    total, metrics, reached = mel.new_zeros(len(mel)), dict[str, Tensor](), []
    for k, (control, weight) in enumerate(weighted):
        name = control.name if control.name not in metrics else f"{control.name} {k + 1}"
        loss = control.loss(mel)
        history.setdefault(name, []).append(loss.detach())
        with torch.no_grad():
            metrics[name] = control.metric(mel)
        reached.append(control.reached(metrics[name]))
        total = total + torch.where(reached[-1], 0.0, weight / control.typical_loss * loss)
    return total, metrics, torch.stack(reached)


class _BestSoFar:
    """The best noise of each row so far.

    Args:
        noise: Initial noise.
    """

    def __init__(self, noise: Tensor) -> None:
        b = len(noise)
        self.noise, self.mel = noise.detach().clone(), torch.empty_like(noise)
        self.metrics = dict[str, Tensor]()
        self.step = torch.zeros(b, dtype=torch.long, device=noise.device)
        self.improved = self.step.clone()
        self.count = torch.full_like(self.step, -1)
        self.loss = noise.new_full((b,), torch.inf)
        self.reached = torch.zeros(b, dtype=torch.bool, device=noise.device)

    def update(
        self,
        k: int,
        noise: Tensor,
        mel: Tensor,
        loss: Tensor,
        metrics: dict[str, Tensor],
        reached: Bool[Tensor, "c b"],
    ) -> None:
        """Store the rows that are better. A row that has reached all controls does not change.

        Args:
            k: Number of the step.
            noise: Noise of the step.
            mel: Spectrograms decoded from it.
            loss: Loss of each row.
            metrics: Metric of each control.
            reached: Which controls are reached in each row.
        """
        loss, count = loss.detach(), reached.sum(0)
        improved = (count > self.count) | ((count == self.count) & (loss < self.loss))
        better = improved & ~self.reached
        on = better.view(-1, 1, 1)
        if k == 0:
            self.mel = mel.detach().clone()
        self.noise = torch.where(on, noise.detach(), self.noise)
        self.mel = torch.where(on, mel.detach(), self.mel)
        for name, value in metrics.items():
            self.metrics[name] = torch.where(better, value, self.metrics.get(name, value))
        now = torch.full_like(self.step, k)
        self.step = torch.where(better, now, self.step)
        self.improved = torch.where(better, now, self.improved)
        self.count = torch.where(better, count, self.count)
        self.loss = torch.where(better, loss, self.loss)
        self.reached = self.reached | reached.all(0)


@torch.no_grad()
def _best_candidate(
    decode: Decode,
    weighted: Sequence[WeightedControl],
    noise: Tensor,
    candidates: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Return, for each row, the candidate with the lowest loss."""
    lowest = None
    for k in range(candidates):
        candidate = noise
        if candidates == 1:
            return candidate.clone()
        if k > 0:
            device = noise.device if generator is None else generator.device
            candidate = torch.randn(
                noise.shape, generator=generator, dtype=noise.dtype, device=device
            ).to(noise.device)
        mel = decode(candidate)
        loss = torch.stack([w / c.typical_loss * c.loss(mel) for c, w in weighted]).sum(0)
        if lowest is None:
            best, lowest = candidate.clone(), loss
        better = loss < lowest
        best = torch.where(better.view(-1, 1, 1), candidate, best)
        lowest = torch.minimum(loss, lowest)
    return best
