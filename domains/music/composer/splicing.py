"""Joining of generated and given samples, whose phases are unrelated."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel

Samples = NDArray[np.float32]

LOOP_CONTEXT = 64
"""Number of frames of context that the vocoder gets on both sides of a loop."""


def equal_power_fades(n: int) -> tuple[Samples, Samples]:
    """Return the gains of a fade-out and a fade-in of ``n`` samples; their powers add up to 1.

    That keeps the level of sounds with unrelated phases.
    """
    at = (np.arange(n, dtype=np.float32) + 0.5) / max(1, n) * np.float32(np.pi / 2)
    return np.cos(at), np.sin(at)


def splice(before: Samples, whole: Samples, overlap: int) -> Samples:
    """Return ``before``, continued by ``whole``, with a crossfade.

    Args:
        before: Given samples.
        whole: Generated samples of the whole piece, ``before`` included.
        overlap: Number of samples at the end of ``before`` over which they are crossfaded.

    Raises:
        InputError: If ``whole`` is not longer than ``before``.
    """
    n = len(before)
    if len(whole) <= n:
        raise InputError(f"{len(whole)} samples cannot continue {n}")
    overlap = min(overlap, n)
    down, up = equal_power_fades(overlap)
    first = n - overlap
    middle = before[first:] * down + whole[first:n] * up
    return np.concatenate([before[:first], middle, whole[n:]])


def patch_gap(
    whole: Samples, patch: Samples, at: int, gap: tuple[int, int], *, fade: int
) -> Samples:
    """Return ``whole`` with its gap replaced by ``patch``, crossfaded outside the gap.

    Args:
        whole: Given samples.
        patch: Generated samples that cover the gap and its surroundings.
        at: Position in ``whole`` where the patch starts.
        gap: First sample of the gap, and the one after its last.
        fade: Number of samples of a fade; it is shorter where the patch ends earlier.
    """
    found = whole.copy()
    low, high = (min(max(edge - at, 0), len(patch)) for edge in gap)
    before, after = min(fade, low), min(fade, len(patch) - high)
    angle = np.zeros(len(patch), np.float32)
    angle[low:high] = np.pi / 2
    angle[low - before : low] = np.arange(1, before + 1) / (before + 1) * np.pi / 2
    angle[high : high + after] = np.arange(after, 0, -1) / (after + 1) * np.pi / 2
    there = slice(at, at + len(patch))
    kept = np.where(angle < np.pi / 2, np.cos(angle), 0)  # rounding would leave it above 0
    found[there] = found[there] * kept + patch * np.sin(angle)
    return found


@torch.no_grad()
def vocode_loop(
    vocode: Callable[[Tensor], Tensor], mel: Float[Tensor, "1 mels n"], spec: Mel
) -> Samples:
    """Return the samples of a loop that repeats without a click.

    The vocoder gets :data:`LOOP_CONTEXT` frames of the other end on both sides. That suffices for
    a vocoder whose receptive field is not longer.

    Args:
        vocode: Vocoder, spectrograms to samples.
        mel: Spectrogram of the loop.
        spec: Mel format.
    """
    n = mel.shape[2]
    index = torch.arange(-LOOP_CONTEXT, n + LOOP_CONTEXT, device=mel.device) % n
    wave = vocode(mel[..., index])[0].cpu().numpy()
    found: Samples = wave[LOOP_CONTEXT * spec.hop : (LOOP_CONTEXT + n) * spec.hop]
    return found
