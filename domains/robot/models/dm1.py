"""DM1 (arXiv 2510.07865): dispersion of named features, and the objective of its released code."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError, suggest
from oneleap.core.losses.dispersion import Dispersion, diagonal, flatten_rows
from oneleap.core.losses.hooks import ActivationRecorder
from oneleap.core.losses.metrics import SquaredError
from oneleap.core.objectives import Dispersed, MeanFlow
from oneleap.core.paths.times import LogitNormal, TimePairs
from oneleap.core.types import Draw, Loss, Objective, TeacherUse, TrainingBatch
from oneleap.domains.robot.models.nets import STAGES, PolicyNet


@dataclass(frozen=True)
class DM1(Dispersed):
    """Adds a dispersive loss on chosen layers of a policy's network to any objective.

    See :class:`oneleap.core.objectives.Dispersed` for the other settings and for deviations from
    the released code. Without images, ``cond`` depends on no weights, and its dispersion has no
    gradient.

    Trap: ``InfoNCEL2`` is unbounded below, and nothing in these networks limits the norm of a
    feature. On ``mid`` with a weight of 0.1, it fell to -33 within 600 steps on Lift while the
    velocity error doubled. ``InfoNCECosine`` and ``Hinge`` are bounded.

    Deviations, in the shipped configurations ``robot/dm1_*``: three quarters of the rows have r = t
    (``p_equal: 0.75``) and an eighth trains the interval (0, 1); the released code has one half and
    no such rows (``flow_ratio: 0.5``). Three quarters are the share of MeanFlow's own
    released code, (0, 1) is the interval that acts, and the figures in the documentation were
    measured so; the share was not varied alone.
    ``robot/released-dm1_lift`` has one half. Chunks are clamped to [-1, 1] by the policy's
    ``clip: 1``, once at the end; the released code clamps after every step of sampling, which is
    the same for one step. Without ``clip``, nothing is clamped.

    Attributes:
        layers: Layers to disperse. ``cond`` is the condition: the vision encoder's output and the
            observations. ``early``, ``mid`` and ``late`` are layers of the head; ``all`` is all
            four. Names of submodules are accepted too.
    """

    layers: tuple[str, ...] = ("cond",)

    def record_activations(self, net: nn.Module) -> None:
        """Put hooks on the layers of the network being trained.

        Raises:
            InputError: The network has no such layer.
        """
        self._recorder.record_activations(net, stage_names(net, self.layers))


def stage_names(net: nn.Module, layers: tuple[str, ...]) -> tuple[str, ...]:
    """Translate names of :data:`STAGES` to names of submodules.

    Args:
        net: Network of a policy.
        layers: Names of stages or submodules, or ``all``.

    Raises:
        InputError: The network has no such stage or submodule, or is not a policy's.
    """
    if not isinstance(net, PolicyNet):
        raise InputError(f"DM1 is for robot policies, not for a {type(net).__name__}")
    wanted = STAGES if "all" in layers else layers
    known = dict(net.named_modules())
    for name in wanted:
        if name not in net.stages and name not in known:
            raise InputError(
                f"layers: no layer '{name}'{suggest(name, STAGES)} ({', '.join(STAGES)} or all)"
            )
    return tuple(net.stages.get(name, name) for name in wanted)


@dataclass(frozen=True)
class ReleasedInfoNCE(Dispersion):
    """The InfoNCE term of DM1's released code; for reproduction only.

    ``-mean_i logsumexp_j(-S_ij)`` with ``S = -d / tau``, clamped to [-10, 10] and set to -10 on the
    diagonal, where ``d`` is the distance. Its defects: the sign is flipped twice, so distant pairs
    are pushed apart most, near pairs hardly, and pairs farther apart than ``10 tau`` not at all.
    The diagonal's ``e^10`` dominates the sum. The distance is not divided by the number of
    features.

    Attributes:
        tau: Temperature.
    """

    tau: float = 0.5

    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """Compute the term of one layer's features."""
        z = flatten_rows(h)
        difference = z.unsqueeze(0) - z.unsqueeze(1)
        d = (difference.square().sum(2) + 1e-12).sqrt()
        s = (-d / self.tau).masked_fill(diagonal(d), -1e9).clamp(-10, 10)
        return -(-s).logsumexp(1).mean()


@dataclass(frozen=True)
class ReleasedDM1(Objective):
    """The objective of DM1's released code: MeanFlow, and dispersion on a second forward pass.

    MeanFlow uses ``TimePairs(LogitNormal(-0.4, 1))`` with half the rows at ``r = t``, and the plain
    squared error. The second pass takes the clean chunk at independent uniform ``r`` and ``t``,
    either of which may be the greater; the embeddings of times and condition are dispersed. Cost:
    MeanFlow's and one forward pass.

    Deviations: the two times share one embedding here; the released code has one for each. An
    error is raised here; the released code continues with another loss. Images are not shifted
    when the policy acts unless ``augment_when`` is ``always``. The policy's ``clip: 1`` clamps
    chunks, see :class:`DM1`.

    Attributes:
        weight: Weight of the dispersion; the released configurations have 0.1, 0.5 and 0.9.
        dispersion: Dispersion of each layer's features.
    """

    teacher: ClassVar[TeacherUse] = "none"

    weight: float = 0.5
    dispersion: Dispersion = field(default_factory=ReleasedInfoNCE)
    _meanflow: MeanFlow = field(
        default_factory=lambda: MeanFlow(TimePairs(LogitNormal(-0.4, 1.0), 0.5), SquaredError()),
        init=False,
        repr=False,
        compare=False,
    )
    _recorder: ActivationRecorder = field(
        default_factory=ActivationRecorder, init=False, repr=False, compare=False
    )

    def record_activations(self, net: nn.Module) -> None:
        """Put hooks on the condition and on the embedding of times.

        Raises:
            InputError: The network is not a policy's.
        """
        names = [name for name, _ in net.named_modules() if name.endswith("context")]
        self._recorder.record_activations(net, (*stage_names(net, ("cond",)), *names[:1]))

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """Draw noise and times for MeanFlow, and times for the second pass.

        The latter are ``t`` in the field ``s`` and ``r`` in the field ``ramp``. See
        :meth:`Objective.draw`.
        """
        draw = self._meanflow.draw(x, generator, progress)
        t, r = torch.rand((2, len(x)), generator=generator, dtype=x.dtype, device=x.device)
        return replace(draw, s=t, ramp=r)

    def loss(self, bound: TrainingBatch, draw: Draw) -> Loss:
        """Add the weighted dispersion to MeanFlow's loss, in every row."""
        if draw.s is None or draw.ramp is None:
            raise ValueError("ReleasedDM1 needs a draw of its own draw()")
        loss = self._meanflow.loss(bound, draw)
        with self._recorder as hidden:
            bound.field(bound.x, draw.ramp, draw.s)
            terms = [self.dispersion(h) for h in hidden.activations().values()]
        dispersion = torch.stack(terms).sum()
        logs = {**loss.logs, "dispersion": dispersion.detach()}
        return replace(loss, per_sample=loss.per_sample + self.weight * dispersion, logs=logs)
