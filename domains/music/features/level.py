"""Loudness in windows of 50 ms, and its jumps: what a listener hears of a bad join."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv1d, pad

from oneleap.domains.audio.mel import Mel, magnitudes
from oneleap.domains.music.features.spectral import power_weights

WINDOW_S = 0.05
"""Duration of a window in seconds."""

NEAR_S = 0.15
"""Windows up to this many seconds from a frame are compared with the sound around them."""

AROUND_S = 0.35
"""Duration of the sound on either side that they are compared with, in seconds."""

QUIET_DB = -70.0
"""Levels below this one, in dB relative to full scale, count as this one: nobody hears them."""


def levels_of_mel(mel: Float[Tensor, "b mels n"], spec: Mel) -> Float[Tensor, "b n"]:
    """Return the level in a window of 50 ms around each frame, in dB; differentiable."""
    weights = power_weights(spec, "flat", mel.dtype, mel.device)
    return _levels(torch.einsum("m,bmn->bn", weights, magnitudes(mel, spec).square()), spec)


def levels_of_samples(samples: Float[Tensor, "b samples"], spec: Mel) -> Float[Tensor, "b n"]:
    """Return the level in a window of 50 ms around each frame, in dB.

    Args:
        samples: Samples; what is left after the last whole hop is ignored.
        spec: Mel format.
    """
    whole = samples.shape[1] // spec.hop * spec.hop
    hops = samples[:, :whole].reshape(len(samples), -1, spec.hop)
    return _levels(hops.square().mean(2), spec)


def level_jumps(level: Float[Tensor, "b n"], spec: Mel) -> Float[Tensor, "b n"]:
    """Return how far windows near each frame are from the sound around them, in dB.

    The windows up to :data:`NEAR_S` from the frame are compared with the mean of two levels: of
    the :data:`AROUND_S` before them, and after them. The result is the largest distance. A short
    gap counts with its whole depth, a lasting step with half its height.

    Args:
        level: Level of each frame in dB, see :func:`levels_of_mel`.
        spec: Mel format.
    """
    near, reference = round(NEAR_S * spec.frame_rate), _around(level, spec)
    shifted = pad(level, (near, near), mode="replicate").unfold(1, 2 * near + 1, 1)
    return (shifted - reference.unsqueeze(2)).abs().amax(2)


def jump_at(level: Float[Tensor, "b n"], frame: int, spec: Mel) -> Float[Tensor, "b m"]:
    """Return the distances that :func:`level_jumps` takes the largest of, at one frame."""
    near = round(NEAR_S * spec.frame_rate)
    first, last = max(0, frame - near), min(level.shape[1], frame + near + 1)
    return level[:, first:last] - _around(level, spec)[:, frame : frame + 1]


def reach_of_jumps(spec: Mel) -> int:
    """Return how many frames on either side :func:`level_jumps` takes into account."""
    return round(NEAR_S * spec.frame_rate) + round(AROUND_S * spec.frame_rate)


def _levels(power: Float[Tensor, "b n"], spec: Mel) -> Float[Tensor, "b n"]:
    """Average the power of frames over windows, and convert it to dB."""
    width = min(max(1, round(WINDOW_S * spec.frame_rate)), power.shape[1])
    half = (width - 1) // 2
    padded = pad(power, (half, width - 1 - half), mode="replicate")
    mean = torch.nn.functional.avg_pool1d(padded, width, 1)
    return (10 * torch.log10(mean + 1e-10)).clamp(min=QUIET_DB)


def _around(level: Float[Tensor, "b n"], spec: Mel) -> Float[Tensor, "b n"]:
    """Return the mean of the levels before and after each frame; one of them at the ends."""
    near, around = (round(s * spec.frame_rate) for s in (NEAR_S, AROUND_S))
    kernel = _sides(near, around, level.dtype, level.device)
    edge = near + around
    sums = conv1d(pad(level, (edge, edge))[:, None], kernel)
    counts = conv1d(pad(torch.ones_like(level), (edge, edge))[:, None], kernel)
    means = sums / counts.clamp(min=1)
    present = (counts > 0).to(level)
    found = (means * present).sum(1) / present.sum(1).clamp(min=1)
    return torch.where(present.sum(1) > 0, found, level)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # the result is cached, and may later be used under autograd
def _sides(
    near: int, around: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "2 1 w"]:
    """Return two kernels of ones: over the frames before, and over those after."""
    kernel = torch.zeros(2, 1, 2 * (near + around) + 1, dtype=dtype, device=device)
    kernel[0, 0, :around] = 1
    kernel[1, 0, -around:] = 1
    return kernel
