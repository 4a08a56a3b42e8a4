"""Singing: scores, models of durations, pitch and spectrograms, and singers made of them."""

from typing import TYPE_CHECKING

from oneleap.core.lazy import lazy_names

if TYPE_CHECKING:
    from oneleap.domains.singing.data.datamodule import SingingData as SingingData
    from oneleap.domains.singing.lyrics.phonemizer import Phonemizer as Phonemizer
    from oneleap.domains.singing.lyrics.phonemizer import read_dictionary as read_dictionary
    from oneleap.domains.singing.models.acoustic import AcousticModel as AcousticModel
    from oneleap.domains.singing.models.curves import CurveModel as CurveModel
    from oneleap.domains.singing.models.durations import DurationModel as DurationModel
    from oneleap.domains.singing.models.nets import AuxDecoderConfig as AuxDecoderConfig
    from oneleap.domains.singing.models.nets import ConvNeXtConfig as ConvNeXtConfig
    from oneleap.domains.singing.models.nets import EncoderConfig as EncoderConfig
    from oneleap.domains.singing.models.nets import LYNXConfig as LYNXConfig
    from oneleap.domains.singing.models.nets import WaveNetConfig as WaveNetConfig
    from oneleap.domains.singing.models.sampling import CoarseMelSampler as CoarseMelSampler
    from oneleap.domains.singing.scores.read import read_score as read_score
    from oneleap.domains.singing.scores.read import read_segments as read_segments
    from oneleap.domains.singing.scores.score import Note as Note
    from oneleap.domains.singing.scores.score import Score as Score
    from oneleap.domains.singing.segments.segment import ScoreSegment as ScoreSegment
    from oneleap.domains.singing.segments.segment import Segment as Segment
    from oneleap.domains.singing.spec import Spec as Spec
    from oneleap.domains.singing.voice.language import read_song as read_song
    from oneleap.domains.singing.voice.singer import Singer as Singer

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "AcousticModel": "models.acoustic",
        "AuxDecoderConfig": "models.nets",
        "CoarseMelSampler": "models.sampling",
        "ConvNeXtConfig": "models.nets",
        "CurveModel": "models.curves",
        "DurationModel": "models.durations",
        "EncoderConfig": "models.nets",
        "LYNXConfig": "models.nets",
        "Note": "scores.score",
        "Phonemizer": "lyrics.phonemizer",
        "Score": "scores.score",
        "ScoreSegment": "segments.segment",
        "Segment": "segments.segment",
        "Singer": "voice.singer",
        "SingingData": "data.datamodule",
        "Spec": "spec",
        "WaveNetConfig": "models.nets",
        "read_dictionary": "lyrics.phonemizer",
        "read_score": "scores.read",
        "read_segments": "scores.read",
        "read_song": "voice.language",
    },
)
