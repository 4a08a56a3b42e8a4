"""Training of a source-filter vocoder: on known parts, on samples, or on both."""

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.data.source_filter import SourceFilterClip
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.vocoders.degrade import degrade
from oneleap.domains.audio.vocoders.harmonics import harmonic_source
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.training import VocoderTraining

FAINTEST, LOUDEST = -9.0, 7.0
"""Log amplitudes outside this range count as its ends in the loss."""


class SourceFilterTraining(VocoderTraining):
    """Trains a ``SourceFilterVocoder``; the saved model is its average alone.

    A batch is a :class:`~oneleap.domains.audio.data.source_filter.SourceFilterClip`. With known
    parts the loss is their distance (:func:`parts_distance`), which needs no synthesis. From
    ``wave_start_step`` on, and on recordings without parts, the losses of
    :class:`VocoderTraining` on samples count as well.

    Args:
        spec: Spectrogram format.
        width: Channels.
        hidden: Channels between the pointwise layers of a block.
        depth: Number of blocks.
        parts_weight: Weight of the distance of the parts.
        wave_start_step: Step at which losses on samples begin if the parts are known; ``None``
            means never.
        degraded: Share of the spectrograms that are blurred and noised; see :func:`degrade`.
        gan_start_step: Step at which adversarial losses begin; ``None`` means never.
        periods: Periods of the multi-period discriminators, in samples.
        period_width: Channels of the multi-period discriminators.
        windows: Windows of the multi-resolution discriminators, in samples.
        window_width: Channels of the multi-resolution discriminators.
        mel_weight: Weight of the mel distance.
        stft_weight: Weight of the multi-resolution STFT loss.
        window_weight: Weight of the multi-resolution discriminators.
        feature_matching: How the layers of a discriminator are reduced.
        optimizer: Optimizer settings of the vocoder.
        discriminator_optimizer: Optimizer settings of the discriminators.
        ema: Decay of the moving average that is saved.
        seed: Seed of the initial weights and of all noise.
        init_from: Folder of a vocoder whose weights the training starts from, or ``None``.

    Raises:
        InputError: That vocoder has another format or other sizes.
    """

    def __init__(
        self,
        spec: Mel,
        *,
        width: int = 256,
        hidden: int = 768,
        depth: int = 10,
        parts_weight: float = 1.0,
        wave_start_step: int | None = None,
        degraded: float = 0.5,
        gan_start_step: int | None = None,
        periods: tuple[int, ...] = (2, 3, 5),
        period_width: int = 128,
        windows: tuple[int, ...] = (2048, 1024, 512),
        window_width: int = 8,
        mel_weight: float = 45.0,
        stft_weight: float = 1.0,
        window_weight: float = 0.1,
        feature_matching: Literal["sum", "mean"] = "sum",
        optimizer: AdamConfig = AdamConfig(8e-4, (0.8, 0.95), cosine=True),  # noqa: B008  (frozen)
        discriminator_optimizer: AdamConfig = AdamConfig(5e-4, (0.8, 0.9), cosine=True),  # noqa: B008  (frozen)
        ema: float = 0.998,
        seed: int = 0,
        init_from: str | None = None,
    ) -> None:
        super().__init__(
            spec,
            width=width,
            hidden=hidden,
            depth=depth,
            gan_start_step=gan_start_step,
            periods=periods,
            period_width=period_width,
            windows=windows,
            window_width=window_width,
            mel_weight=mel_weight,
            stft_weight=stft_weight,
            window_weight=window_weight,
            feature_matching=feature_matching,
            optimizer=optimizer,
            discriminator_optimizer=discriminator_optimizer,
            ema=ema,
            seed=seed,
            init_from=init_from,
        )
        self.parts_weight, self.wave_start_step = parts_weight, wave_start_step
        self.degraded = degraded

    @staticmethod
    def build(spec: Mel, width: int, hidden: int, depth: int) -> SourceFilterVocoder:
        """See :meth:`VocoderTraining.build`."""
        return SourceFilterVocoder(spec, width, hidden, depth)

    def generator(self, step: int, device: torch.device) -> torch.Generator:
        """Random generator of one step on this process."""
        return step_generator(self.seed, step, 5 + 1000 * self.global_rank, device)

    def resynthesize(self, vocoder: nn.Module, batch: Any, step: int) -> tuple[Tensor, Tensor]:
        """See :meth:`VocoderTraining.resynthesize`."""
        assert isinstance(batch, SourceFilterClip)
        generator = self.generator(step, batch.wave.device)
        noise = torch.randn(batch.wave.shape, generator=generator, device=batch.wave.device)
        mel = log_mel(batch.wave, self.spec)
        return batch.wave, vocoder(mel, batch.f0, noise=noise)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Loss of one batch of whole frames."""
        assert isinstance(batch, SourceFilterClip)
        assert isinstance(self.vocoder, SourceFilterVocoder)
        step, wave = self.global_step, batch.wave
        generator = self.generator(step, wave.device)
        noise = torch.randn(wave.shape, generator=generator, device=wave.device)
        mel = degrade(log_mel(wave, self.spec), self.degraded, self.spec.std, generator)
        parts = self.vocoder.parts(mel, batch.f0)
        loss, logs = wave.new_zeros(()), dict[str, Tensor]()
        if batch.parts is not None:
            logs = parts_distance(parts, self.vocoder.absorb_remainder(batch.parts, batch.f0))
            loss = self.parts_weight * (
                logs["harmonic"] + logs["noise"] + logs["rest"] + 2 * logs["phases"]
            )
        start = self.wave_start_step
        if batch.parts is None or (start is not None and step >= start):
            fake = self.vocoder.filter(parts, harmonic_source(batch.f0, self.spec), noise)
            more, of_wave = self.wave_losses(wave, fake)
            loss, logs = loss + more, logs | of_wave
        self.check_and_log(loss, logs)
        return loss


def parts_distance(
    predicted: Float[Tensor, "b n parts bins"], known: Float[Tensor, "b n parts bins"]
) -> dict[str, Float[Tensor, ""]]:
    """Distance between the parts of sounds, by part.

    Log amplitudes are compared by their mean absolute difference, phases by ``1 - cos`` of the
    difference, weighted by the share of the part in the power.

    Args:
        predicted: Parts of the network; see :meth:`SourceFilterVocoder.parts`.
        known: Parts of the data.

    Returns:
        Distances ``harmonic``, ``noise``, ``rest`` (log amplitudes) and ``phases``.
    """
    amplitudes = [0, 2, 3]
    a, b = (x[:, :, amplitudes].clamp(FAINTEST, LOUDEST) for x in (predicted, known))
    harmonic, noise, rest = (a - b).abs().mean((0, 1, 3))
    power = (2 * b).exp()
    share = power / (power.sum(2, keepdim=True) + 1e-6)
    turned = 1 - (predicted[:, :, [1, 4]] - known[:, :, [1, 4]]).cos()
    phases = (turned * share[:, :, [0, 2]]).mean((0, 1, 3)).sum()
    return {"harmonic": harmonic, "noise": noise, "rest": rest, "phases": phases}
