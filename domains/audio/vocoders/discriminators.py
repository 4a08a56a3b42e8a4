"""Discriminators of waveforms: multi-period (HiFi-GAN) and multi-resolution (UnivNet, Vocos)."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from oneleap.domains.audio.stft import stft

BANDS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Edges of spectrogram bands as fractions of all bins; each band has layers of its own."""


class DiscriminatorOutput(NamedTuple):
    """Output of one discriminator.

    Attributes:
        score: Scores of patches of the sound; high scores mean real.
        features: Activations of the hidden layers.
    """

    score: Tensor
    features: list[Tensor]


class Discriminator(nn.Module, ABC):
    """A group of discriminators of one kind."""

    @abstractmethod
    def forward(self, wave: Float[Tensor, "b n"]) -> list[DiscriminatorOutput]:
        """Outputs of all discriminators of the group."""


def _conv(fan_in: int, fan_out: int, kernel: tuple[int, int], stride: tuple[int, int]) -> nn.Module:
    padding = (kernel[0] // 2, kernel[1] // 2)
    layer: nn.Module = weight_norm(nn.Conv2d(fan_in, fan_out, kernel, stride, padding))
    return layer


def _apply_layers(layers: nn.ModuleList, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Output of the last layer, and activations of all layers but the first."""
    features = []
    for layer in layers:
        x = nn.functional.leaky_relu(layer(x), 0.1)
        features.append(x)
    return x, features[1:]


class MultiPeriodDiscriminator(Discriminator):
    """HiFi-GAN's discriminator (arXiv 2010.05646): 2-d convolutions over samples folded by period.

    Args:
        periods: Periods in samples, one discriminator each.
        width: Channels of the widest layer; HiFi-GAN has 1024.
    """

    def __init__(self, periods: tuple[int, ...] = (2, 3, 5, 7, 11), width: int = 1024) -> None:
        super().__init__()
        self.periods, self.width = periods, width
        channels = (1, *(max(1, width // k) for k in (32, 8, 2, 1)), width)
        strides = (3, 3, 3, 3, 1)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                _conv(a, b, (5, 1), (s, 1))
                for a, b, s in zip(channels, channels[1:], strides, strict=False)
            )
            for _ in periods
        )
        self.last = nn.ModuleList(_conv(width, 1, (3, 1), (1, 1)) for _ in periods)

    def forward(self, wave: Float[Tensor, "b n"]) -> list[DiscriminatorOutput]:
        """Outputs, one for each period."""
        outputs = []
        for period, layers, last in zip(self.periods, self.layers, self.last, strict=True):
            assert isinstance(layers, nn.ModuleList)
            x = nn.functional.pad(wave, (0, -wave.shape[1] % period), mode="reflect")
            h, features = _apply_layers(layers, rearrange(x, "b (n p) -> b 1 n p", p=period))
            outputs.append(DiscriminatorOutput(last(h).flatten(1), features))
        return outputs


class MultiResolutionDiscriminator(Discriminator):
    """Discriminators of complex spectrograms in bands, as in the Descript codec and Vocos.

    The input is centered and scaled to a peak of 0.8, so the discriminators ignore loudness.

    Args:
        windows: Window lengths in samples, one discriminator each; hops are a quarter of them.
        width: Channels; Vocos has 32.
    """

    def __init__(self, windows: tuple[int, ...] = (2048, 1024, 512), width: int = 32) -> None:
        super().__init__()
        self.windows, self.width = windows, width
        self.bands = nn.ModuleList(
            nn.ModuleList(self._layers(width) for _ in BANDS[1:]) for _ in windows
        )
        self.last = nn.ModuleList(_conv(width, 1, (3, 3), (1, 1)) for _ in windows)

    @staticmethod
    def _layers(width: int) -> nn.ModuleList:
        steps = ((2, 1), (width, 2), (width, 2), (width, 2))
        wide = [_conv(fan_in, width, (3, 9), (1, stride)) for fan_in, stride in steps]
        return nn.ModuleList([*wide, _conv(width, width, (3, 3), (1, 1))])

    def forward(self, wave: Float[Tensor, "b n"]) -> list[DiscriminatorOutput]:
        """Outputs, one for each window length."""
        wave = wave - wave.mean(1, keepdim=True)
        wave = 0.8 * wave / (wave.abs().amax(1, keepdim=True) + 1e-9)
        outputs = []
        for window, bands, last in zip(self.windows, self.bands, self.last, strict=True):
            assert isinstance(bands, nn.ModuleList)
            spectrum = stft(wave, window, window // 4, window, center=True)
            x = rearrange(torch.view_as_real(spectrum), "b f n c -> b c n f")
            edges = [round(edge * x.shape[-1]) for edge in BANDS]
            parts, features = [], []
            for layers, low, high in zip(bands, edges, edges[1:], strict=False):
                assert isinstance(layers, nn.ModuleList)
                h, activations = _apply_layers(layers, x[..., low:high])
                parts.append(h)
                features += activations
            score = last(torch.cat(parts, dim=-1)).flatten(1)
            outputs.append(DiscriminatorOutput(score, features))
        return outputs
