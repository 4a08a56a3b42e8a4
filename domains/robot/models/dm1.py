"""DM1 (arXiv 2510.07865): dispersed features, by names that hold for any head; and as released."""

import math
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError, nearest
from oneleap.core.losses.dispersion import Dispersion, diagonal
from oneleap.core.losses.dispersion import rows as flat
from oneleap.core.losses.hooks import ActivationRecorder
from oneleap.core.losses.metrics import SquaredError
from oneleap.core.objectives import Dispersed, MeanFlow
from oneleap.core.paths.times import LogitNormal, TimePairs
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch
from oneleap.domains.robot.models.nets import STAGES, PolicyNet


@dataclass(frozen=True)
class DM1(Dispersed):
    """Any objective with a dispersive loss on chosen stages of a policy's network.

    See :class:`oneleap.core.objectives.Dispersed`, which also lists the deviations from the
    released code. ``layers`` are ``cond``, the condition itself, that is the eye's output beside
    the observations; ``early``, ``mid`` and ``late`` of the head; or ``all``. Names of submodules
    will do too. Without images ``cond`` has no weights, and its dispersion no gradient.

    Trap: ``InfoNCEL2`` has no least value, and nothing in these networks holds a feature's size:
    on ``mid`` at a weight of 0.1 it went to -33 in 600 steps on Lift while the error of the
    velocity doubled. ``InfoNCECosine`` and ``Hinge`` are bounded.
    """

    layers: tuple[str, ...] = ("cond",)

    def record_activations(self, net: nn.Module) -> None:
        """See :class:`Dispersed`.

        Raises:
            InputError: If there is no such stage.
        """
        self._hidden.record_activations(net, stage_names(net, self.layers))


def stage_names(net: nn.Module, layers: tuple[str, ...]) -> tuple[str, ...]:
    """Submodules by the names of their stages.

    Raises:
        InputError: If there is no such stage, nor submodule.
    """
    if not isinstance(net, PolicyNet):
        raise InputError(f"DM1 is for policies of robots, not for a {type(net).__name__}")
    wanted = STAGES if "all" in layers else layers
    known = dict(net.named_modules())
    for name in wanted:
        if name not in net.stages and name not in known:
            raise InputError(
                f"layers: no '{name}'{nearest(name, STAGES)} ({', '.join(STAGES)} or all)"
            )
    return tuple(net.stages.get(name, name) for name in wanted)


@dataclass(frozen=True)
class ReleasedInfoNCE(Dispersion):
    """The InfoNCE term as DM1's authors released it; for reproduction only.

    ``-mean_i logsumexp_j(-S_ij)`` with ``S = -d / tau`` clamped to [-10, 10] and -10 on the
    diagonal, ``d`` the distance itself. The sign is turned about twice: pairs are pushed apart,
    but far ones most, near ones hardly, and those beyond ``10 tau`` not at all; the diagonal's
    ``e^10`` drowns the sum; and nothing is divided by the number of features.

    Attributes:
        tau: Temperature.
    """

    tau: float = 0.5

    def __call__(self, h: Float[Tensor, "b *d"]) -> Float[Tensor, ""]:
        """See the class."""
        z = flat(h)
        gap = z.unsqueeze(0) - z.unsqueeze(1)
        d = (gap.square().sum(2) + 1e-12).sqrt()
        s = (-d / self.tau).masked_fill(diagonal(d), -1e9).clamp(-10, 10)
        return -(-s).logsumexp(1).mean()


@dataclass(frozen=True)
class ReleasedDM1(Objective):
    """DM1's released code: MeanFlow, and the term on a second pass at times of its own.

    ``TimePairs(LogitNormal(-0.4, 1))`` with half the rows at ``r = t``, plain squared error. The
    term sees the embeddings of times and condition for the clean chunk at independent uniform
    ``r`` and ``t``, either of which may be the greater. Cost: MeanFlow's and one forward pass.

    Deviations: both times have one embedding here, theirs one each; an error is an error, where
    their code goes on with another loss; images are not shifted when the policy acts unless
    ``augment_when: always`` says so.

    Attributes:
        weight: Of the term; the released files have 0.1, 0.5 and 0.9.
        dispersion: The term.
    """

    weight: float = 0.5
    dispersion: Dispersion = field(default_factory=ReleasedInfoNCE)
    _meanflow: MeanFlow = field(
        default_factory=lambda: MeanFlow(TimePairs(LogitNormal(-0.4, 1.0), 0.5), SquaredError()),
        init=False,
        repr=False,
        compare=False,
    )
    _hidden: ActivationRecorder = field(
        default_factory=ActivationRecorder, init=False, repr=False, compare=False
    )

    def record_activations(self, net: nn.Module) -> None:
        """Put hooks on the condition and on the embedding of times.

        Raises:
            InputError: If the network has none of the latter.
        """
        names = [name for name, _ in net.named_modules() if name.endswith("context")]
        self._hidden.record_activations(net, (*stage_names(net, ("cond",)), *names[:1]))

    def draw(
        self,
        x: Float[Tensor, "b *d"],
        generator: torch.Generator | None = None,
        progress: float = 0.0,
    ) -> Draw:
        """MeanFlow's, and the times of the second pass: ``s`` and ``ramp``."""
        draw = self._meanflow.draw(x, generator, progress)
        t, r = torch.rand((2, len(x)), generator=generator, dtype=x.dtype, device=x.device)
        return replace(draw, s=t, ramp=r)

    def loss(self, bound: TrainingBatch, draw: Draw) -> Loss:
        """See the class."""
        if draw.s is None or draw.ramp is None:
            raise ValueError("ReleasedDM1 needs the times of its own draw()")
        loss = self._meanflow.loss(bound, draw)
        with self._hidden as hidden:
            bound.field(bound.x, draw.ramp, draw.s)
            terms = [self.dispersion(h) for h in hidden.rows().values()]
        dispersion = torch.stack(terms).sum()
        logs = {**loss.logs, "dispersion": dispersion.detach()}
        return replace(loss, per_sample=loss.per_sample + self.weight * dispersion, logs=logs)


def effective_rank(h: Float[Tensor, "b d"]) -> float:
    """How many directions features spread over: ``exp`` of the entropy of the singular values.

    Roy & Vetterli 2007, of the features less their mean. From 1, a line, to the lesser of b - 1
    and d; 0 if they are all the same.
    """
    s = torch.linalg.svdvals((h - h.mean(0)).double())
    if float(s.sum()) <= 1e-12 * math.sqrt(h.numel()):
        return 0.0
    p = s / s.sum()
    return math.exp(float(-(p * p.clamp(min=1e-300).log()).sum()))
