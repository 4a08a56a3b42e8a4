"""Griffin-Lim: sound from a log-mel spectrogram without a trained vocoder."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.domains.audio.mel import Mel, magnitudes, triangles
from oneleap.domains.audio.stft import istft, stft


class GriffinLim(nn.Module):
    """Fast Griffin-Lim (Perraudin et al. 2013): finds phases that are consistent with magnitudes.

    It needs no training and is the baseline for vocoders.

    Args:
        mel: Spectrogram format.
        iterations: Number of projections onto consistent spectra.
        momentum: Acceleration of the iteration, below 1.
        seed: Seed of the initial phases.
    """

    def __init__(
        self, mel: Mel, iterations: int = 32, momentum: float = 0.99, seed: int = 0
    ) -> None:
        super().__init__()
        self.spec, self.iterations, self.momentum, self.seed = mel, iterations, momentum, seed
        self.inverse: Tensor
        inverse = np.linalg.pinv(triangles(mel)).astype(np.float32)
        self.register_buffer("inverse", torch.from_numpy(inverse), persistent=False)

    @torch.no_grad()
    def forward(
        self,
        mel: Float[Tensor, "b mels frames"],
        mask: Tensor | None = None,
    ) -> Float[Tensor, "b samples"]:
        """Samples, ``frames * hop`` per row; ``mask`` is unused and matches other vocoders."""
        spec = self.spec
        target = (self.inverse @ magnitudes(mel, spec)).clamp(min=0)
        generator = torch.Generator().manual_seed(self.seed)
        angle = 2 * torch.pi * torch.rand(target.shape, generator=generator)
        phase = torch.polar(torch.ones_like(angle), angle).to(target.device)
        sizes = (spec.n_fft, spec.hop, spec.window)
        before = torch.zeros_like(phase)
        for _ in range(self.iterations):
            now = stft(istft(target * phase, *sizes), *sizes)[..., : target.shape[-1]]
            ahead = now + self.momentum * (now - before)
            phase, before = ahead / ahead.abs().clamp(min=1e-12), now
        return istft(target * phase, *sizes)
