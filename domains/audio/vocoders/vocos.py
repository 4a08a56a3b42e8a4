"""Vocos (Siuzdak 2023, arXiv 2306.00814): a spectrum for every frame, and one inverse transform."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import Pretrained
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.stft import istft


class Block(nn.Module):
    """ConvNeXt: depthwise convolution, norm, two pointwise layers, scaled residual.

    Args:
        width: Channels.
        hidden: Channels between the pointwise layers.
        scale: First factor of the branch.
    """

    def __init__(self, width: int, hidden: int, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.gain = nn.Parameter(torch.full((width,), scale))

    def forward(self, x: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """One block."""
        h = self.norm(self.depthwise(x.mT).mT)
        y: Tensor = x + self.gain * self.narrow(nn.functional.gelu(self.widen(h)))
        return y


class Vocos(Pretrained, nn.Module):
    """Mel spectrogram to samples: all layers run at the frame rate.

    The last layer says magnitude and phase of each bin; the phase needs no unwrapping, for only
    its sine and cosine are used. A sample depends on ``context`` frames to either side, so that
    sound made piece by piece is the same as made at once: :meth:`stream`.

    Weights: 1.65 M with the defaults and 80 bands. Deviation: the inverse transform needs no
    frame beyond the ends, so ``n`` frames are ``n hop`` samples.

    Args:
        spec: Contract of the spectrograms.
        width: Channels.
        hidden: Channels between pointwise layers.
        depth: Blocks.

    Raises:
        InputError: If the contract is of a layout without a whole number of samples a frame.
    """

    LARGEST = 100.0
    """Magnitudes are cut here."""

    def __init__(self, spec: Mel, width: int = 192, hidden: int = 576, depth: int = 6) -> None:
        super().__init__()
        if spec.center:
            raise InputError("this vocoder takes spectrograms with mel.center false")
        self.spec, self.width, self.hidden, self.depth = spec, width, hidden, depth
        self.inward = nn.Conv1d(spec.n_mels, width, 7, padding=3)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.blocks = nn.ModuleList(Block(width, hidden, 1 / depth) for _ in range(depth))
        self.last = nn.LayerNorm(width, eps=1e-6)
        self.outward = nn.Linear(width, spec.n_fft + 2)
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    @property
    def context(self) -> int:
        """Frames to either side that a frame's samples depend on."""
        return 3 * (self.depth + 1) + -(-self.spec.n_fft // (2 * self.spec.hop))

    def spectrum(
        self, mel: Float[Tensor, "b mels n"], mask: Bool[Tensor, "b 1 n"] | None = None
    ) -> tuple[Float[Tensor, "b bins n"], Float[Tensor, "b bins n"]]:
        """Real and imaginary part of every frame."""
        keep = None if mask is None else mask.mT
        x = mel if mask is None else mel.masked_fill(~mask, 0.0)
        x = self.norm(self.inward(x).mT)
        for block in self.blocks:
            x = block(x if keep is None else x.masked_fill(~keep, 0.0))
        # In full precision whatever the layers ran in: the inverse transform knows no bfloat16.
        log, phase = self.outward(self.last(x)).float().mT.chunk(2, dim=1)
        magnitude = log.exp().clamp(max=self.LARGEST)
        return magnitude * phase.cos(), magnitude * phase.sin()

    def forward(
        self, mel: Float[Tensor, "b mels n"], mask: Bool[Tensor, "b 1 n"] | None = None
    ) -> Float[Tensor, "b samples"]:
        """Samples, ``n hop`` of them; zeros where ``mask`` is False.

        What stands at padded frames has no influence.
        """
        real, imaginary = self.spectrum(mel, mask)
        spec = self.spec
        wave = istft(torch.complex(real, imaginary), spec.n_fft, spec.hop, spec.window, mask)
        if mask is None:
            return wave
        return wave.masked_fill(~mask[:, 0].repeat_interleave(spec.hop, dim=1), 0.0)

    def stream(
        self, mel: Float[Tensor, "b mels n"], frames: int = 64
    ) -> Iterator[Float[Tensor, "b samples"]]:
        """The same samples, ``frames`` frames at a time.

        Cost: that of ``2 context`` frames more for each piece.
        """
        n, hop = mel.shape[-1], self.spec.hop
        for first in range(0, n, frames):
            last = min(first + frames, n)
            left, right = max(0, first - self.context), min(n, last + self.context)
            with torch.no_grad():
                wave = self(mel[..., left:right])
            yield wave[:, (first - left) * hop : (last - left) * hop]
