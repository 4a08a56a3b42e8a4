"""NSF as one graph without complex numbers, with openvpi's inputs and outputs."""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.stft import hann
from oneleap.domains.audio.vocoders.nsf import NSF, pulse_train

PERIOD_SAMPLES = 65_536
"""Samples after which the noise of the graph repeats: a fixed table makes results repeatable."""


class NSFGraph(nn.Module):
    """Graph ``vocoder`` from mel (1, n, mels), natural logarithms, and f0 (1, n) to a waveform.

    ONNX has no complex numbers, so Fourier transforms are matrix products. The hop must divide the
    length of a frame.

    Args:
        model: The vocoder.
        seed: Seed of the noise table.
    """

    def __init__(self, model: NSF, seed: int) -> None:
        super().__init__()
        self.model, spec = model, model.spec
        angle = (
            2
            * math.pi
            * torch.outer(
                torch.arange(spec.n_fft).double(), torch.arange(spec.n_fft // 2 + 1).double()
            )
            / spec.n_fft
        )
        window = hann(spec.window, spec.n_fft, torch.float64, torch.device("cpu")).unsqueeze(1)
        both = torch.full((1, spec.n_fft // 2 + 1), 2.0, dtype=torch.float64)
        both[:, 0] = both[:, -1] = 1.0
        self.cos: Tensor
        self.sin: Tensor
        self.icos: Tensor
        self.isin: Tensor
        self.square: Tensor
        self.noise: Tensor
        self.register_buffer("cos", (window * angle.cos()).float())
        self.register_buffer("sin", (-window * angle.sin()).float())
        self.register_buffer("icos", (window * angle.cos() * both / spec.n_fft).T.float())
        self.register_buffer("isin", (-window * angle.sin() * both / spec.n_fft).T.float())
        self.register_buffer("square", window[:, 0].square().float())
        noise = torch.randn(1, PERIOD_SAMPLES, generator=step_generator(seed, 0))
        self.register_buffer("noise", noise)

    def forward(
        self, mel: Float[Tensor, "1 n mels"], f0: Float[Tensor, "1 n"]
    ) -> Float[Tensor, "1 samples"]:
        """Samples, ``n * hop`` of them."""
        spec = self.model.spec
        source = pulse_train(f0, spec)
        noise = self.noise[:, torch.arange(source.shape[1]) % self.noise.shape[1]]
        gain, phase, noise_gain = self.model.filters(((mel - spec.mean) / spec.std).mT, f0)
        real, imaginary = self._spectra(source)
        a, b = gain * phase.cos(), gain * phase.sin()
        noise_real, noise_imaginary = self._spectra(noise)
        total = (a * real - b * imaginary + noise_gain * noise_real).mT @ self.icos + (
            a * imaginary + b * real + noise_gain * noise_imaginary
        ).mT @ self.isin
        weights = self._overlap_add(self.square.expand(1, f0.shape[1], -1))
        return self._overlap_add(total) / weights.clamp(min=1e-8)

    def _spectra(self, wave: Float[Tensor, "1 samples"]) -> tuple[Tensor, Tensor]:
        """Real and imaginary parts (1, bins, n) of frames; the signal is mirrored at both ends."""
        spec = self.model.spec
        pad = (spec.n_fft - spec.hop) // 2
        left, right = wave[:, 1 : pad + 1].flip(1), wave[:, -pad - 1 : -1].flip(1)
        frames = torch.cat([left, wave, right], 1).unfold(1, spec.n_fft, spec.hop)
        unit = math.sqrt(3 / 8 * spec.window)
        return (frames @ self.cos).mT / unit, (frames @ self.sin).mT / unit

    def _overlap_add(self, frames: Float[Tensor, "1 n fft"]) -> Float[Tensor, "1 samples"]:
        """Sum of overlapping frames, without the mirrored ends."""
        spec = self.model.spec
        folds, n = spec.n_fft // spec.hop, frames.shape[1]
        parts = rearrange(frames, "b n (k h) -> b n k h", h=spec.hop)
        rows = [nn.functional.pad(parts[:, :, i], (0, 0, i, folds - 1 - i)) for i in range(folds)]
        total = torch.stack(rows).sum(0).flatten(1)
        pad = (spec.n_fft - spec.hop) // 2
        return total[:, pad : pad + n * spec.hop]
