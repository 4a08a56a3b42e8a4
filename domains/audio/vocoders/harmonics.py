"""The pulse train that excites a source-filter vocoder."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.nsf import LOWEST_HZ, phase_cycles

HIGHEST = 11 / 24
"""Frequency above which the pulse train has no harmonics, as a share of the sample rate."""


def hold_pitch(f0: Float[Tensor, "b n"], hop: int) -> Float[Tensor, "b samples"]:
    """Pitch of each sample: linear between the centers of voiced frames, 0 in unvoiced frames.

    Next to an unvoiced frame the pitch is held, so it never glides to 0.
    """
    voiced = f0 >= LOWEST_HZ
    wide = nn.functional.pad(f0.unsqueeze(1), (1, 1), mode="replicate")[:, 0]
    before, after = (torch.where(x >= LOWEST_HZ, x, f0) for x in (wide[:, :-2], wide[:, 2:]))
    place = (torch.arange(hop, device=f0.device, dtype=f0.dtype) + 0.5) / hop - 0.5
    middle = f0.unsqueeze(2)
    hz = middle + place.clamp(min=0) * (after.unsqueeze(2) - middle)
    hz = hz + place.clamp(max=0) * (middle - before.unsqueeze(2))
    return torch.where(voiced.unsqueeze(2), hz, torch.zeros_like(hz)).flatten(1)


def harmonic_source(
    f0: Float[Tensor, "b n"], mel: Mel, highest: float = HIGHEST
) -> Float[Tensor, "b samples"]:
    """Cosines of amplitude 1 at all multiples of the pitch up to a highest frequency.

    ``sum_{k=1}^{K} cos(2 pi k phi)`` in the closed form of Dirichlet's kernel,
    ``sin((K + 1/2) x) / (2 sin(x / 2)) - 1/2``, so the cost does not depend on their number.

    Args:
        f0: Pitch of each frame in Hz; frames below 20 Hz are unvoiced and silent.
        mel: Spectrogram format, for sample rate and hop.
        highest: Highest frequency as a share of the sample rate, at most 1/2.

    Returns:
        Samples, ``n * hop`` per row.
    """
    hz = hold_pitch(f0, mel.hop)
    sure = hz.clamp(min=LOWEST_HZ)
    count = (highest * mel.sample_rate / sure).floor()
    x = 2 * math.pi * phase_cycles(sure, mel.sample_rate)
    near = x.abs() < 1e-4
    half = torch.where(near, torch.ones_like(x), (x / 2).sin())
    kernel = torch.where(near, count, ((count + 0.5) * x).sin() / (2 * half) - 0.5)
    return torch.where(hz >= LOWEST_HZ, kernel, torch.zeros_like(kernel))
