"""Speech: text to a voice, in one network call."""

from typing import TYPE_CHECKING

from oneleap.core.lazy import lazy_names

if TYPE_CHECKING:
    from oneleap.domains.speech.data.datamodule import SpeechData as SpeechData
    from oneleap.domains.speech.evaluation.recognition import Recognizer as Recognizer
    from oneleap.domains.speech.evaluation.recognition import word_error_rate as word_error_rate
    from oneleap.domains.speech.models.acoustic import AcousticModel as AcousticModel
    from oneleap.domains.speech.models.nets import ConvNeXtConfig as ConvNeXtConfig
    from oneleap.domains.speech.models.nets import DecoderConfig as DecoderConfig
    from oneleap.domains.speech.models.nets import DiTConfig as DiTConfig
    from oneleap.domains.speech.models.nets import TextEncoderConfig as TextEncoderConfig
    from oneleap.domains.speech.models.nets import UNetConfig as UNetConfig
    from oneleap.domains.speech.spec import SpeakerMix as SpeakerMix
    from oneleap.domains.speech.spec import Spec as Spec
    from oneleap.domains.speech.text.frontend import FrontEnd as FrontEnd
    from oneleap.domains.speech.voice.about import About as About
    from oneleap.domains.speech.voice.delivery import Delivery as Delivery
    from oneleap.domains.speech.voice.voice import Voice as Voice

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "About": "voice.about",
        "AcousticModel": "models.acoustic",
        "ConvNeXtConfig": "models.nets",
        "DecoderConfig": "models.nets",
        "Delivery": "voice.delivery",
        "DiTConfig": "models.nets",
        "FrontEnd": "text.frontend",
        "Recognizer": "evaluation.recognition",
        "SpeakerMix": "spec",
        "Spec": "spec",
        "SpeechData": "data.datamodule",
        "TextEncoderConfig": "models.nets",
        "UNetConfig": "models.nets",
        "Voice": "voice.voice",
        "word_error_rate": "evaluation.recognition",
    },
)
