"""Short-time Fourier transform in which ``n`` frames cover exactly ``n * hop`` samples."""

from functools import lru_cache

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # the cached tensor may later be used in training
def hann(length: int, n_fft: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "n"]:
    """Periodic Hann window of ``length`` samples, centered in ``n_fft`` samples.

    Args:
        length: Samples of the window.
        n_fft: Samples of the result.
        dtype: Type of the tensor.
        device: Device of the tensor.

    Returns:
        The window, cached.
    """
    window = torch.hann_window(length, dtype=torch.float64).to(device, dtype)
    left = (n_fft - length) // 2
    return torch.nn.functional.pad(window, (left, n_fft - length - left))


def stft(
    wave: Float[Tensor, "b n"],
    n_fft: int,
    hop: int,
    window: int,
    *,
    center: bool = False,
    mirror: bool = True,
) -> Complex[Tensor, "b bins frames"]:
    """Spectra of overlapping frames; the signal is mirrored at both ends.

    Without ``center`` there are ``n // hop`` frames, and frame ``k`` is centered on the middle of
    samples ``[k hop, (k + 1) hop)``. With ``center`` there is one more frame, and frame ``k`` is
    centered on sample ``k hop``. Signals shorter than the mirrored part are padded with zeros.

    Args:
        wave: Samples.
        n_fft: Samples of one frame.
        hop: Samples between two frames; ``n_fft - hop`` must be even.
        window: Samples of the Hann window.
        center: Whether frames are centered on multiples of the hop.
        mirror: Whether the signal is mirrored at both ends; otherwise zeros surround it.

    Returns:
        Complex spectra, ``n_fft // 2 + 1`` bins for each frame.
    """
    pad = n_fft // 2 if center else (n_fft - hop) // 2
    short = max(pad + 1, hop) - wave.shape[-1]
    if short > 0:
        wave = torch.nn.functional.pad(wave, (0, short))
    wave = torch.nn.functional.pad(wave, (pad, pad), mode="reflect" if mirror else "constant")
    return torch.stft(
        wave,
        n_fft,
        hop,
        n_fft,
        hann(window, n_fft, wave.dtype, wave.device),
        center=False,
        return_complex=True,
    )


def istft(
    spectrum: Complex[Tensor, "b bins frames"],
    n_fft: int,
    hop: int,
    window: int,
    mask: Bool[Tensor, "b 1 frames"] | None = None,
) -> Float[Tensor, "b samples"]:
    """Inverse of :func:`stft` without ``center``: overlap-add, divided by the summed windows.

    It is exact except at the ends, where the mirrored part is unknown. Unlike ``torch.istft`` it
    needs no additional frame, so sound can be synthesized in chunks: a sample depends only on
    frames at most ``n_fft / hop / 2`` away.

    Args:
        spectrum: Spectra of the frames.
        n_fft: Samples of one frame.
        hop: Samples between two frames.
        window: Samples of the Hann window.
        mask: False at padded frames, which contribute nothing.

    Returns:
        Samples, ``frames * hop`` per row.
    """
    frames = torch.fft.irfft(spectrum.mT, n_fft)
    weight = hann(window, n_fft, frames.dtype, frames.device)
    frames = frames * weight
    if mask is not None:
        frames = frames.masked_fill(~mask.mT, 0.0)
    b, n = frames.shape[:2]
    length = (n - 1) * hop + n_fft
    fold = torch.nn.functional.fold(frames.mT, (1, length), (1, n_fft), stride=(1, hop))
    real = frames.new_ones(b, 1, n) if mask is None else mask.to(frames.dtype)
    total = torch.nn.functional.conv_transpose1d(real, weight.square()[None, None], stride=hop)
    cut = slice((n_fft - hop) // 2, (n_fft - hop) // 2 + n * hop)
    return fold[:, 0, 0, cut] / total[:, 0, cut].clamp(min=1e-8)
