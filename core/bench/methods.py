"""The methods that ``oneleap bench core`` compares."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from oneleap.core.objectives import (
    DMD,
    DMD2,
    RCGM,
    TBCM,
    TDM,
    VSD,
    AlphaFlow,
    AnnealedReflow,
    ConsistencyDistillation,
    ConsistencyTraining,
    ConsistencyTrajectory,
    ContinuousConsistency,
    Coupled,
    Denoising,
    DiffInstruct,
    DiffInstructPlus,
    DiffInstructStar,
    DirectDistillation,
    DisBack,
    Dispersed,
    EasyConsistencyTuning,
    Eulerian,
    FDistill,
    FlowAnchoredConsistency,
    FlowMatching,
    ImprovedConsistencyTraining,
    ImprovedMeanFlow,
    InductiveMomentMatching,
    Lagrangian,
    MeanFlow,
    NitroFusion,
    NoiseConsistency,
    NoisePrediction,
    PhasedDMD,
    Progressive,
    Reflow,
    SanaSprint,
    ScoreForgetting,
    ScoreIdentity,
    Shortcut,
    SoFlow,
    SplitMeanFlow,
    StoredPairs,
    Symmetric,
    TerminalVelocityMatching,
    TwinFlow,
    UniInstruct,
)
from oneleap.core.objectives.matching.base import Matching
from oneleap.core.paths.times import GapPairs, TimePairs, Uniform
from oneleap.core.sampling.consistency import consistency
from oneleap.core.sampling.ode import euler, sample
from oneleap.core.training.seed import step_generator
from oneleap.core.types import Objective

Samples = Callable[[nn.Module, Tensor, int], Tensor]
"""Function of a network, noise (b, 2) and a number of steps that samples."""


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
        from_student: Whether the start is the one-step student :data:`STUDENT` instead, as methods
            with a second network need. Its training is not counted either.
        compute: Compute of training, as a multiple of what most methods get.
        lr: Learning rate; ``None`` for that of most methods.
    """

    objective: Objective
    sampler: Samples = flow_map_samples
    distills: bool = False
    from_student: bool = False
    compute: float = 1.0
    lr: float | None = None


HALF = TimePairs(Uniform(), p_equal=0.5, deployed=(1,), p_deployed=0.1)
TEACHER, STUDENT = "flow matching", "SplitMeanFlow, distilled"


def distilled(objective: Objective, sampler: Samples = flow_map_samples) -> Method:
    """Method that starts as its teacher."""
    return Method(objective, sampler, distills=True)


def matched(objective: Matching, sampler: Samples = consistency_samples) -> Method:
    """Method with a second network, which starts as a one-step student."""
    return Method(objective, sampler, distills=True, from_student=True)


METHODS = {
    TEACHER: Method(FlowMatching(), euler_samples),
    "EDM denoising": Method(Denoising(sigma_data=1.0), euler_samples),
    "DDPM": Method(NoisePrediction(), euler_samples),
    "MeanFlow": Method(MeanFlow(HALF)),
    "MeanFlow, 4 x compute": Method(MeanFlow(HALF), compute=4.0),
    "MeanFlow, optimal transport": Method(Coupled(MeanFlow(HALF))),
    "MeanFlow, dispersed": Method(Dispersed(MeanFlow(HALF), weight=0.05)),
    "improved MeanFlow": Method(ImprovedMeanFlow(HALF)),
    "alphaFlow": Method(AlphaFlow(HALF)),
    "SplitMeanFlow": Method(SplitMeanFlow(HALF)),
    "Shortcut": Method(Shortcut(TimePairs(Uniform(), p_equal=0.5))),
    "Lagrangian": Method(Lagrangian()),
    "Eulerian": Method(Eulerian()),
    "Progressive": Method(Progressive()),
    "TVM": Method(TerminalVelocityMatching()),
    "IMM": Method(InductiveMomentMatching()),
    "SoFlow": Method(SoFlow()),
    "RCGM": Method(RCGM()),
    "TwinFlow": Method(TwinFlow()),
    "FACM": Method(FlowAnchoredConsistency(), consistency_samples),
    "CT": Method(ConsistencyTraining(), consistency_samples),
    "iCT": Method(ImprovedConsistencyTraining(), consistency_samples),
    "ECT": Method(EasyConsistencyTuning(), consistency_samples),
    "sCM": Method(ContinuousConsistency(sigma_data=1.0), consistency_samples),
    STUDENT: distilled(SplitMeanFlow(HALF)),
    "MeanFlow, distilled": distilled(MeanFlow(HALF)),
    "Lagrangian, distilled": distilled(Lagrangian()),
    "CD": distilled(ConsistencyDistillation(), consistency_samples),
    "CTM": distilled(ConsistencyTrajectory(denoise_to="teacher")),
    "sCM, distilled": distilled(ContinuousConsistency(sigma_data=1.0), consistency_samples),
    "TBCM": distilled(TBCM(sigma_data=1.0), consistency_samples),
    "reflow": distilled(Reflow(steps=8, heun=False)),
    "annealed reflow": distilled(AnnealedReflow(steps=8, heun=False)),
    "Re-MeanFlow, stored pairs": distilled(StoredPairs(MeanFlow(GapPairs()))),
    "direct distillation": distilled(DirectDistillation(steps=16), consistency_samples),
    "Diff-Instruct": matched(DiffInstruct()),
    "DMD": matched(DMD()),
    "DMD2": matched(DMD2()),
    "VSD": matched(VSD()),
    "SiD": matched(ScoreIdentity()),
    "f-distill": matched(FDistill()),
    "Uni-Instruct": matched(UniInstruct()),
    "DisBack": matched(DisBack()),
    "TDM": matched(TDM(generator_steps=2), flow_map_samples),
    "Phased DMD": matched(PhasedDMD(), flow_map_samples),
    "NitroFusion": matched(NitroFusion()),
    "SANA-Sprint": matched(
        SanaSprint(consistency=ContinuousConsistency(sigma_data=1.0)), consistency_samples
    ),
}
"""Methods by name. Those without a row need what the toy data lack, see :data:`WITHOUT_A_ROW`."""

WITHOUT_A_ROW = {
    DiffInstructPlus: "without a reward it is Diff-Instruct",
    DiffInstructStar: "without a reward it is SIM",
    ScoreForgetting: "with nothing to forget it is SiD",
    Symmetric: "it makes one coordinate from the other, and this distance is of both",
    NoiseConsistency: "it adds a control, and these data have no conditions",
}
"""Objectives that are not compared, and why."""
