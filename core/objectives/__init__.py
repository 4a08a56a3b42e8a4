"""Training objectives for a field ``u(z, r, t)``; each of them works in every domain."""

from oneleap.core.objectives.alphaflow import AlphaFlow as AlphaFlow
from oneleap.core.objectives.consistency_distillation import (
    ConsistencyDistillation as ConsistencyDistillation,
)
from oneleap.core.objectives.consistency_training import (
    ConsistencyTraining as ConsistencyTraining,
)
from oneleap.core.objectives.consistency_training import (
    ImprovedConsistencyTraining as ImprovedConsistencyTraining,
)
from oneleap.core.objectives.ctm import ConsistencyTrajectory as ConsistencyTrajectory
from oneleap.core.objectives.denoising import Denoising as Denoising
from oneleap.core.objectives.denoising import NoisePrediction as NoisePrediction
from oneleap.core.objectives.direct_distillation import DirectDistillation as DirectDistillation
from oneleap.core.objectives.dispersed import Dispersed as Dispersed
from oneleap.core.objectives.ect import EasyConsistencyTuning as EasyConsistencyTuning
from oneleap.core.objectives.flow_maps.annealed_reflow import AnnealedReflow as AnnealedReflow
from oneleap.core.objectives.flow_maps.eulerian import Eulerian as Eulerian
from oneleap.core.objectives.flow_maps.facm import (
    FlowAnchoredConsistency as FlowAnchoredConsistency,
)
from oneleap.core.objectives.flow_maps.imm import InductiveMomentMatching as InductiveMomentMatching
from oneleap.core.objectives.flow_maps.lagrangian import Lagrangian as Lagrangian
from oneleap.core.objectives.flow_maps.progressive import Progressive as Progressive
from oneleap.core.objectives.flow_maps.rcgm import RCGM as RCGM
from oneleap.core.objectives.flow_maps.sana_sprint import SanaSprint as SanaSprint
from oneleap.core.objectives.flow_maps.soflow import SoFlow as SoFlow
from oneleap.core.objectives.flow_maps.tbcm import TBCM as TBCM
from oneleap.core.objectives.flow_maps.terminal import (
    TerminalVelocityMatching as TerminalVelocityMatching,
)
from oneleap.core.objectives.flow_maps.twinflow import TwinFlow as TwinFlow
from oneleap.core.objectives.flow_matching import FlowMatching as FlowMatching
from oneleap.core.objectives.improved_meanflow import ImprovedMeanFlow as ImprovedMeanFlow
from oneleap.core.objectives.matching.disback import DisBack as DisBack
from oneleap.core.objectives.matching.dmd import DMD as DMD
from oneleap.core.objectives.matching.dmd import DiffInstruct as DiffInstruct
from oneleap.core.objectives.matching.dmd2 import DMD2 as DMD2
from oneleap.core.objectives.matching.f_distill import FDistill as FDistill
from oneleap.core.objectives.matching.forget import ScoreForgetting as ScoreForgetting
from oneleap.core.objectives.matching.nitro import NitroFusion as NitroFusion
from oneleap.core.objectives.matching.phased import PhasedDMD as PhasedDMD
from oneleap.core.objectives.matching.reward import DiffInstructPlus as DiffInstructPlus
from oneleap.core.objectives.matching.reward import DiffInstructStar as DiffInstructStar
from oneleap.core.objectives.matching.sid import ScoreIdentity as ScoreIdentity
from oneleap.core.objectives.matching.tdm import TDM as TDM
from oneleap.core.objectives.matching.uni_instruct import UniInstruct as UniInstruct
from oneleap.core.objectives.matching.vsd import VSD as VSD
from oneleap.core.objectives.meanflow import MeanFlow as MeanFlow
from oneleap.core.objectives.pairing.coupled import Coupled as Coupled
from oneleap.core.objectives.pairing.nct import NoiseConsistency as NoiseConsistency
from oneleap.core.objectives.pairing.stored import StoredPairs as StoredPairs
from oneleap.core.objectives.pairing.symmetric import Symmetric as Symmetric
from oneleap.core.objectives.reflow import Reflow as Reflow
from oneleap.core.objectives.scm import ContinuousConsistency as ContinuousConsistency
from oneleap.core.objectives.shortcut import Shortcut as Shortcut
from oneleap.core.objectives.splitmeanflow import SplitMeanFlow as SplitMeanFlow
