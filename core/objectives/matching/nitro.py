"""NitroFusion (Chen et al. 2024, arXiv 2412.02030): a pool of judges that is renewed."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.losses.hooks import ActivationRecorder, downsample_mask, mean_pool
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.objectives.matching.base import Matching, noised, second_networks
from oneleap.core.paths.times import Times, Uniform
from oneleap.core.types import Draw, Loss, TeacherUse, TrainingBatch


@dataclass(frozen=True)
class NitroFusion(Matching):
    """Many light judges on a frozen network, each for its noise levels, some renewed in each step.

    The frozen network is the teacher; the judges read one of its hidden layers at a noised sample
    and at noised data. Each row is judged by one head, drawn from the heads of its noise level.
    Every second head judges the whole sample, by its mean feature; the others judge each frame, and
    their verdicts are averaged. The losses are hinges; a share ``refresh`` of the heads starts anew
    in each step, so none sees the generator long enough to overfit. Cost: 1 forward and backward
    pass of the generator, 1 forward and backward pass of the frozen network to its input, and 2
    forward passes of it for the judges.

    Traps: nothing but the judges ties samples to their conditions or to the teacher's distribution:
    start from a trained one-step student (``recipe.init_from``), as the authors do. For padded
    sequences name the axis of ``frames``.

    Deviations: the real side is data; the authors use the teacher's samples. All heads see the
    conditions; the authors drop them for some. Features are projected onto fixed cosines.

    Attributes:
        ratio: See the skeleton; generator and heads train in every step.
        times: Distribution of the noise at which the generator is judged.
        fake_times: Distribution of the noise at which the heads are trained.
        groups: Number of bands of noise levels.
        heads: Number of heads of each band.
        refresh_rate: Share of the heads that starts anew in each step; 0.01 in the paper.
        layers: Name of the hidden layer, see :mod:`oneleap.core.nets`; empty selects the first of
            :data:`oneleap.core.losses.hooks.DEFAULT_LAYERS`.
        frames: Axis of the frames in the layer's output, see
            :class:`oneleap.core.objectives.Dispersed`; ``None`` for vectors.
    """

    teacher: ClassVar[TeacherUse] = "required"

    ratio: int = 1
    times: Times = field(default_factory=Uniform)
    fake_times: Times = field(default_factory=Uniform)
    groups: int = 4
    heads: int = 32
    refresh_rate: float = 0.01
    layers: tuple[str, ...] = ()
    frames: int | None = None
    _recorder: ActivationRecorder = field(
        default_factory=ActivationRecorder, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Reject an empty pool, several layers, and settings that the frozen network ignores."""
        super().__post_init__()
        if self.groups < 1 or self.heads < 2:
            raise InputError(
                "groups and heads of NitroFusion must be at least 1 and 2, "
                f"not {self.groups} and {self.heads}"
            )
        if not 0 <= self.refresh_rate < 1:
            raise InputError(f"refresh_rate must be a share in [0, 1), not {self.refresh_rate}")
        if len(self.layers) > 1:
            raise InputError(f"layers of NitroFusion: name one layer, not {len(self.layers)}")
        if self.fake_rank is not None:
            raise InputError("fake_rank: NitroFusion's second network is frozen: leave it out")
        if self.guidance is not None:
            raise InputError("guidance: NitroFusion's judges see no guided teacher: leave it out")

    @property
    def pool(self) -> tuple[int, int] | None:
        """``groups`` and ``heads``."""
        return self.groups, self.heads

    @property
    def refresh(self) -> float:
        """``refresh_rate``."""
        return self.refresh_rate

    def attend(self, fake: nn.Module) -> None:
        """Register hooks on the layer that the heads read."""
        self._recorder.record_activations(fake, self.layers)

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw as the skeleton does, and a head of each row's noise level."""
        draw = super().draw(x, generator, progress)
        assert draw.judging is not None
        assert draw.fitting is not None
        judging, fitting = (
            replace(part, head=self._head(part.t, generator))
            for part in (draw.judging, draw.fitting)
        )
        return replace(draw, judging=judging, fitting=fitting)

    def _head(self, t: Tensor, generator: torch.Generator | None) -> Tensor:
        """Draw a head for each row, uniformly within its band."""
        band = (t * self.groups).long().clamp(max=self.groups - 1)
        own = torch.randint(self.heads, t.shape, generator=generator, device=t.device)
        return self.heads * band + own

    def push(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """``-verdict(z)``."""
        verdict = self.verdict(batch, x, draw, frozen=True)
        return Loss(-verdict, {"judged": verdict.detach().mean()})

    def fit(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """``max(0, 1 + verdict(sample)) + max(0, 1 - verdict(data))`` at equal noise and head."""
        guess = self.verdict(batch, x, draw, frozen=False)
        truth = self.verdict(batch, batch.x, draw, frozen=False)
        right = ((guess < 0).to(guess) + (truth > 0).to(guess)).detach() / 2
        loss = torch.relu(1 + guess) + torch.relu(1 - truth)
        return Loss(loss, {"judge_right": right.mean()})

    def verdict(
        self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw, *, frozen: bool
    ) -> Float[Tensor, "b"]:
        """Verdict of each row's head on its noised sample.

        Args:
            batch: Batch with the second networks.
            x: Samples or data.
            draw: Noise, times and heads.
            frozen: Whether the heads are constants.

        Returns:
            Verdicts; positive means data.

        Raises:
            InputError: If the batch has no pool of judges, or the draw no heads.
        """
        second = second_networks(batch)
        judge = second.frozen_heads if frozen else second.heads
        if judge is None or draw.head is None:
            raise InputError("NitroFusion needs a pool of judges and the heads of its own draw()")
        with self._recorder as recorder:
            second.fake(noised(batch, x, draw), draw.t, draw.t)
            (h,) = recorder.activations().values()
        if h.ndim == 2:
            h = h.unsqueeze(1)
        axis = 1 if self.frames is None and batch.mask is None else self.frames
        whole = mean_pool(h, axis, batch.mask, len(x)).unsqueeze(1)
        local = h.movedim(1 if axis is None else axis, 1)
        judges_whole = (draw.head % 2 == 0).view(-1, 1, 1)
        verdicts = judge(torch.where(judges_whole, whole, local), draw.head)
        if batch.mask is None:
            return verdicts.mean(1)
        return masked_mean(verdicts, downsample_mask(batch.mask.flatten(1), verdicts.shape[1]))
