"""A vocoder in three parts: filtered pulses, filtered noise, and a free remainder."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor

from oneleap.core.hub.pretrained import Pretrained
from oneleap.core.types import noise_like
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.stft import istft, stft
from oneleap.domains.audio.vocoders.backbone import FrameBackbone
from oneleap.domains.audio.vocoders.harmonics import harmonic_source
from oneleap.domains.audio.vocoders.nsf import LOWEST_HZ

PARTS = 5
"""Numbers for each frame and frequency bin: log amplitude and phase of the harmonic part, log
amplitude of the noise part, log amplitude and phase of the remainder."""

SILENT = -20.0
"""Log amplitude of a part that is left out."""

LOUDEST = 7.0
"""Largest log amplitude; larger ones are clamped."""


class SourceFilterVocoder(Pretrained, FrameBackbone):
    """Vocoder from mel spectrograms and pitch to samples: pulses, noise and a remainder.

    ``y = istft(e^(a + i p) stft(pulses) + e^b stft(noise) + e^(c + i q))``, where a network at
    frame rate predicts ``a, p, b, c, q`` for each frequency bin. The pulses follow the given
    pitch and the noise is white, so their fine structure has no period of one frame. The
    remainder holds what neither part can make. Its phases repeat where the spectrogram stays the
    same, which would buzz at the frame rate. So in unvoiced frames and above ``remainder_hz``
    noise of equal power takes its place.

    Compared with :class:`~oneleap.domains.audio.NSF`, the remainder is new, harmonics have
    amplitude 1 and end below half the sample rate, and pitch is held where voicing begins and
    ends. ``n`` frames give ``n * hop`` samples. The defaults with 100 bands and 601 bins have
    4.9 M weights.

    Args:
        spec: Spectrogram format.
        width: Channels.
        hidden: Channels between the pointwise layers of a block.
        depth: Number of blocks.
        remainder_hz: Frequency up to which voiced frames have a remainder.

    Raises:
        InputError: The format has ``center`` set.
    """

    def __init__(
        self,
        spec: Mel,
        width: int = 256,
        hidden: int = 768,
        depth: int = 10,
        remainder_hz: float = 4000.0,
    ) -> None:
        outputs = PARTS * (spec.n_fft // 2 + 1)
        super().__init__(spec, width, hidden, depth, inputs=spec.n_mels + 2, outputs=outputs)
        self.remainder_hz = remainder_hz

    @property
    def context(self) -> int:
        """Number of frames to either side that influence a sample."""
        return 3 * (self.depth + 1) + -(-self.spec.n_fft // (2 * self.spec.hop))

    @property
    def noise_std(self) -> float:
        """Standard deviation of the noise source.

        With it, a noise part of amplitude 1 is as loud as spectra whose real and imaginary parts
        are independent standard normal numbers.
        """
        spec = self.spec
        overlap = 3 / 8 * spec.window / spec.hop  # sum of the squared windows at one sample
        return math.sqrt(2 / (spec.n_fft * overlap))

    def parts(
        self,
        mel: Float[Tensor, "b mels n"],
        f0: Float[Tensor, "b n"],
        mask: Bool[Tensor, "b 1 n"] | None = None,
    ) -> Float[Tensor, "b n parts bins"]:
        """Filters of the three parts; see :data:`PARTS`.

        Args:
            mel: Normalized log-mel spectrograms.
            f0: Pitch in Hz, 0 in unvoiced frames.
            mask: False at padded frames.

        Returns:
            Log amplitudes and phases in radians.
        """
        voiced = (f0 >= LOWEST_HZ).to(mel.dtype)
        octaves = (f0.clamp(min=LOWEST_HZ) / 150.0).log2() * voiced
        x = torch.cat([mel, torch.stack([octaves, voiced], 1)], 1)
        keep = None if mask is None else mask.mT
        x = x if mask is None else x.masked_fill(~mask, 0.0)
        # The transforms need full precision, whatever precision the layers ran in.
        outputs = self.frame_outputs(x, keep).float()
        parts = outputs.view(*outputs.shape[:2], PARTS, -1)
        return self.absorb_remainder(parts, f0)

    def has_remainder(self, f0: Float[Tensor, "b n"]) -> Bool[Tensor, "b n bins"]:
        """Frames and bins with a remainder."""
        spec = self.spec
        bins = torch.arange(spec.n_fft // 2 + 1, device=f0.device)
        low = bins * (spec.sample_rate / spec.n_fft) < self.remainder_hz
        return (f0 >= LOWEST_HZ).unsqueeze(2) & low

    def absorb_remainder(
        self, parts: Float[Tensor, "b n parts bins"], f0: Float[Tensor, "b n"]
    ) -> Float[Tensor, "b n parts bins"]:
        """Parts with noise of equal power in place of the remainder where it may buzz."""
        harmonic, phase, noise, rest, rest_phase = parts.unbind(2)
        kept = self.has_remainder(f0)
        noise = torch.where(kept, noise, 0.5 * torch.logaddexp(2 * noise, 2 * rest))
        return torch.stack([harmonic, phase, noise, rest.masked_fill(~kept, SILENT), rest_phase], 2)

    def forward(
        self,
        mel: Float[Tensor, "b mels n"],
        f0: Float[Tensor, "b n"],
        mask: Bool[Tensor, "b 1 n"] | None = None,
        noise: Float[Tensor, "b samples"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b samples"]:
        """Samples of normalized spectrograms, ``n * hop`` per row.

        Args:
            mel: Normalized log-mel spectrograms.
            f0: Pitch in Hz, 0 in unvoiced frames.
            mask: False at padded frames, where samples are zero and the input has no influence.
            noise: Standard normal noise of the source; drawn if ``None``.
            generator: Random generator for that noise.

        Returns:
            Samples.
        """
        pulses = harmonic_source(f0, self.spec)
        noise = noise_like(pulses, generator) if noise is None else noise
        if mask is not None:
            heard = mask[:, 0].repeat_interleave(self.spec.hop, dim=1)
            pulses, noise = pulses * heard, noise * heard
        return self.filter(self.parts(mel, f0, mask), pulses, noise, mask)

    def filter(
        self,
        parts: Float[Tensor, "b n parts bins"],
        pulses: Float[Tensor, "b samples"],
        noise: Float[Tensor, "b samples"],
        mask: Bool[Tensor, "b 1 n"] | None = None,
    ) -> Float[Tensor, "b samples"]:
        """Samples of filters and their sources.

        Args:
            parts: Filters, see :meth:`parts`.
            pulses: Pulse train, see :func:`harmonic_source`.
            noise: Standard normal noise.
            mask: False at padded frames, where samples are zero.

        Returns:
            Samples.
        """
        spec = self.spec
        harmonic, phase, noisy, rest, rest_phase = parts.unbind(2)
        amplitude, noise_gain, rest_gain = (
            x.clamp(max=LOUDEST).exp() for x in (harmonic, noisy, rest)
        )
        total = torch.polar(amplitude, phase) * self._spectra(pulses * (4 / spec.window))
        total = total + noise_gain * self._spectra(noise * self.noise_std)
        total = (total + torch.polar(rest_gain, rest_phase)).mT
        wave = istft(total, spec.n_fft, spec.hop, spec.window, mask)
        if mask is None:
            return wave
        return wave.masked_fill(~mask[:, 0].repeat_interleave(spec.hop, dim=1), 0.0)

    def _spectra(self, wave: Float[Tensor, "b samples"]) -> Complex[Tensor, "b n bins"]:
        """Spectra of a source. Past its ends it is silent, so padding does not change it."""
        spec = self.spec
        return stft(wave, spec.n_fft, spec.hop, spec.window, mirror=False).mT

    def stream(
        self,
        mel: Float[Tensor, "b mels n"],
        f0: Float[Tensor, "b n"],
        frames: int = 64,
        noise: Float[Tensor, "b samples"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Iterator[Float[Tensor, "b samples"]]:
        """Yield the samples of :meth:`forward`, ``frames`` frames at a time.

        Every chunk costs ``2 * context`` frames in addition to its own.
        """
        n, hop = mel.shape[-1], self.spec.hop
        pulses = harmonic_source(f0, self.spec)
        noise = noise_like(pulses, generator) if noise is None else noise
        for first in range(0, n, frames):
            last = min(first + frames, n)
            left, right = max(0, first - self.context), min(n, last + self.context)
            part = slice(left * hop, right * hop)
            with torch.no_grad():
                filters = self.parts(mel[..., left:right], f0[:, left:right])
                wave = self.filter(filters, pulses[:, part], noise[:, part])
            yield wave[:, (first - left) * hop : (last - left) * hop]
