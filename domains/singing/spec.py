"""What a model must know about the data of a singer, and the batches it is trained on."""

from dataclasses import dataclass, field
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from oneleap.domains.audio.mel import Mel

SINGING = Mel(sample_rate=24_000, n_fft=1024, hop=256, window=1024, n_mels=80, fmax=12_000.0)
"""Spectrogram format of the shipped singer."""


@dataclass(frozen=True)
class Spec:
    """Spectrogram format, phonemes and range of a singer; stored with every model.

    Attributes:
        mel: Spectrogram format.
        phonemes: Phonemes in the order of their tokens. Token 0 is padding, so the first phoneme
            has token 1.
        lowest: Lowest pitch of a note in the data, in semitones (60 is C4).
        highest: Highest pitch of a note in the data, in semitones.
    """

    mel: Mel = field(default_factory=lambda: SINGING)
    phonemes: tuple[str, ...] = ("SP", "AP", "a", "i", "u", "e", "o", "k", "s", "t", "n")
    lowest: float = 48.0
    highest: float = 84.0


class SingingBatch(NamedTuple):
    """Padded phrases: the score, and what was recorded of it. All durations are in frames.

    Attributes:
        tokens: Token of each phoneme, 0 at padding.
        exact_durations: Duration of each phoneme, not rounded.
        word_onset: True at the first phoneme of each word.
        word_index: Word of each phoneme. Padding has the index of the last word.
        word_durations: Duration of the word of each phoneme, not rounded.
        ph_midi: Pitch of the first note of each phoneme's word in semitones, 0 at rests.
        durations: Whole frames of each phoneme: differences of rounded end times.
        note_midi: Pitch of each note in semitones. Rests have the pitch of a neighbor.
        note_rest: True at rests.
        note_durations: Whole frames of each note.
        mel: Normalized log-mel spectrograms.
        f0: Pitch of each frame in Hz, interpolated through unvoiced frames.
        base_pitch: Smoothed pitch of the score at each frame, in semitones.
        energy: Energy of each frame in dB.
        breathiness: Energy of the aperiodic part of each frame in dB.
        num_frames: Number of frames of each phrase.
    """

    tokens: Int[Tensor, "b l"]
    exact_durations: Float[Tensor, "b l"]
    word_onset: Bool[Tensor, "b l"]
    word_index: Int[Tensor, "b l"]
    word_durations: Float[Tensor, "b l"]
    ph_midi: Float[Tensor, "b l"]
    durations: Int[Tensor, "b l"]
    note_midi: Float[Tensor, "b k"]
    note_rest: Bool[Tensor, "b k"]
    note_durations: Int[Tensor, "b k"]
    mel: Float[Tensor, "b mels n"]
    f0: Float[Tensor, "b n"]
    base_pitch: Float[Tensor, "b n"]
    energy: Float[Tensor, "b n"]
    breathiness: Float[Tensor, "b n"]
    num_frames: Int[Tensor, "b"]
