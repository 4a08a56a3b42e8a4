"""Vocos as one graph without complex numbers."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Graph
from oneleap.domains.audio.stft import hann
from oneleap.domains.audio.vocoders.vocos import Vocos


class RealVocos(nn.Module):
    """A Vocos without complex numbers, frames first; its inverse transform is two matrix products.

    Args:
        vocoder: The trained vocoder.

    Raises:
        InputError: The hop does not divide the length of a frame.
    """

    def __init__(self, vocoder: Vocos) -> None:
        super().__init__()
        spec = vocoder.spec
        if spec.n_fft % spec.hop:
            raise InputError(
                f"n_fft {spec.n_fft} is not a multiple of hop {spec.hop}: this vocoder cannot be "
                "exported"
            )
        self.vocoder, self.hop, self.skip = vocoder, spec.hop, (spec.n_fft - spec.hop) // 2
        window = hann(spec.window, spec.n_fft, torch.float64, torch.device("cpu")).numpy()
        rows = np.eye(spec.n_fft // 2 + 1)
        for name, unit in (("cosines", 1), ("sines", 1j)):
            matrix = np.fft.irfft(unit * rows, spec.n_fft) * window
            self.register_buffer(name, torch.from_numpy(matrix).float())
        self.register_buffer("weight", torch.from_numpy(window**2).float())

    def forward(self, mel: Float[Tensor, "n mels"]) -> Float[Tensor, "n hop"]:
        """Samples of one sound, one hop for each frame."""
        real, imaginary = self.vocoder.spectrum(mel.T.unsqueeze(0))
        cosines, sines = self.get_buffer("cosines"), self.get_buffer("sines")
        frames = real[0].T @ cosines + imaginary[0].T @ sines
        weight = self.get_buffer("weight").unsqueeze(0) * torch.ones_like(mel[:, :1])
        return self._overlap_add(frames) / self._overlap_add(weight).clamp(min=1e-8)

    def _overlap_add(self, frames: Float[Tensor, "n length"]) -> Float[Tensor, "n hop"]:
        """Sum of frames that lie one hop apart, cut at both ends."""
        parts = frames.reshape(frames.shape[0], -1, self.hop)
        k = parts.shape[1]
        total = sum(
            (nn.functional.pad(parts[:, i], (0, 0, i, k - 1 - i)) for i in range(1, k)),
            nn.functional.pad(parts[:, 0], (0, 0, 0, k - 1)),
        )
        n = frames.shape[0]
        return total.flatten()[self.skip : self.skip + n * self.hop].reshape(n, self.hop)


def vocoder_graph(vocoder: Vocos, seed: int = 0) -> Graph:
    """Graph ``vocoder`` from ``mel`` (n, mels) to ``samples`` (n, hop), for n frames."""
    generator = torch.Generator().manual_seed(seed)

    def draw(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        mel = 0.5 * torch.randn(n, vocoder.spec.n_mels, generator=generator) - 0.5
        with torch.inference_mode():
            expected = vocoder(mel.T.unsqueeze(0)).reshape(n, -1)
        return (mel,), expected

    return Graph("vocoder", RealVocos(vocoder).eval(), ("mel",), "samples", draw)
