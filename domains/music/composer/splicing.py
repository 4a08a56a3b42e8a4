"""Made sound beside given sound: where samples meet whose phases do not know each other."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel

Samples = NDArray[np.float32]

AROUND = 64
"""Frames that a vocoder is shown of both sides of a loop's joint."""


def fades(n: int) -> tuple[Samples, Samples]:
    """Gains of what ends and what begins: their powers add up to 1, as unrelated phases need."""
    at = (np.arange(n, dtype=np.float32) + 0.5) / max(1, n) * np.float32(np.pi / 2)
    return np.cos(at), np.sin(at)


def spliced(before: Samples, whole: Samples, overlap: int) -> Samples:
    """``before``, then ``whole`` from where it ends, melting over the last ``overlap`` samples.

    Raises:
        InputError: If the whole is no longer than what there was.
    """
    n = len(before)
    if len(whole) <= n:
        raise InputError(f"{len(whole)} samples do not go on from {n}")
    overlap = min(overlap, n)
    down, up = fades(overlap)
    first = n - overlap
    middle = before[first:] * down + whole[first:n] * up
    return np.concatenate([before[:first], middle, whole[n:]])


def patched(whole: Samples, patch: Samples, at: int, gap: tuple[int, int], *, rate: int) -> Samples:
    """``whole`` with its gap taken from ``patch``, melting over some samples outside the gap.

    Args:
        whole: What is kept.
        patch: Made sound, which covers the gap and what is around it.
        at: Sample of the whole at which the patch begins.
        gap: First sample of the gap and the one after its last.
        rate: Samples of a fade, fewer where the patch ends sooner.
    """
    found = whole.copy()
    low, high = (min(max(edge - at, 0), len(patch)) for edge in gap)
    before, after = min(rate, low), min(rate, len(patch) - high)
    gain = np.zeros(len(patch), np.float32)
    gain[low:high] = np.pi / 2
    gain[low - before : low] = np.arange(1, before + 1) / (before + 1) * np.pi / 2
    gain[high : high + after] = np.arange(after, 0, -1) / (after + 1) * np.pi / 2
    there = slice(at, at + len(patch))
    kept = np.where(gain < np.pi / 2, np.cos(gain), 0)  # which rounding leaves above 0
    found[there] = found[there] * kept + patch * np.sin(gain)
    return found


@torch.no_grad()
def wrapped(
    vocode: Callable[[Tensor], Tensor], mel: Float[Tensor, "1 mels n"], spec: Mel
) -> Samples:
    """Samples of a loop: the vocoder is shown its other end on both sides.

    A vocoder that looks no further than :data:`AROUND` frames makes an end that leads into the
    beginning without a click.
    """
    n = mel.shape[2]
    index = torch.arange(-AROUND, n + AROUND, device=mel.device) % n
    wave = vocode(mel[..., index])[0].cpu().numpy()
    found: Samples = wave[AROUND * spec.hop : (AROUND + n) * spec.hop]
    return found
