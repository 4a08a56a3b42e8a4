"""NSF, a source-filter vocoder: pitch is an input, so it can be changed."""

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from oneleap.core.hub.pretrained import Pretrained
from oneleap.core.types import noise_like
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.stft import istft, stft
from oneleap.domains.audio.vocoders.backbone import FrameBackbone

LOWEST_HZ = 20.0
"""Frames with a lower pitch count as unvoiced and get no pulses."""


def interpolate_frames(frames: Float[Tensor, "b n"], hop: int) -> Float[Tensor, "b samples"]:
    """Linear interpolation between the centers of frames; the ends are held."""
    return nn.functional.interpolate(frames.unsqueeze(1), scale_factor=float(hop), mode="linear")[
        :, 0
    ]


def phase_cycles(f0: Float[Tensor, "b samples"], sample_rate: int) -> Float[Tensor, "b samples"]:
    """Phase in cycles, wrapped to [-1/2, 1/2), of a pitch given in Hz for each sample.

    The sum runs at 64 bits, because at 32 bits it loses the phase within seconds.
    """
    total = (f0.double() / sample_rate).cumsum(1)
    return (total - (total + 0.5).floor()).to(f0.dtype)


def pulse_train(f0: Float[Tensor, "b n"], mel: Mel) -> Float[Tensor, "b samples"]:
    """All harmonics below half the sample rate, in phase, of equal strength and total power 1.

    ``sqrt(2 / K) sum_{k=1}^{K} cos(2 pi k phi)`` in the closed form of Dirichlet's kernel,
    ``sin((K + 1/2) x) / (2 sin(x / 2)) - 1/2``. The cost does not depend on the number of
    harmonics.

    Args:
        f0: Pitch of each frame in Hz; below 20 Hz the result is silent.
        mel: Spectrogram format, for sample rate and hop.
    """
    hz = interpolate_frames(f0, mel.hop)
    voiced = hz >= LOWEST_HZ
    count = (mel.sample_rate / 2 / hz.clamp(min=LOWEST_HZ)).floor().clamp(min=1.0)
    x = 2 * math.pi * phase_cycles(hz, mel.sample_rate)
    near = x.abs() < 1e-4
    half = torch.where(near, torch.ones_like(x), (x / 2).sin())
    kernel = torch.where(near, count, ((count + 0.5) * x).sin() / (2 * half) - 0.5)
    return torch.where(voiced, kernel * (2 / count).sqrt(), torch.zeros_like(kernel))


class NSF(Pretrained, FrameBackbone):
    """Vocoder from mel spectrograms and pitch to samples: filtered pulses plus filtered noise.

    Neural source-filter synthesis (Wang et al. 2019, arXiv 1904.12088) with the harmonic-plus-noise
    source, on the frame-rate backbone and inverse transform of Vocos. For each frame and frequency
    bin, a network of spectrogram and pitch predicts a filter for a pulse train (magnitude and
    phase) and a filter for white noise (magnitude):
    ``y = istft(H stft(pulses) + G stft(noise))``.
    The pitch of the output therefore is the given pitch by construction. The network has no phases
    of harmonics to learn, so a small one trained with spectral losses alone is enough.

    Deviations from openvpi's NSF-HiFiGAN: the filters are linear, so the source has all harmonics
    instead of 8, and no layer runs at the sample rate. ``n`` frames give ``n * hop`` samples. The
    defaults with 80 bands have 0.78 M weights.

    Args:
        spec: Spectrogram format.
        width: Channels.
        hidden: Channels between the pointwise layers of a block.
        depth: Number of blocks.

    Raises:
        InputError: The format has ``center`` set.
    """

    def __init__(self, spec: Mel, width: int = 128, hidden: int = 384, depth: int = 5) -> None:
        outputs = 3 * (spec.n_fft // 2 + 1)
        super().__init__(spec, width, hidden, depth, inputs=spec.n_mels + 2, outputs=outputs)

    def filters(
        self, mel: Float[Tensor, "b mels n"], f0: Float[Tensor, "b n"]
    ) -> tuple[Float[Tensor, "b bins n"], Float[Tensor, "b bins n"], Float[Tensor, "b bins n"]]:
        """Gain and phase of the pulse filter, and gain of the noise filter."""
        voiced = (f0 >= LOWEST_HZ).to(mel.dtype)
        octaves = (f0.clamp(min=LOWEST_HZ) / 220.0).log2() * voiced
        x = self.frame_outputs(torch.cat([mel, torch.stack([octaves, voiced], 1)], 1))
        log, phase, log_noise = x.mT.chunk(3, dim=1)
        return self._gain(log), phase, self._gain(log_noise)

    def _gain(self, log: Tensor) -> Tensor:
        return log.clamp(max=math.log(self.LARGEST)).exp()

    def forward(
        self,
        mel: Float[Tensor, "b mels n"],
        f0: Float[Tensor, "b n"],
        noise: Float[Tensor, "b samples"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b samples"]:
        """Samples of normalized spectrograms, ``n * hop`` per row.

        Args:
            mel: Normalized log-mel spectrograms.
            f0: Pitch in Hz. Unvoiced frames may be 0 or interpolated.
            noise: Standard normal noise of the source; drawn if ``None``.
            generator: Random generator for that noise.

        Returns:
            Samples.
        """
        spec = self.spec
        source = pulse_train(f0, spec)
        noise = noise_like(source, generator) if noise is None else noise
        gain, phase, noise_gain = self.filters(mel, f0)
        total = torch.polar(gain, phase) * self._spectra(source)
        total = total + noise_gain * self._spectra(noise)
        return istft(total, spec.n_fft, spec.hop, spec.window)

    def _spectra(self, wave: Float[Tensor, "b samples"]) -> Complex[Tensor, "b bins n"]:
        """Spectra scaled by the energy of the window, so that white noise has power 1."""
        spec = self.spec
        unit = math.sqrt(3 / 8 * spec.window)
        return stft(wave, spec.n_fft, spec.hop, spec.window) / unit
