"""What a model must know of a voice's data, and what a batch of it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from oneleap.core.errors import InputError, nearest
from oneleap.domains.audio.mel import Mel
from oneleap.domains.speech.text.symbols import SYMBOLS


@dataclass(frozen=True)
class Spec:
    """Contract and alphabet; stored with the weights.

    Attributes:
        mel: Contract of the spectrograms.
        symbols: What texts are made of.
        speakers: Names.
        language: Of espeak-ng.
    """

    mel: Mel = field(default_factory=Mel)
    symbols: tuple[str, ...] = SYMBOLS
    speakers: tuple[str, ...] = ("speaker",)
    language: str = "en-us"


@dataclass(frozen=True)
class Lean:
    """A speaker of few recordings whose sounds lean on those of one of many.

    When it speaks, what its tokens sound like on average is by ``share`` the other's; durations and
    the decoder's voice stay its own.

    Attributes:
        speaker: Who leans.
        to: On whom.
        share: 0 is not at all, 1 is all the other's.
    """

    speaker: str
    to: str
    share: float = 0.5


def shares(speakers: Sequence[str], leans: Sequence[Lean]) -> Float[Tensor, "s s"]:
    """Whose sounds each speaker has, by shares; rows sum to 1.

    Raises:
        InputError: If a name is none of the speakers', or a share is outside [0, 1].
    """
    rows = torch.eye(len(speakers))
    for lean in leans:
        for name in (lean.speaker, lean.to):
            if name not in speakers:
                raise InputError(
                    f"leans: no speaker '{name}'{nearest(name, speakers)} ({', '.join(speakers)})"
                )
        if not 0 <= lean.share <= 1:
            raise InputError(f"leans: a share between 0 and 1, not {lean.share:g}")
        a, b = speakers.index(lean.speaker), speakers.index(lean.to)
        rows[a] = (1 - lean.share) * torch.eye(len(speakers))[a]
        rows[a, b] += lean.share
    return rows


class Utterances(NamedTuple):
    """Recordings and their texts, padded.

    Attributes:
        tokens: Numbers of symbols, 0 at padding.
        lengths: Tokens of each.
        mel: Normalised spectrograms.
        frames: Frames of each, never fewer than its tokens.
        speaker: Number of who speaks.
    """

    tokens: Int[Tensor, "b l"]
    lengths: Int[Tensor, "b"]
    mel: Float[Tensor, "b mels n"]
    frames: Int[Tensor, "b"]
    speaker: Int[Tensor, "b"]


class Aligned(NamedTuple):
    """Recordings whose frames are told which token they belong to, and a crop of each.

    Attributes:
        tokens: Numbers of symbols, (b, l).
        token_mask: True at real tokens.
        speaker: Number of who speaks.
        durations: Frames of each token, 0 at padding.
        means: Mean spectrum of each token's frames, 0 at padding.
        x: Spectrograms of the crops.
        owner: Token of each frame of the crops.
        mask: True at real frames of the crops.
        dropped: Rows whose text the decoder is not to see.
    """

    tokens: Int[Tensor, "b l"]
    token_mask: Bool[Tensor, "b l"]
    speaker: Int[Tensor, "b"]
    durations: Int[Tensor, "b l"]
    means: Float[Tensor, "b mels l"]
    x: Float[Tensor, "b mels n"]
    owner: Int[Tensor, "b n"]
    mask: Bool[Tensor, "b 1 n"]
    dropped: Bool[Tensor, "b"]
