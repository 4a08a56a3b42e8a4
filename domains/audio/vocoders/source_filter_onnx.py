"""The source-filter vocoder as one graph without complex numbers."""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Graph
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.stft import hann
from oneleap.domains.audio.vocoders.harmonics import harmonic_source
from oneleap.domains.audio.vocoders.source_filter import LOUDEST, SourceFilterVocoder

PERIOD_SAMPLES = 65_536
"""Samples after which the noise of the graph repeats: a fixed table makes results repeatable."""


class SourceFilterGraph(nn.Module):
    """A source-filter vocoder of one sound without complex numbers, frames first.

    Fourier transforms are matrix products.

    Args:
        vocoder: The trained vocoder.
        seed: Seed of the noise table.

    Raises:
        InputError: The hop does not divide the length of a frame.
    """

    def __init__(self, vocoder: SourceFilterVocoder, seed: int = 0) -> None:
        super().__init__()
        spec = vocoder.spec
        if spec.n_fft % spec.hop:
            raise InputError(
                f"n_fft {spec.n_fft} is not a multiple of hop {spec.hop}: this vocoder cannot be "
                "exported"
            )
        self.vocoder, self.skip = vocoder, (spec.n_fft - spec.hop) // 2
        bins = torch.arange(spec.n_fft // 2 + 1).double()
        turns = torch.outer(torch.arange(spec.n_fft).double(), bins) / spec.n_fft
        window = hann(spec.window, spec.n_fft, torch.float64, torch.device("cpu"))
        cosines, sines = (
            window.unsqueeze(1) * f(2 * math.pi * turns) for f in (torch.cos, torch.sin)
        )
        twice = torch.full((len(bins), 1), 2.0 / spec.n_fft, dtype=torch.float64)
        twice[0] = twice[-1] = 1.0 / spec.n_fft
        self.register_buffer("forward_matrix", torch.cat([cosines, -sines], 1).float())
        inverse = torch.cat([twice * cosines.T, -twice * sines.T])
        self.register_buffer("inverse_matrix", inverse.float())
        self.register_buffer("square", window.square().float())
        noise = torch.randn(PERIOD_SAMPLES, generator=step_generator(seed, 0))
        self.register_buffer("table", noise)

    def noise(self, samples: Float[Tensor, "samples"]) -> Float[Tensor, "samples"]:
        """Noise of the graph, of the length of ``samples``."""
        table = self.get_buffer("table")
        return table[torch.arange(samples.shape[0], device=table.device) % table.shape[0]]

    def forward(
        self, mel: Float[Tensor, "n mels"], f0: Float[Tensor, "n"]
    ) -> Float[Tensor, "n hop"]:
        """Samples, one hop for each frame."""
        vocoder, spec = self.vocoder, self.vocoder.spec
        parts = vocoder.parts(mel.T.unsqueeze(0), f0.unsqueeze(0))[0]
        harmonic, phase, noisy, rest, rest_phase = parts.unbind(1)
        gain, noise_gain, rest_gain = (x.clamp(max=LOUDEST).exp() for x in (harmonic, noisy, rest))
        pulses = harmonic_source(f0.unsqueeze(0), spec)[0]
        source, imaginary_source = self._spectra(pulses * (4 / spec.window))
        hiss, imaginary_hiss = self._spectra(self.noise(pulses) * vocoder.noise_std)
        a, b = gain * phase.cos(), gain * phase.sin()
        real = a * source - b * imaginary_source + noise_gain * hiss
        imaginary = a * imaginary_source + b * source + noise_gain * imaginary_hiss
        real = real + rest_gain * rest_phase.cos()
        imaginary = imaginary + rest_gain * rest_phase.sin()
        frames = torch.cat([real, imaginary], 1) @ self.get_buffer("inverse_matrix")
        weight = self.get_buffer("square").unsqueeze(0) * torch.ones_like(mel[:, :1])
        return self._overlap_add(frames) / self._overlap_add(weight).clamp(min=1e-8)

    def _spectra(
        self, wave: Float[Tensor, "samples"]
    ) -> tuple[Float[Tensor, "n bins"], Float[Tensor, "n bins"]]:
        """Real and imaginary parts of frames."""
        spec = self.vocoder.spec
        frames = nn.functional.pad(wave, (self.skip, self.skip)).unfold(0, spec.n_fft, spec.hop)
        real, imaginary = (frames @ self.get_buffer("forward_matrix")).chunk(2, dim=1)
        return real, imaginary

    def _overlap_add(self, frames: Float[Tensor, "n fft"]) -> Float[Tensor, "n hop"]:
        """Sum of frames that lie one hop apart, cut at both ends."""
        hop, n = self.vocoder.spec.hop, frames.shape[0]
        parts = rearrange(frames, "n (k h) -> n k h", h=hop)
        k = parts.shape[1]
        rows = [nn.functional.pad(parts[:, i], (0, 0, i, k - 1 - i)) for i in range(k)]
        total = torch.stack(rows).sum(0).flatten()
        return total[self.skip : self.skip + n * hop].reshape(n, hop)


def source_filter_graph(vocoder: SourceFilterVocoder, seed: int = 0) -> Graph:
    """Graph ``vocoder`` from normalized ``mel`` (n, mels) and ``f0`` (n,) to ``samples`` (n, hop).

    Args:
        vocoder: The trained vocoder.
        seed: Seed of the noise table and of the inputs that the graph is compared on.

    Returns:
        The graph.
    """
    module = SourceFilterGraph(vocoder, seed).eval()
    generator = torch.Generator().manual_seed(seed)

    def draw(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        mel = 0.5 * torch.randn(n, vocoder.spec.n_mels, generator=generator) + 0.5
        f0 = 100 + 200 * torch.rand(n, generator=generator)
        f0 = torch.where(torch.arange(n) % 5 == 4, torch.zeros(n), f0)
        noise = module.noise(torch.zeros(n * vocoder.spec.hop))
        with torch.inference_mode():
            expected = vocoder(mel.T.unsqueeze(0), f0.unsqueeze(0), noise=noise.unsqueeze(0))
        return (mel, f0), expected.reshape(n, -1)

    return Graph("vocoder", module, ("mel", "f0"), "samples", draw)
