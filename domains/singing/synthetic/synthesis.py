"""Synthesis of the parameters of an HTS voice with WORLD."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

FREQUENCY_WARPING = 0.55
"""All-pass constant of the mel-cepstra of the voice, at 48 kHz."""

FULL_SCALE = 32768.0
"""Amplitude of a sample that is 1 in the sound."""

N_FFT = 2048
"""Size of the Fourier transform of a spectrum."""


def power_spectrum(
    mel_cepstra: NDArray[np.floating[Any]], n_fft: int = N_FFT
) -> NDArray[np.float64]:
    """Convert mel-cepstra to power spectra.

    log |H(w)| = sum_m c_m cos(m w'), where a first-order all-pass filter warps the frequency:
    w' = w + 2 arctan(a sin w / (1 - a cos w)).

    Args:
        mel_cepstra: Mel-cepstral coefficients, (frames, order).
        n_fft: Size of the Fourier transform.

    Returns:
        Power spectra, (frames, n_fft / 2 + 1).
    """
    w = np.linspace(0.0, np.pi, n_fft // 2 + 1)
    a = FREQUENCY_WARPING
    warped = w + 2 * np.arctan(a * np.sin(w) / (1 - a * np.cos(w)))
    basis = np.cos(np.arange(mel_cepstra.shape[1])[:, None] * warped)
    log_amplitude = mel_cepstra.astype(np.float64) @ basis
    found: NDArray[np.float64] = np.exp(2 * log_amplitude) / FULL_SCALE**2
    return found


def aperiodicity(low_pass: NDArray[np.floating[Any]], n_fft: int = N_FFT) -> NDArray[np.float64]:
    """Convert the low-pass filter of an HTS voice to the aperiodicity of WORLD.

    The voice filters its pulses by a low pass L, and its noise by the complement. The periodic part
    of WORLD has power 1 - a^2, which equals L^2.

    Args:
        low_pass: Impulse response of the filter, (taps,).
        n_fft: Size of the Fourier transform.

    Returns:
        Amplitude of the noise in a voiced frame, relative to the whole, (n_fft / 2 + 1,).
    """
    passed = np.abs(np.fft.rfft(low_pass.astype(np.float64), n_fft)).clip(0, 1)
    found: NDArray[np.float64] = np.sqrt(1 - passed**2).clip(1e-3, 1 - 1e-3)
    return found


def synthesize(
    f0_hz: NDArray[np.float64],
    spectra: NDArray[np.float64],
    noise: NDArray[np.float64],
    step_s: float,
    sample_rate: int,
) -> NDArray[np.float64]:
    """Synthesize sound with WORLD.

    Args:
        f0_hz: Pitch of each frame, Hz, 0 if unvoiced, (frames,).
        spectra: Power spectrum of each frame, (frames, bins).
        noise: Aperiodicity of voiced frames, (bins,).
        step_s: Length of a frame, seconds.
        sample_rate: Sample rate of the sound, Hz.

    Returns:
        The sound, (samples,), exactly as long as the frames.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pyworld imports pkg_resources, which warns
        import pyworld

    ap = np.where(f0_hz[:, None] > 0, noise, 1 - 1e-3)
    found: NDArray[np.float64] = pyworld.synthesize(
        f0_hz, np.ascontiguousarray(spectra), np.ascontiguousarray(ap), sample_rate, 1e3 * step_s
    )
    samples = round(len(f0_hz) * step_s * sample_rate)
    return np.pad(found, (0, max(0, samples - len(found))))[:samples]
