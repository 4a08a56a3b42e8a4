"""A source-filter vocoder: the pitch is given, not guessed, so that it can be changed."""

import math

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import Pretrained
from oneleap.core.types import noise_like
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.stft import istft, stft
from oneleap.domains.audio.vocoders.vocos import Block

LOWEST_HZ = 20.0
"""A lower pitch is none: no pulses."""


def per_sample(frames: Float[Tensor, "b n"], hop: int) -> Float[Tensor, "b samples"]:
    """Straight lines between the middles of frames; the ends are held."""
    return nn.functional.interpolate(frames.unsqueeze(1), scale_factor=float(hop), mode="linear")[
        :, 0
    ]


def cycles(f0: Float[Tensor, "b samples"], sample_rate: int) -> Float[Tensor, "b samples"]:
    """Running total of periods without the whole ones, on [-1/2, 1/2).

    At 64 bits: a sum at 32 bits loses the phase within seconds.
    """
    total = (f0.double() / sample_rate).cumsum(1)
    return (total - (total + 0.5).floor()).to(f0.dtype)


def pulses(f0: Float[Tensor, "b n"], mel: Mel) -> Float[Tensor, "b samples"]:
    """All harmonics below half the sample rate, in phase and of equal strength, power 1.

    ``sqrt(2 / K) sum_{k=1}^{K} cos(2 pi k phi)``, summed in closed form by Dirichlet's kernel
    ``sin((K + 1/2) x) / (2 sin(x / 2)) - 1/2``: eight harmonics or a hundred cost the same.

    Args:
        f0: Pitch of each frame, Hz; below 20 Hz there is silence.
        mel: Sample rate and hop.
    """
    hz = per_sample(f0, mel.hop)
    voiced = hz >= LOWEST_HZ
    count = (mel.sample_rate / 2 / hz.clamp(min=LOWEST_HZ)).floor().clamp(min=1.0)
    x = 2 * math.pi * cycles(hz, mel.sample_rate)
    near = x.abs() < 1e-4
    half = torch.where(near, torch.ones_like(x), (x / 2).sin())
    kernel = torch.where(near, count, ((count + 0.5) * x).sin() / (2 * half) - 0.5)
    return torch.where(voiced, kernel * (2 / count).sqrt(), torch.zeros_like(kernel))


class NSF(Pretrained, nn.Module):
    """Mel spectrogram and pitch to samples: pulses and noise through learnt filters.

    Neural source-filter synthesis (Wang et al. 2019, arXiv 1904.12088) with the harmonic-plus-noise
    source, and the frame-rate backbone and inverse transform of Vocos: a network of spectrogram and
    pitch says, for each frame and bin, how a train of pulses is filtered (magnitude and phase) and
    how white noise is (magnitude): ``y = istft(H stft(pulses) + G stft(noise))``. The pitch of the
    result is the pitch that was given, by construction; a small network trained on spectra alone
    will do, for it has no phases of harmonics to guess.

    Deviations from openvpi's NSF-HiFiGAN: filters are linear, so the source has all harmonics
    instead of 8; no layer runs at the sample rate. ``n`` frames are ``n hop`` samples.

    Weights: 0.78 M with the defaults and 80 bands.

    Args:
        spec: Contract of the spectrograms.
        width: Channels.
        hidden: Channels between pointwise layers.
        depth: Blocks.

    Raises:
        InputError: If the contract is of a layout without a whole number of samples a frame.
    """

    LARGEST = 100.0
    """Gains are cut here."""

    def __init__(self, spec: Mel, width: int = 128, hidden: int = 384, depth: int = 5) -> None:
        super().__init__()
        if spec.center:
            raise InputError("this vocoder takes spectrograms with mel.center false")
        self.spec, self.width, self.hidden, self.depth = spec, width, hidden, depth
        self.inward = nn.Conv1d(spec.n_mels + 2, width, 7, padding=3)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.blocks = nn.ModuleList(Block(width, hidden, 1 / depth) for _ in range(depth))
        self.last = nn.LayerNorm(width, eps=1e-6)
        self.outward = nn.Linear(width, 3 * (spec.n_fft // 2 + 1))
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)

    def filters(
        self, mel: Float[Tensor, "b mels n"], f0: Float[Tensor, "b n"]
    ) -> tuple[Float[Tensor, "b bins n"], Float[Tensor, "b bins n"], Float[Tensor, "b bins n"]]:
        """Gain and phase of the pulses, gain of the noise."""
        voiced = (f0 >= LOWEST_HZ).to(mel.dtype)
        height = (f0.clamp(min=LOWEST_HZ) / 220.0).log2() * voiced
        x = self.norm(self.inward(torch.cat([mel, torch.stack([height, voiced], 1)], 1)).mT)
        for block in self.blocks:
            x = block(x)
        log, phase, rough = self.outward(self.last(x)).mT.chunk(3, dim=1)
        return self._gain(log), phase, self._gain(rough)

    def _gain(self, log: Tensor) -> Tensor:
        return log.clamp(max=math.log(self.LARGEST)).exp()

    def forward(
        self,
        mel: Float[Tensor, "b mels n"],
        f0: Float[Tensor, "b n"],
        noise: Float[Tensor, "b samples"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b samples"]:
        """Samples, ``n hop`` of them.

        Args:
            mel: Normalised spectrograms.
            f0: Hz; carried on through what has no voice, or 0 there.
            noise: Standard normal; drawn if left out.
            generator: Of that noise.
        """
        spec = self.spec
        source = pulses(f0, spec)
        noise = noise_like(source, generator) if noise is None else noise
        gain, phase, rough = self.filters(mel, f0)
        total = torch.polar(gain, phase) * self._spectra(source) + rough * self._spectra(noise)
        return istft(total, spec.n_fft, spec.hop, spec.window)

    def _spectra(self, wave: Float[Tensor, "b samples"]) -> Complex[Tensor, "b bins n"]:
        """Of frames, in units of the window's root energy: those of white noise have power 1."""
        spec = self.spec
        unit = math.sqrt(3 / 8 * spec.window)
        return stft(wave, spec.n_fft, spec.hop, spec.window) / unit
