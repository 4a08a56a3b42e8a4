"""Average-velocity and consistency methods, and their training, storage and sampling.

These are the public names of the core: ``from oneleap.core import MeanFlow, sample``. Importing the
package imports none of them; each name is imported on first use. Lightning is imported only by
names that concern training.
"""

from typing import TYPE_CHECKING

from oneleap.core.lazy import lazy_names

if TYPE_CHECKING:
    from oneleap.core.errors import InputError as InputError
    from oneleap.core.errors import Notice as Notice
    from oneleap.core.fields.guidance import GuidedField as GuidedField
    from oneleap.core.fields.guidance import TargetGuidance as TargetGuidance
    from oneleap.core.hub.pretrained import Pretrained as Pretrained
    from oneleap.core.hub.pretrained import load_pretrained as load_pretrained
    from oneleap.core.losses.dispersion import Covariance as Covariance
    from oneleap.core.losses.dispersion import Dispersion as Dispersion
    from oneleap.core.losses.dispersion import Hinge as Hinge
    from oneleap.core.losses.dispersion import InfoNCECosine as InfoNCECosine
    from oneleap.core.losses.dispersion import InfoNCEL2 as InfoNCEL2
    from oneleap.core.losses.features import FeatureDistance as FeatureDistance
    from oneleap.core.losses.metrics import AbsoluteError as AbsoluteError
    from oneleap.core.losses.metrics import AdaptiveSquaredError as AdaptiveSquaredError
    from oneleap.core.losses.metrics import Metric as Metric
    from oneleap.core.losses.metrics import PseudoHuber as PseudoHuber
    from oneleap.core.losses.metrics import SquaredError as SquaredError
    from oneleap.core.losses.parts import PartsError as PartsError
    from oneleap.core.losses.spectral import HighFrequency as HighFrequency
    from oneleap.core.nets import MLP as MLP
    from oneleap.core.nets import ConvNeXt1d as ConvNeXt1d
    from oneleap.core.nets import DiT1d as DiT1d
    from oneleap.core.nets import LYNXNet as LYNXNet
    from oneleap.core.nets import Residual as Residual
    from oneleap.core.nets import ResidualMLP as ResidualMLP
    from oneleap.core.nets import UNet1d as UNet1d
    from oneleap.core.nets import WaveNet as WaveNet
    from oneleap.core.objectives import DMD as DMD
    from oneleap.core.objectives import DMD2 as DMD2
    from oneleap.core.objectives import RCGM as RCGM
    from oneleap.core.objectives import TBCM as TBCM
    from oneleap.core.objectives import TDM as TDM
    from oneleap.core.objectives import VSD as VSD
    from oneleap.core.objectives import AlphaFlow as AlphaFlow
    from oneleap.core.objectives import AnnealedReflow as AnnealedReflow
    from oneleap.core.objectives import ConsistencyDistillation as ConsistencyDistillation
    from oneleap.core.objectives import ConsistencyTraining as ConsistencyTraining
    from oneleap.core.objectives import ConsistencyTrajectory as ConsistencyTrajectory
    from oneleap.core.objectives import ContinuousConsistency as ContinuousConsistency
    from oneleap.core.objectives import Coupled as Coupled
    from oneleap.core.objectives import Denoising as Denoising
    from oneleap.core.objectives import DiffInstruct as DiffInstruct
    from oneleap.core.objectives import DiffInstructPlus as DiffInstructPlus
    from oneleap.core.objectives import DiffInstructStar as DiffInstructStar
    from oneleap.core.objectives import DirectDistillation as DirectDistillation
    from oneleap.core.objectives import DisBack as DisBack
    from oneleap.core.objectives import Dispersed as Dispersed
    from oneleap.core.objectives import EasyConsistencyTuning as EasyConsistencyTuning
    from oneleap.core.objectives import Eulerian as Eulerian
    from oneleap.core.objectives import FDistill as FDistill
    from oneleap.core.objectives import FlowAnchoredConsistency as FlowAnchoredConsistency
    from oneleap.core.objectives import FlowMatching as FlowMatching
    from oneleap.core.objectives import ImprovedConsistencyTraining as ImprovedConsistencyTraining
    from oneleap.core.objectives import ImprovedMeanFlow as ImprovedMeanFlow
    from oneleap.core.objectives import InductiveMomentMatching as InductiveMomentMatching
    from oneleap.core.objectives import Lagrangian as Lagrangian
    from oneleap.core.objectives import MeanFlow as MeanFlow
    from oneleap.core.objectives import NitroFusion as NitroFusion
    from oneleap.core.objectives import NoiseConsistency as NoiseConsistency
    from oneleap.core.objectives import NoisePrediction as NoisePrediction
    from oneleap.core.objectives import PhasedDMD as PhasedDMD
    from oneleap.core.objectives import Progressive as Progressive
    from oneleap.core.objectives import Reflow as Reflow
    from oneleap.core.objectives import SanaSprint as SanaSprint
    from oneleap.core.objectives import ScoreForgetting as ScoreForgetting
    from oneleap.core.objectives import ScoreIdentity as ScoreIdentity
    from oneleap.core.objectives import Shortcut as Shortcut
    from oneleap.core.objectives import SoFlow as SoFlow
    from oneleap.core.objectives import SplitMeanFlow as SplitMeanFlow
    from oneleap.core.objectives import StoredPairs as StoredPairs
    from oneleap.core.objectives import Symmetric as Symmetric
    from oneleap.core.objectives import TerminalVelocityMatching as TerminalVelocityMatching
    from oneleap.core.objectives import TwinFlow as TwinFlow
    from oneleap.core.objectives import UniInstruct as UniInstruct
    from oneleap.core.objectives.matching.base import Matching as Matching
    from oneleap.core.objectives.matching.reward import LinearReward as LinearReward
    from oneleap.core.objectives.matching.reward import Reward as Reward
    from oneleap.core.objectives.pairing.nct import Control as Control
    from oneleap.core.objectives.pairing.nct import MeanLevel as MeanLevel
    from oneleap.core.paths.base import ExternalTeacher as ExternalTeacher
    from oneleap.core.paths.base import GaussianPath as GaussianPath
    from oneleap.core.paths.base import LinearPath as LinearPath
    from oneleap.core.paths.ddpm import CosineBetas as CosineBetas
    from oneleap.core.paths.ddpm import DiscreteVPPath as DiscreteVPPath
    from oneleap.core.paths.ddpm import LinearBetas as LinearBetas
    from oneleap.core.paths.ddpm import VPBetas as VPBetas
    from oneleap.core.paths.edm import EDM as EDM
    from oneleap.core.paths.edm import Karras as Karras
    from oneleap.core.paths.pairs import ApartPairs as ApartPairs
    from oneleap.core.paths.pairs import BelowPairs as BelowPairs
    from oneleap.core.paths.pairs import TerminalPairs as TerminalPairs
    from oneleap.core.paths.pairs import ToDataPairs as ToDataPairs
    from oneleap.core.paths.times import GapPairs as GapPairs
    from oneleap.core.paths.times import LogitNormal as LogitNormal
    from oneleap.core.paths.times import TimePairs as TimePairs
    from oneleap.core.paths.times import Times as Times
    from oneleap.core.paths.times import Uniform as Uniform
    from oneleap.core.paths.times import UShaped as UShaped
    from oneleap.core.paths.trigflow import TrigFlow as TrigFlow
    from oneleap.core.sampling.consistency import consistency as consistency
    from oneleap.core.sampling.diffusion import ddim as ddim
    from oneleap.core.sampling.diffusion import ddpm as ddpm
    from oneleap.core.sampling.diffusion import edm as edm
    from oneleap.core.sampling.diffusion import plms as plms
    from oneleap.core.sampling.multistep import dpm_solver as dpm_solver
    from oneleap.core.sampling.multistep import unipc as unipc
    from oneleap.core.sampling.ode import euler as euler
    from oneleap.core.sampling.ode import heun as heun
    from oneleap.core.sampling.ode import sample as sample
    from oneleap.core.sampling.samplers import ConsistencySampler as ConsistencySampler
    from oneleap.core.sampling.samplers import DDIMSampler as DDIMSampler
    from oneleap.core.sampling.samplers import DDPMSampler as DDPMSampler
    from oneleap.core.sampling.samplers import DPMSolverSampler as DPMSolverSampler
    from oneleap.core.sampling.samplers import EDMSampler as EDMSampler
    from oneleap.core.sampling.samplers import EulerSampler as EulerSampler
    from oneleap.core.sampling.samplers import FlowMapSampler as FlowMapSampler
    from oneleap.core.sampling.samplers import GammaSampler as GammaSampler
    from oneleap.core.sampling.samplers import HeunSampler as HeunSampler
    from oneleap.core.sampling.samplers import PLMSSampler as PLMSSampler
    from oneleap.core.sampling.samplers import Sampler as Sampler
    from oneleap.core.sampling.samplers import UniPCSampler as UniPCSampler
    from oneleap.core.sampling.search import search_times as search_times
    from oneleap.core.training.averages.snapshots import Snapshots as Snapshots
    from oneleap.core.training.callbacks import Export as Export
    from oneleap.core.training.callbacks import Progress as Progress
    from oneleap.core.training.checkpoints import Checkpoints as Checkpoints
    from oneleap.core.training.ema import PowerEMA as PowerEMA
    from oneleap.core.training.loaders import Endless as Endless
    from oneleap.core.training.model import GenerativeModel as GenerativeModel
    from oneleap.core.training.model import Trainable as Trainable
    from oneleap.core.training.model import Validation as Validation
    from oneleap.core.training.module import TrainingModule as TrainingModule
    from oneleap.core.training.optim import AdamConfig as AdamConfig
    from oneleap.core.training.recipe import Recipe as Recipe
    from oneleap.core.training.seed import Step as Step
    from oneleap.core.training.seed import step_generator as step_generator
    from oneleap.core.types import Conditioned as Conditioned
    from oneleap.core.types import Draw as Draw
    from oneleap.core.types import Field as Field
    from oneleap.core.types import Loss as Loss
    from oneleap.core.types import Objective as Objective
    from oneleap.core.types import TrainingBatch as TrainingBatch

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "AbsoluteError": "losses.metrics",
        "AdamConfig": "training.optim",
        "AdaptiveSquaredError": "losses.metrics",
        "AlphaFlow": "objectives",
        "AnnealedReflow": "objectives",
        "ApartPairs": "paths.pairs",
        "BelowPairs": "paths.pairs",
        "Checkpoints": "training.checkpoints",
        "Conditioned": "types",
        "ConsistencyDistillation": "objectives",
        "ConsistencySampler": "sampling.samplers",
        "ConsistencyTraining": "objectives",
        "ConsistencyTrajectory": "objectives",
        "ContinuousConsistency": "objectives",
        "Control": "objectives.pairing.nct",
        "ConvNeXt1d": "nets",
        "CosineBetas": "paths.ddpm",
        "Coupled": "objectives",
        "Covariance": "losses.dispersion",
        "DDIMSampler": "sampling.samplers",
        "DDPMSampler": "sampling.samplers",
        "DMD": "objectives",
        "DMD2": "objectives",
        "DPMSolverSampler": "sampling.samplers",
        "Denoising": "objectives",
        "DiT1d": "nets",
        "DiffInstruct": "objectives",
        "DiffInstructPlus": "objectives",
        "DiffInstructStar": "objectives",
        "DirectDistillation": "objectives",
        "DisBack": "objectives",
        "DiscreteVPPath": "paths.ddpm",
        "Dispersed": "objectives",
        "Dispersion": "losses.dispersion",
        "Draw": "types",
        "EDM": "paths.edm",
        "EDMSampler": "sampling.samplers",
        "EasyConsistencyTuning": "objectives",
        "Endless": "training.loaders",
        "EulerSampler": "sampling.samplers",
        "Eulerian": "objectives",
        "Export": "training.callbacks",
        "ExternalTeacher": "paths.base",
        "FDistill": "objectives",
        "FeatureDistance": "losses.features",
        "Field": "types",
        "FlowAnchoredConsistency": "objectives",
        "FlowMapSampler": "sampling.samplers",
        "FlowMatching": "objectives",
        "GammaSampler": "sampling.samplers",
        "GapPairs": "paths.times",
        "GaussianPath": "paths.base",
        "GenerativeModel": "training.model",
        "GuidedField": "fields.guidance",
        "HeunSampler": "sampling.samplers",
        "HighFrequency": "losses.spectral",
        "Hinge": "losses.dispersion",
        "ImprovedConsistencyTraining": "objectives",
        "ImprovedMeanFlow": "objectives",
        "InductiveMomentMatching": "objectives",
        "InfoNCECosine": "losses.dispersion",
        "InfoNCEL2": "losses.dispersion",
        "InputError": "errors",
        "Karras": "paths.edm",
        "LYNXNet": "nets",
        "Lagrangian": "objectives",
        "LinearBetas": "paths.ddpm",
        "LinearPath": "paths.base",
        "LinearReward": "objectives.matching.reward",
        "LogitNormal": "paths.times",
        "Loss": "types",
        "MLP": "nets",
        "Matching": "objectives.matching.base",
        "MeanFlow": "objectives",
        "MeanLevel": "objectives.pairing.nct",
        "Metric": "losses.metrics",
        "NitroFusion": "objectives",
        "NoiseConsistency": "objectives",
        "NoisePrediction": "objectives",
        "Notice": "errors",
        "Objective": "types",
        "PLMSSampler": "sampling.samplers",
        "PartsError": "losses.parts",
        "PhasedDMD": "objectives",
        "PowerEMA": "training.ema",
        "Pretrained": "hub.pretrained",
        "Progress": "training.callbacks",
        "Progressive": "objectives",
        "PseudoHuber": "losses.metrics",
        "RCGM": "objectives",
        "Recipe": "training.recipe",
        "Reflow": "objectives",
        "Residual": "nets",
        "ResidualMLP": "nets",
        "Reward": "objectives.matching.reward",
        "Sampler": "sampling.samplers",
        "SanaSprint": "objectives",
        "ScoreForgetting": "objectives",
        "ScoreIdentity": "objectives",
        "Shortcut": "objectives",
        "Snapshots": "training.averages.snapshots",
        "SoFlow": "objectives",
        "SplitMeanFlow": "objectives",
        "SquaredError": "losses.metrics",
        "Step": "training.seed",
        "StoredPairs": "objectives",
        "Symmetric": "objectives",
        "TBCM": "objectives",
        "TDM": "objectives",
        "TargetGuidance": "fields.guidance",
        "TerminalPairs": "paths.pairs",
        "TerminalVelocityMatching": "objectives",
        "TimePairs": "paths.times",
        "Times": "paths.times",
        "ToDataPairs": "paths.pairs",
        "Trainable": "training.model",
        "TrainingBatch": "types",
        "TrainingModule": "training.module",
        "TrigFlow": "paths.trigflow",
        "TwinFlow": "objectives",
        "UNet1d": "nets",
        "UShaped": "paths.times",
        "UniInstruct": "objectives",
        "UniPCSampler": "sampling.samplers",
        "Uniform": "paths.times",
        "VPBetas": "paths.ddpm",
        "VSD": "objectives",
        "Validation": "training.model",
        "WaveNet": "nets",
        "consistency": "sampling.consistency",
        "ddim": "sampling.diffusion",
        "ddpm": "sampling.diffusion",
        "dpm_solver": "sampling.multistep",
        "edm": "sampling.diffusion",
        "euler": "sampling.ode",
        "heun": "sampling.ode",
        "load_pretrained": "hub.pretrained",
        "plms": "sampling.diffusion",
        "sample": "sampling.ode",
        "search_times": "sampling.search",
        "step_generator": "training.seed",
        "unipc": "sampling.multistep",
    },
)
