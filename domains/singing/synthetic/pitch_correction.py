"""An HMM voice's parameters to sound, its pitch moved onto the notes."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.singing.segments.hts import TICKS_S, Label

Array = NDArray[np.float64]
Numbers = NDArray[np.floating[Any]]

WARP = 0.55
"""Warping of the frequency axis of the voice's mel-cepstra at 48 kHz."""

FULL_SCALE = 32768.0
FFT = 2048
SMOOTH_S = 0.08
"""Seconds over which a correction changes from one note to the next."""

BEND = 0.3
"""Semitones that pitch may leave the median of its note; what is more is bent back."""


def power(mel_cepstra: Numbers, n_fft: int = FFT) -> Array:
    """Power spectra, (frames, n_fft / 2 + 1), of mel-cepstra, (frames, order).

    log |H(w)| = sum over m of c_m cos(m w'), with the frequency warped by an all-pass of first
    order: w' = w + 2 arctan(a sin w / (1 - a cos w)).
    """
    w = np.linspace(0.0, np.pi, n_fft // 2 + 1)
    warped = w + 2 * np.arctan(WARP * np.sin(w) / (1 - WARP * np.cos(w)))
    basis = np.cos(np.arange(mel_cepstra.shape[1])[:, None] * warped)
    log_amplitude = mel_cepstra.astype(np.float64) @ basis
    found: Array = np.exp(2 * log_amplitude) / FULL_SCALE**2
    return found


def aperiodicity(low_pass: Numbers, n_fft: int = FFT) -> Array:
    """Share of noise in a voiced frame's amplitude, (n_fft / 2 + 1,), by a low pass, (taps,).

    The voice's pulses pass a low pass L, its noise the rest; WORLD's periodic part has the power
    1 - a^2, which is L^2.
    """
    passed = np.abs(np.fft.rfft(low_pass.astype(np.float64), n_fft)).clip(0, 1)
    found: Array = np.sqrt(1 - passed**2).clip(1e-3, 1 - 1e-3)
    return found


def tuned(f0_hz: Array, labels: Sequence[Label], step_s: float, vowels: frozenset[str]) -> Array:
    """Pitch moved so that the median of each note's vowels is the note, Hz, (frames,).

    The voice regresses to the middle of its range, and is off by a third at its ends; within a long
    note it steps by up to two semitones. Distances from the median are therefore bent,
    ``B tanh(d / B)``: small ones, and what is unvoiced, stay as they are. A note without voice is
    corrected as its neighbours are.

    Args:
        f0_hz: Of the take, 0 without voice, (frames,).
        labels: Of the take, with times and notes.
        step_s: Seconds between two values of f0.
        vowels: Phonemes by which a note is measured.
    """
    voiced = f0_hz > 0
    semitones = np.zeros(len(f0_hz))
    semitones[voiced] = 69 + 12 * np.log2(f0_hz[voiced] / 440)
    notes = _notes(labels, step_s, vowels, len(f0_hz))
    wrong = np.full(len(notes), np.nan)
    for k, (_, _, midi, heard) in enumerate(notes):
        inside = heard & voiced
        if midi is not None and inside.sum() >= 4:
            wrong[k] = np.median(semitones[inside]) - midi
    known = np.flatnonzero(np.isfinite(wrong))
    if len(known) == 0:
        return f0_hz.astype(np.float64)
    wrong = np.interp(np.arange(len(notes)), known, wrong[known])
    offset = np.zeros(len(f0_hz))
    for (first, last, midi, _), off in zip(notes, wrong, strict=True):
        far = np.zeros(last - first) if midi is None else semitones[first:last] - midi - off
        bent = far - BEND * np.tanh(far / BEND)
        offset[first:last] = off + np.where(voiced[first:last], bent, 0.0)
    width = 2 * round(SMOOTH_S / step_s / 2) + 1
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(offset, width // 2, mode="edge")
    smooth = np.convolve(padded, window / window.sum(), mode="valid")
    return np.where(voiced, f0_hz * 2 ** (-smooth / 12), 0.0)


def _notes(
    labels: Sequence[Label], step_s: float, vowels: frozenset[str], frames: int
) -> list[tuple[int, int, float | None, NDArray[np.bool_]]]:
    """First and last frame, pitch, and frames by which each note is measured."""
    found: list[tuple[int, int, float | None, NDArray[np.bool_]]] = []
    before = None
    for label in labels:
        first = round(label.start / TICKS_S / step_s)
        last = min(frames, round(label.end / TICKS_S / step_s))
        if before is None or label.note != before:
            found.append((first, last, label.midi, np.zeros(frames, bool)))
        begin, _, midi, heard = found[-1]
        if label.phoneme in vowels:
            heard[first + (last - first) // 4 : last - (last - first) // 8] = True
        found[-1] = (begin, last, midi, heard)
        before = label.note
    return found


def synthesised(f0_hz: Array, spectra: Array, noise: Array, step_s: float, rate: int) -> Array:
    """The sound of pitch and spectra, by WORLD, (samples,).

    Args:
        f0_hz: Of each frame, 0 without voice.
        spectra: Power spectra, (frames, bins).
        noise: Aperiodicity of voiced frames, (bins,).
        step_s: Seconds of a frame.
        rate: Hz.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it imports setuptools' old pkg_resources
        import pyworld

    ap = np.where(f0_hz[:, None] > 0, noise, 1 - 1e-3)
    found: Array = pyworld.synthesize(
        f0_hz, np.ascontiguousarray(spectra), np.ascontiguousarray(ap), rate, 1e3 * step_s
    )
    samples = round(len(f0_hz) * step_s * rate)
    return np.pad(found, (0, max(0, samples - len(found))))[:samples]
