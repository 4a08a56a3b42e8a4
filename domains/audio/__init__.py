"""Sound: mel spectrograms, audio files, pitch, and vocoders."""

from typing import TYPE_CHECKING

from oneleap.core.lazy import lazy_names

if TYPE_CHECKING:
    from oneleap.domains.audio.data.datamodule import AudioData as AudioData
    from oneleap.domains.audio.data.pitched import PitchedAudioData as PitchedAudioData
    from oneleap.domains.audio.data.source_filter import SourceFilterData as SourceFilterData
    from oneleap.domains.audio.mel import Mel as Mel
    from oneleap.domains.audio.mel import log_mel as log_mel
    from oneleap.domains.audio.pitch import PitchFormat as PitchFormat
    from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim as GriffinLim
    from oneleap.domains.audio.vocoders.losses import MultiResolutionSTFT as MultiResolutionSTFT
    from oneleap.domains.audio.vocoders.nsf import NSF as NSF
    from oneleap.domains.audio.vocoders.nsf_training import NSFTraining as NSFTraining
    from oneleap.domains.audio.vocoders.source_filter import (
        SourceFilterVocoder as SourceFilterVocoder,
    )
    from oneleap.domains.audio.vocoders.source_filter_training import (
        SourceFilterTraining as SourceFilterTraining,
    )
    from oneleap.domains.audio.vocoders.training import VocoderTraining as VocoderTraining
    from oneleap.domains.audio.vocoders.vocos import Vocos as Vocos
    from oneleap.domains.audio.wave import Wave as Wave
    from oneleap.domains.audio.wave import read_wave as read_wave
    from oneleap.domains.audio.wave import write_wave as write_wave

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "AudioData": "data.datamodule",
        "GriffinLim": "vocoders.griffin_lim",
        "Mel": "mel",
        "MultiResolutionSTFT": "vocoders.losses",
        "NSF": "vocoders.nsf",
        "NSFTraining": "vocoders.nsf_training",
        "PitchFormat": "pitch",
        "PitchedAudioData": "data.pitched",
        "SourceFilterData": "data.source_filter",
        "SourceFilterTraining": "vocoders.source_filter_training",
        "SourceFilterVocoder": "vocoders.source_filter",
        "VocoderTraining": "vocoders.training",
        "Vocos": "vocoders.vocos",
        "Wave": "wave",
        "log_mel": "mel",
        "read_wave": "wave",
        "write_wave": "wave",
    },
)
