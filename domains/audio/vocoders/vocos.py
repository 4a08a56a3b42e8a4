"""Vocos (Siuzdak 2023, arXiv 2306.00814): one spectrum per frame and one inverse transform."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from oneleap.core.hub.pretrained import Pretrained
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.stft import istft
from oneleap.domains.audio.vocoders.backbone import FrameBackbone


class Vocos(Pretrained, FrameBackbone):
    """Vocoder from mel spectrograms to samples; all layers run at frame rate.

    The last layer predicts magnitude and phase of each frequency bin. Only sine and cosine of the
    phase are used, so it needs no unwrapping. A sample depends on ``context`` frames to either
    side, so :meth:`stream` synthesizes in chunks and gives the same samples as one call.

    Deviation from the paper: the inverse transform needs no additional frames, so ``n`` frames
    give ``n * hop`` samples. The defaults with 80 bands have 1.65 M weights.

    Args:
        spec: Spectrogram format.
        width: Channels.
        hidden: Channels between the pointwise layers of a block.
        depth: Number of blocks.

    Raises:
        InputError: The format has ``center`` set.
    """

    def __init__(self, spec: Mel, width: int = 192, hidden: int = 576, depth: int = 6) -> None:
        super().__init__(spec, width, hidden, depth, inputs=spec.n_mels, outputs=spec.n_fft + 2)

    @property
    def context(self) -> int:
        """Number of frames to either side that influence a sample."""
        return 3 * (self.depth + 1) + -(-self.spec.n_fft // (2 * self.spec.hop))

    def spectrum(
        self, mel: Float[Tensor, "b mels n"], mask: Bool[Tensor, "b 1 n"] | None = None
    ) -> tuple[Float[Tensor, "b bins n"], Float[Tensor, "b bins n"]]:
        """Real and imaginary part of the spectrum of each frame."""
        keep = None if mask is None else mask.mT
        x = mel if mask is None else mel.masked_fill(~mask, 0.0)
        # The inverse transform needs full precision, whatever precision the layers ran in.
        log, phase = self.frame_outputs(x, keep).float().mT.chunk(2, dim=1)
        magnitude = log.exp().clamp(max=self.LARGEST)
        return magnitude * phase.cos(), magnitude * phase.sin()

    def forward(
        self, mel: Float[Tensor, "b mels n"], mask: Bool[Tensor, "b 1 n"] | None = None
    ) -> Float[Tensor, "b samples"]:
        """Samples of normalized spectrograms, ``n * hop`` per row.

        Where ``mask`` is False, samples are zero and the input has no influence.
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
        """Yield the samples of :meth:`forward`, ``frames`` frames at a time.

        Every chunk costs ``2 * context`` frames in addition to its own.
        """
        n, hop = mel.shape[-1], self.spec.hop
        for first in range(0, n, frames):
            last = min(first + frames, n)
            left, right = max(0, first - self.context), min(n, last + self.context)
            with torch.no_grad():
                wave = self(mel[..., left:right])
            yield wave[:, (first - left) * hop : (last - left) * hop]
