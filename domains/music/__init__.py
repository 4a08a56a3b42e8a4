"""Music: generation of clips and pieces that follow controls, by optimizing the initial noise.

The names below are public. They are imported when they are first used.
"""

from typing import TYPE_CHECKING

from oneleap.core.lazy import lazy_names

if TYPE_CHECKING:
    from oneleap.domains.music.composer.composer import Composer as Composer
    from oneleap.domains.music.composer.ditto import CheckpointedSampler as CheckpointedSampler
    from oneleap.domains.music.composer.ditto import invert as invert
    from oneleap.domains.music.composer.ditto2 import choose_decode_steps as choose_decode_steps
    from oneleap.domains.music.composer.generation import GenerationSettings as GenerationSettings
    from oneleap.domains.music.composer.generation import optimize_latent as optimize_latent
    from oneleap.domains.music.composer.generation import warm_start_noise as warm_start_noise
    from oneleap.domains.music.composer.loading import shipped_composers as shipped_composers
    from oneleap.domains.music.composer.optimize import optimize_noise as optimize_noise
    from oneleap.domains.music.composer.outpainting import measure_seams as measure_seams
    from oneleap.domains.music.composer.outpainting import outpaint as outpaint
    from oneleap.domains.music.composer.request import CompositionRequest as CompositionRequest
    from oneleap.domains.music.composer.session import Composition as Composition
    from oneleap.domains.music.composer.session import Session as Session
    from oneleap.domains.music.controls.base import Control as Control
    from oneleap.domains.music.controls.base import Intensity as Intensity
    from oneleap.domains.music.controls.base import Melody as Melody
    from oneleap.domains.music.controls.base import PlotData as PlotData
    from oneleap.domains.music.controls.base import WeightedControl as WeightedControl
    from oneleap.domains.music.controls.clap import Clap as Clap
    from oneleap.domains.music.controls.clap import load_clap as load_clap
    from oneleap.domains.music.controls.edits import Inpaint as Inpaint
    from oneleap.domains.music.controls.edits import Loop as Loop
    from oneleap.domains.music.controls.edits import Outpaint as Outpaint
    from oneleap.domains.music.controls.edits import Seam as Seam
    from oneleap.domains.music.controls.edits import SeamLevel as SeamLevel
    from oneleap.domains.music.controls.melody import melody_target as melody_target
    from oneleap.domains.music.controls.musicnn import Tagger as Tagger
    from oneleap.domains.music.controls.tagging import TargetTags as TargetTags
    from oneleap.domains.music.controls.targets import intensity_target as intensity_target
    from oneleap.domains.music.controls.timbre import Structure as Structure
    from oneleap.domains.music.controls.timbre import Timbre as Timbre
    from oneleap.domains.music.controls.timbre import mean_cepstrum as mean_cepstrum
    from oneleap.domains.music.data.datamodule import MusicData as MusicData
    from oneleap.domains.music.data.tunes import compose_tune as compose_tune
    from oneleap.domains.music.evaluation.frechet import frechet_distance as frechet_distance
    from oneleap.domains.music.evaluation.plots import plot_controls as plot_controls
    from oneleap.domains.music.models.model import MusicModel as MusicModel
    from oneleap.domains.music.models.nets import BackboneConfig as BackboneConfig
    from oneleap.domains.music.models.nets import DiTConfig as DiTConfig
    from oneleap.domains.music.models.nets import MusicNet as MusicNet
    from oneleap.domains.music.models.nets import UNetConfig as UNetConfig
    from oneleap.domains.music.spec import MUSIC_MEL as MUSIC_MEL
    from oneleap.domains.music.spec import MusicBatch as MusicBatch
    from oneleap.domains.music.spec import Spec as Spec

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "BackboneConfig": "models.nets",
        "CheckpointedSampler": "composer.ditto",
        "Clap": "controls.clap",
        "Composer": "composer.composer",
        "Composition": "composer.session",
        "CompositionRequest": "composer.request",
        "Control": "controls.base",
        "DiTConfig": "models.nets",
        "GenerationSettings": "composer.generation",
        "Inpaint": "controls.edits",
        "Intensity": "controls.base",
        "Loop": "controls.edits",
        "MUSIC_MEL": "spec",
        "Melody": "controls.base",
        "MusicData": "data.datamodule",
        "MusicBatch": "spec",
        "MusicModel": "models.model",
        "MusicNet": "models.nets",
        "Outpaint": "controls.edits",
        "PlotData": "controls.base",
        "Seam": "controls.edits",
        "SeamLevel": "controls.edits",
        "Session": "composer.session",
        "Spec": "spec",
        "Structure": "controls.timbre",
        "Tagger": "controls.musicnn",
        "TargetTags": "controls.tagging",
        "Timbre": "controls.timbre",
        "UNetConfig": "models.nets",
        "WeightedControl": "controls.base",
        "choose_decode_steps": "composer.ditto2",
        "compose_tune": "data.tunes",
        "frechet_distance": "evaluation.frechet",
        "intensity_target": "controls.targets",
        "invert": "composer.ditto",
        "load_clap": "controls.clap",
        "mean_cepstrum": "controls.timbre",
        "measure_seams": "composer.outpainting",
        "melody_target": "controls.melody",
        "optimize_latent": "composer.generation",
        "optimize_noise": "composer.optimize",
        "outpaint": "composer.outpainting",
        "plot_controls": "evaluation.plots",
        "shipped_composers": "composer.loading",
        "warm_start_noise": "composer.generation",
    },
)
