"""What a model must know about the data of a singer, and the batches it is trained on."""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
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
        language: Language of the lyrics, ``ja`` or ``en``; empty if a dictionary is needed.
        breath: Whether the data have audible breaths. Without them, a breath is silence.
        voicing: Whether voicing is generated as one more channel after the spectrogram, 1 in voiced
            frames and -1 in others. A source-filter vocoder needs it.
    """

    mel: Mel = field(default_factory=lambda: SINGING)
    phonemes: tuple[str, ...] = ("SP", "AP", "a", "i", "u", "e", "o", "k", "s", "t", "n")
    lowest: float = 48.0
    highest: float = 84.0
    language: str = "ja"
    breath: bool = True
    voicing: bool = False

    @property
    def tokens(self) -> dict[str, int]:
        """Token of each phoneme; a breath that the voice never heard is silence."""
        found = {phoneme: i + 1 for i, phoneme in enumerate(self.phonemes)}
        if not self.breath and {"AP", "SP"} <= found.keys():
            found["AP"] = found["SP"]
        return found

    @property
    def channels(self) -> int:
        """Number of channels that are generated."""
        return self.mel.n_mels + self.voicing

    def voiced(self, x: Float[Tensor, "b c n"]) -> Bool[Tensor, "b n"]:
        """Voiced frames of generated channels; all frames if voicing is not generated."""
        if not self.voicing:
            return torch.ones(len(x), x.shape[2], dtype=torch.bool, device=x.device)
        return x[:, self.mel.n_mels] > 0


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
        mel: Normalized log-mel spectrograms, with voicing after them if it is generated.
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
