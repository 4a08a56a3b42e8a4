"""Features to sound, in one batch or piece by piece, after changes of pitch and effort."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.loudness import FADE_S
from oneleap.domains.audio.mel import SCALES, Mel
from oneleap.domains.audio.sequence import sequence_mask
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech.spec import Spec

EFFORT_HZ = (250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
NORMAL_DB = (34.75, 34.27, 25.01, 17.32, 9.33, 1.13)
LOUD_DB = (41.55, 44.85, 42.16, 34.39, 25.41, 11.39)
"""Spectrum levels of normal and of loud speech in octave bands (ANSI S3.5-1997, Table 4)."""

EFFORT_DB = 74.85 - 62.35
"""Overall level of loud speech above that of normal speech, from the same table."""


@runtime_checkable
class Vocoder(Protocol):
    """Converts normalized mel spectrograms to samples."""

    def __call__(
        self, mel: Float[Tensor, "b mels n"], mask: Tensor | None = None
    ) -> Float[Tensor, "b samples"]:
        """Return a hop of samples per frame. The mask, (b, 1, n), is true at real frames."""


def change_pitch(
    features: Float[Tensor, "c n"], spec: Spec, semitones: float
) -> Float[Tensor, "c n"]:
    """Shift the pitch of features that have pitch.

    Args:
        features: Normalized features.
        spec: Their format, with pitch.
        semitones: Change of pitch.

    Returns:
        The features, themselves if nothing changes.
    """
    if semitones == 0:
        return features
    assert spec.pitch is not None
    changed = features.clone()
    changed[spec.mel.n_mels] += semitones * math.log(2) / 12 / spec.pitch.scale
    return changed


def change_effort(features: Float[Tensor, "c n"], mel: Mel, db: float) -> Float[Tensor, "c n"]:
    """Change the vocal effort of features.

    A louder voice is not the same sound at a higher level: from 1 to 4 kHz it gains more than at
    250 Hz. The spectrum changes as from normal to loud speech in ANSI S3.5, in proportion to
    ``db``. The change of the overall level is left out, so the loudness stays about the same.

    Args:
        features: Normalized features, of which the first are mel bands.
        mel: Format of the bands.
        db: Change of effort in dB: the change of level that a speaker's voice would have.

    Returns:
        The features, themselves if nothing changes.
    """
    if db == 0:
        return features
    n, shift = mel.n_mels, torch.from_numpy(effort_shift(mel)).to(features)
    bands = (features[:n] + db * shift.unsqueeze(1)).clamp(min=mel.silence)
    return torch.cat([torch.where(features[:n] > mel.silence, bands, features[:n]), features[n:]])


@lru_cache(maxsize=32)
def effort_shift(mel: Mel) -> NDArray[np.float64]:
    """Change of each normalized mel band for a change of effort of 1 dB, (mels,)."""
    to_mel, to_hz = SCALES[mel.scale]
    low, high = to_mel(np.array([mel.fmin, mel.fmax]))
    hz = to_hz(np.linspace(low, high, mel.n_mels + 2))[1:-1]
    slope = (np.array(LOUD_DB) - np.array(NORMAL_DB)) / EFFORT_DB - 1
    db: NDArray[np.float64] = np.interp(np.log(hz), np.log(EFFORT_HZ), slope)
    log = db / 20 * (math.log(10) if mel.log_base == "e" else 1.0)
    return np.asarray(log / mel.std)


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
