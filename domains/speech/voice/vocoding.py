"""Features to sound, in one batch or piece by piece."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.loudness import FADE_S
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.sequence import sequence_mask
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech.spec import Spec


@runtime_checkable
class Vocoder(Protocol):
    """Converts normalized mel spectrograms to samples."""

    def __call__(
        self, mel: Float[Tensor, "b mels n"], mask: Tensor | None = None
    ) -> Float[Tensor, "b samples"]:
        """Return a hop of samples per frame. The mask, (b, 1, n), is true at real frames."""


@torch.inference_mode()
def vocode(
    vocoder: Vocoder | SourceFilterVocoder,
    spec: Spec,
    features: Sequence[Float[Tensor, "c _"]],
    seeds: Sequence[int],
) -> list[Wave]:
    """Convert features to sounds in one batch, each faded at its ends.

    Args:
        vocoder: The vocoder.
        spec: Format of the features.
        features: Normalized features of each sound.
        seeds: Seed of the noise in each sound, for vocoders that use noise.

    Returns:
        The sounds.
    """
    frames = torch.tensor([row.shape[1] for row in features], device=features[0].device)
    padded = torch.nn.utils.rnn.pad_sequence([row.T for row in features], batch_first=True).mT
    mels, mask = padded[:, : spec.mel.n_mels], None
    if len(features) > 1:
        mask = sequence_mask(frames, padded.shape[2]).unsqueeze(1)
    if isinstance(vocoder, SourceFilterVocoder):
        noise = _source_noise(spec.mel, frames.tolist(), seeds).to(padded.device)
        samples = vocoder(mels, _pitch(padded, spec), mask, noise)
    else:
        samples = vocoder(mels, mask)
    ends = (frames * spec.mel.hop).tolist()
    rows = samples.float().cpu().numpy()
    return [
        _faded(row[:end].copy(), 0, end, spec.mel.sample_rate)
        for row, end in zip(rows, ends, strict=True)
    ]


def vocode_in_pieces(
    vocoder: Vocoder | SourceFilterVocoder,
    spec: Spec,
    features: Float[Tensor, "c n"],
    seed: int,
    frames: int,
) -> Iterator[Wave]:
    """Convert features to the sound of :func:`vocode`, piece by piece.

    Args:
        vocoder: The vocoder.
        spec: Format of the features.
        features: Normalized features.
        seed: Seed of the noise, for vocoders that use noise.
        frames: Number of frames of a piece. Griffin-Lim returns the whole sound.

    Yields:
        The pieces.
    """
    mel, n = features[: spec.mel.n_mels].unsqueeze(0), features.shape[1]
    if isinstance(vocoder, SourceFilterVocoder):
        noise = _source_noise(spec.mel, [n], [seed]).to(mel.device)
        pieces = vocoder.stream(mel, _pitch(features.unsqueeze(0), spec), frames, noise)
    elif isinstance(vocoder, Vocos):
        pieces = vocoder.stream(mel, frames)
    else:
        pieces = iter([vocoder(mel)])
    first = 0
    for piece in pieces:
        samples = piece[0].float().cpu().numpy().copy()
        yield _faded(samples, first, n * spec.mel.hop, spec.mel.sample_rate)
        first += len(samples)


def _faded(samples: NDArray[np.float32], first: int, total: int, rate: int) -> Wave:
    """Fade a sound at its ends, in place, so that they do not click.

    Args:
        samples: The sound, or a piece of it.
        first: Number of samples of the sound before the piece.
        total: Number of samples of the sound.
        rate: Sample rate in Hz.
    """
    n = min(round(FADE_S * rate), total // 2)
    ramp = (np.sin(0.5 * np.pi * (np.arange(n) + 0.5) / max(n, 1)) ** 2).astype(np.float32)
    head = ramp[first : first + len(samples)]
    samples[: len(head)] *= head
    start = max(total - n - first, 0)
    tail = ramp[::-1][max(first - (total - n), 0) :][: max(len(samples) - start, 0)]
    samples[start : start + len(tail)] *= tail
    return Wave(samples, rate)


def _pitch(features: Float[Tensor, "b c n"], spec: Spec) -> Float[Tensor, "b n"]:
    """Return the pitch of features, in Hz, 0 where unvoiced."""
    assert spec.pitch is not None
    return spec.pitch.decode(features[:, spec.mel.n_mels :])


def _source_noise(
    mel: Mel, frames: Sequence[int], seeds: Sequence[int]
) -> Float[Tensor, "b samples"]:
    """Draw the noise of a source-filter vocoder; it is zero at padding."""
    noise = torch.zeros(len(frames), max(frames) * mel.hop)
    for row, n, seed in zip(noise, frames, seeds, strict=True):
        row[: n * mel.hop] = torch.randn(n * mel.hop, generator=step_generator(seed, 0, 5))
    return noise
