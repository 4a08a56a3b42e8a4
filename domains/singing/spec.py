"""What a model must know of a singer's data, and what a batch of it is."""

from dataclasses import dataclass, field
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from oneleap.domains.audio.mel import Mel

SINGING = Mel(sample_rate=24_000, n_fft=1024, hop=256, window=1024, n_mels=80, fmax=12_000.0)
"""The contract of the shipped singer."""


@dataclass(frozen=True)
class Spec:
    """Contract, alphabet and range; stored with the weights.

    Attributes:
        mel: Contract of the spectrograms.
        phonemes: In order; token 0 is padding, the first phoneme is token 1.
        lowest: Least pitch of a note in the data, semitones (60 is C4).
        highest: Greatest.
    """

    mel: Mel = field(default_factory=lambda: SINGING)
    phonemes: tuple[str, ...] = ("SP", "AP", "a", "i", "u", "e", "o", "k", "s", "t", "n")
    lowest: float = 48.0
    highest: float = 84.0


class Songs(NamedTuple):
    """Phrases that were sung, padded. Frames are those of the contract.

    Attributes:
        tokens: Numbers of phonemes, 0 at padding.
        durations: Frames of each phoneme; a fraction is kept where only the sum is whole.
        onset: Whether a phoneme begins a word.
        word: Number of each phoneme's word; padding has the last one's.
        word_dur: Frames of each phoneme's word.
        ph_midi: Pitch of the note that each phoneme's word begins with, semitones; 0 at rests.
        each: Whole frames of each phoneme: differences of rounded ends.
        notes: Pitch of each note, semitones, rests filled from their neighbours.
        rest: Where notes are rests.
        note_each: Whole frames of each note.
        mel: Normalised spectrograms.
        f0: Hz, carried on through what has no voice.
        base: Semitones of the score, smoothed.
        energy: dB.
        breathiness: dB.
        frames: Frames of each phrase.
    """

    tokens: Int[Tensor, "b l"]
    durations: Float[Tensor, "b l"]
    onset: Bool[Tensor, "b l"]
    word: Int[Tensor, "b l"]
    word_dur: Float[Tensor, "b l"]
    ph_midi: Float[Tensor, "b l"]
    each: Int[Tensor, "b l"]
    notes: Float[Tensor, "b k"]
    rest: Bool[Tensor, "b k"]
    note_each: Int[Tensor, "b k"]
    mel: Float[Tensor, "b mels n"]
    f0: Float[Tensor, "b n"]
    base: Float[Tensor, "b n"]
    energy: Float[Tensor, "b n"]
    breathiness: Float[Tensor, "b n"]
    frames: Int[Tensor, "b"]
