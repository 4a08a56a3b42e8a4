"""Specification of a voice's data, mixtures of speakers, and the batches of training."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from oneleap.core.errors import InputError, suggest
from oneleap.domains.audio.mel import Mel, check_compatible
from oneleap.domains.audio.pitch import PitchFormat
from oneleap.domains.speech.text.symbols import SYMBOLS, Phonemizer


@dataclass(frozen=True)
class Spec:
    """Format of the features, alphabet and speakers. They are stored with the weights.

    The features of a frame are its normalized mel bands and, with ``pitch``, two channels for
    pitch and voicing after them.

    Attributes:
        mel: Format of the spectrograms.
        symbols: Alphabet of the phonetic text.
        speakers: Names of the speakers.
        language: Language, such as ``en-us``.
        phonemizer: What converts words to phonemes. Models saved before there was a choice were
            trained on phonemes of espeak-ng, and say nothing.
        pitch: Format of pitch and voicing; ``None`` if only spectrograms are generated.
    """

    mel: Mel = field(default_factory=Mel)
    symbols: tuple[str, ...] = SYMBOLS
    speakers: tuple[str, ...] = ("speaker",)
    language: str = "en-us"
    phonemizer: Phonemizer = "espeak"
    pitch: PitchFormat | None = None

    @property
    def channels(self) -> int:
        """Number of features of a frame."""
        return self.mel.n_mels + (2 if self.pitch else 0)

    def require_same(self, other: "Spec", names: Sequence[str], source: str) -> None:
        """Check that a model with another specification means the same by its features.

        Args:
            other: Specification of that model.
            names: Fields that must be equal, besides the format of the spectrograms.
            source: What to call that model in a message.

        Raises:
            InputError: If a field differs.
        """
        check_compatible(other.mel, self.mel, source, "the data")
        for name in names:
            theirs, ours = getattr(other, name), getattr(self, name)
            if theirs != ours:
                raise InputError(f"{source} has {name} {theirs}, the data {ours}")


@dataclass(frozen=True)
class SpeakerMix:
    """A speaker whose sounds are mixed with those of another speaker.

    It helps a speaker with few recordings. In synthesis, the encoder is conditioned on the mean
    of the two speaker embeddings, weighted by ``weight``. The mean spectra of tokens are mixed by
    the same weights, because they are linear in the embedding. Durations and the decoder are
    conditioned on the speaker's own embedding.

    Attributes:
        speaker: Name of the speaker.
        other: Name of the speaker who is mixed in.
        weight: Weight of the other speaker, from 0 to 1.
    """

    speaker: str
    other: str
    weight: float = 0.5


def mixing_weights(speakers: Sequence[str], mixes: Sequence[SpeakerMix]) -> Float[Tensor, "s s"]:
    """Compute the weight of each speaker's embedding in the encoder of each speaker.

    Args:
        speakers: Names of all speakers.
        mixes: Mixtures; a speaker without one keeps its own embedding.

    Returns:
        Weights with one row per speaker. Rows sum to 1.

    Raises:
        InputError: If a name is unknown or a weight is outside [0, 1].
    """
    rows = torch.eye(len(speakers))
    for mix in mixes:
        for name in (mix.speaker, mix.other):
            if name not in speakers:
                raise InputError(
                    f"speaker_mixes: no speaker '{name}'{suggest(name, speakers)} "
                    f"({', '.join(speakers)})"
                )
        if not 0 <= mix.weight <= 1:
            raise InputError(f"speaker_mixes: weight must be from 0 to 1, not {mix.weight:g}")
        a, b = speakers.index(mix.speaker), speakers.index(mix.other)
        rows[a] = (1 - mix.weight) * torch.eye(len(speakers))[a]
        rows[a, b] += mix.weight
    return rows


class UtteranceBatch(NamedTuple):
    """A padded batch of recordings with their texts.

    Attributes:
        tokens: Token ids, 0 at padding.
        lengths: Number of tokens of each text.
        features: Normalized features, see :class:`Spec`.
        frames: Number of frames of each recording, at least its number of tokens.
        speaker: Index of each speaker.
        durations: Number of frames of each token, or ``None`` if the model is to find them.
    """

    tokens: Int[Tensor, "b l"]
    lengths: Int[Tensor, "b"]
    features: Float[Tensor, "b c n"]
    frames: Int[Tensor, "b"]
    speaker: Int[Tensor, "b"]
    durations: Int[Tensor, "b l"] | None = None


class AlignedBatch(NamedTuple):
    """A batch with a duration for each token, and a crop of each recording.

    Attributes:
        tokens: Token ids.
        token_mask: True at real tokens.
        speaker: Index of each speaker.
        durations: Number of frames of each token, 0 at padding.
        means: Mean features over each token's frames, 0 at padding.
        x: Normalized features of the crops.
        frame_to_token: Index of the token of each frame of the crops.
        mask: True at real frames of the crops.
        dropped: True at rows whose text is hidden from the decoder.
    """

    tokens: Int[Tensor, "b l"]
    token_mask: Bool[Tensor, "b l"]
    speaker: Int[Tensor, "b"]
    durations: Int[Tensor, "b l"]
    means: Float[Tensor, "b c l"]
    x: Float[Tensor, "b c n"]
    frame_to_token: Int[Tensor, "b n"]
    mask: Bool[Tensor, "b 1 n"]
    dropped: Bool[Tensor, "b"]
