"""Changes of generated features: the pitch, and the effort of the voice."""

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.domains.audio.mel import SCALES, Mel, log_mel
from oneleap.domains.audio.vocoders.harmonics import harmonic_source
from oneleap.domains.speech.spec import Spec

EFFORT_HZ = (250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)
NORMAL_DB = (34.75, 34.27, 25.01, 17.32, 9.33, 1.13)
LOUD_DB = (41.55, 44.85, 42.16, 34.39, 25.41, 11.39)
"""Spectrum levels of normal and of loud speech in octave bands (ANSI S3.5-1997, Table 4)."""

EFFORT_DB = 74.85 - 62.35
"""Overall level of loud speech above that of normal speech, from the same table."""


LOWEST_HZ, HIGHEST_HZ, PER_OCTAVE = 50.0, 900.0, 48
"""Pitches of the table of pulse trains."""

CONTRAST = 0.6
"""Harmonics of speech in a spectrogram, compared with those of a pulse train of constant pitch.

Speech has noise, and its pitch moves. On four Harvard sentences of a voice in training, four
semitones higher, DNSMOS was 2.7 with 0, 3.2 with 0.6, 2.9 with 1, and 3.3 without a change.
"""


def change_pitch(
    features: Float[Tensor, "c n"], spec: Spec, semitones: float
) -> Float[Tensor, "c n"]:
    """Shift the pitch of features that have pitch.

    Low mel bands are narrow enough to show single harmonics. A vocoder that is given another pitch
    than these show amplifies some harmonics and loses others. So in voiced frames the spectrum of
    a pulse train of the old pitch is taken off the bands, in part, and one of the new pitch added.
    Both have the same power, so the loudness stays about the same.

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
    n, mel, changed = spec.mel.n_mels, spec.mel, features.clone()
    changed[n] += semitones * math.log(2) / 12 / spec.pitch.scale
    old, new = (spec.pitch.decode(x[None, n:])[0] for x in (features, changed))
    table = pulse_spectra(mel).to(features)
    moved = features[:n] + CONTRAST * (_interpolate(table, new) - _interpolate(table, old))
    voiced = (old > 0) & (features[:n] > mel.silence)
    changed[:n] = torch.where(voiced, moved.clamp(min=mel.silence), features[:n])
    return changed


@lru_cache(maxsize=32)
@torch.inference_mode()
def pulse_spectra(mel: Mel) -> Float[Tensor, "pitches mels"]:
    """Normalized spectra of pulse trains of equal power, for pitches from 50 to 900 Hz."""
    count = 1 + int(PER_OCTAVE * math.log2(HIGHEST_HZ / LOWEST_HZ))
    hz = LOWEST_HZ * 2 ** (torch.arange(count) / PER_OCTAVE)
    edge = -(-mel.n_fft // mel.hop)  # frames that see the ends
    pulses = harmonic_source(hz.unsqueeze(1).expand(-1, 2 * edge + 8), mel)
    wave = 0.5 * pulses * (hz / mel.sample_rate).sqrt().unsqueeze(1)
    return log_mel(wave, mel)[:, :, edge:-edge].mean(2)


def _interpolate(
    table: Float[Tensor, "pitches mels"], hz: Float[Tensor, "n"]
) -> Float[Tensor, "mels n"]:
    """Read the table at any pitch; pitches outside it count as the nearest one in it."""
    place = PER_OCTAVE * (hz.clamp(LOWEST_HZ, HIGHEST_HZ) / LOWEST_HZ).log2()
    first = place.long().clamp(max=len(table) - 2)
    share = (place - first).clamp(max=1).unsqueeze(1)
    return torch.lerp(table[first], table[first + 1], share).mT


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
