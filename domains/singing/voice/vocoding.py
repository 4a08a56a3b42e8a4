"""The vocoders of a singer, called alike."""

from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.hub.config import class_path
from oneleap.core.hub.pretrained import Pretrained
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.singing.spec import Spec
from oneleap.domains.singing.voice.loading import VOCODER, load_part

SongVocoder = NSF | SourceFilterVocoder
"""Vocoders that follow a given pitch."""


def load_vocoder(folder: Path) -> SongVocoder:
    """Load the vocoder of a singer, a run or a model folder.

    Raises:
        InputError: There is none, or it does not follow a given pitch.
    """
    model = load_part(folder, VOCODER, Pretrained)
    if not isinstance(model, NSF | SourceFilterVocoder):
        raise InputError(
            f"{VOCODER}: {folder} holds a {class_path(type(model))}; a singer needs one that "
            "follows a given pitch: SourceFilterVocoder or NSF"
        )
    return model


def check_vocoder(spec: Spec, vocoder: SongVocoder) -> None:
    """Check that an acoustic model generates what its vocoder needs besides the spectrogram.

    Raises:
        InputError: The vocoder needs voicing, and the model does not generate it.
    """
    if isinstance(vocoder, SourceFilterVocoder) and not spec.voicing:
        raise InputError(
            "vocoder: a SourceFilterVocoder needs voicing: train the acoustic model with "
            "--data.voicing true, or take an NSF vocoder"
        )


def vocode(
    vocoder: SongVocoder,
    spec: Spec,
    x: Float[Tensor, "b c n"],
    f0: Float[Tensor, "b n"],
    draw: Callable[[Tensor], Tensor],
) -> Float[Tensor, "b samples"]:
    """Samples of what an acoustic model generates.

    Args:
        vocoder: The vocoder.
        spec: Spec of the acoustic model.
        x: Generated channels: normalized spectrogram, and voicing if the spec has it.
        f0: Pitch of each frame in Hz, interpolated through unvoiced frames.
        draw: Function that gets a tensor of zeros and returns standard normal noise of its shape.

    Returns:
        Samples.
    """
    mel = x[:, : spec.mel.n_mels]
    pitch = torch.where(spec.voiced(x), f0, 0.0) if spec.voicing else f0
    noise = draw(x.new_zeros(len(x), x.shape[2] * spec.mel.hop))
    samples: Tensor = vocoder(mel, pitch, noise=noise)
    return samples
