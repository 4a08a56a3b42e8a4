"""Training of a vocoder: spectral losses first, adversarial losses from a given step on."""

import os
from typing import Any, Literal

import lightning as L
import torch
from jaxtyping import Float
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import Pretrained
from oneleap.core.training.ema import ema_update, frozen_copy
from oneleap.core.training.finite import FiniteGuard
from oneleap.core.training.optim import AdamConfig, build_optimizer, run_length
from oneleap.domains.audio.mel import Mel, check_compatible, log_mel
from oneleap.domains.audio.vocoders.discriminators import (
    Discriminator,
    MultiPeriodDiscriminator,
    MultiResolutionDiscriminator,
)
from oneleap.domains.audio.vocoders.losses import (
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    mel_distance,
    stft_distance,
)
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos


class VocoderTraining(Pretrained, L.LightningModule):
    """Trains a Vocos; the saved model is the averaged ``Vocos`` alone.

    ``L = mel_weight mel_L1 + stft_weight stft + sum_D weight_D (hinge_D + feature_matching_D)``
    with the weights of Vocos. The discriminators take their own loss in the same step, by the same
    optimizer in a parameter group of their own. The vocoder therefore runs once per step, and a
    run has one count of steps.

    Args:
        spec: Spectrogram format.
        width: Channels.
        hidden: Channels between the pointwise layers of a block.
        depth: Number of blocks.
        gan_start_step: Step at which adversarial losses begin; ``None`` means never.
        periods: Periods of the multi-period discriminators, in samples; HiFi-GAN has 2, 3, 5, 7
            and 11.
        period_width: Channels of the multi-period discriminators; HiFi-GAN has 1024.
        windows: Windows of the multi-resolution discriminators, in samples; Vocos has 2048, 1024
            and 512.
        window_width: Channels of the multi-resolution discriminators; Vocos has 32. The defaults
            are small enough for a CPU.
        mel_weight: Weight of the mel distance.
        stft_weight: Weight of the multi-resolution STFT loss.
        window_weight: Weight of the multi-resolution discriminators. The multi-period
            discriminators have weight 1.
        feature_matching: How the layers of a discriminator are reduced; Vocos has ``sum``. See
            :func:`feature_matching_loss`.
        optimizer: Optimizer settings of the vocoder.
        discriminator_optimizer: Optimizer settings of the discriminators.
        ema: Decay of the moving average that is saved.
        seed: Seed of the initial weights.
        init_from: Folder of a vocoder whose weights the training starts from, or ``None``.

    Raises:
        InputError: That vocoder has another format or other sizes.
    """

    def __init__(
        self,
        spec: Mel,
        *,
        width: int = 192,
        hidden: int = 576,
        depth: int = 6,
        gan_start_step: int | None = None,
        periods: tuple[int, ...] = (2, 3, 5),
        period_width: int = 128,
        windows: tuple[int, ...] = (1024, 512),
        window_width: int = 8,
        mel_weight: float = 45.0,
        stft_weight: float = 1.0,
        window_weight: float = 0.1,
        feature_matching: Literal["sum", "mean"] = "mean",
        optimizer: AdamConfig = AdamConfig(5e-4, (0.8, 0.9), cosine=True),  # noqa: B008  (frozen)
        discriminator_optimizer: AdamConfig = AdamConfig(5e-4, (0.8, 0.9), cosine=True),  # noqa: B008  (frozen)
        ema: float = 0.999,
        seed: int = 0,
        init_from: str | None = None,
    ) -> None:
        super().__init__()
        self.guard = FiniteGuard()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.vocoder = self.build(spec, width, hidden, depth)
            if init_from is not None:
                source = type(self.vocoder).from_pretrained(init_from)
                check_compatible(source.spec, spec, f"init_from {init_from}", "the data")
                _copy_weights(source, self.vocoder, init_from)
            self.by_period: Discriminator = MultiPeriodDiscriminator(tuple(periods), period_width)
            self.by_window: Discriminator = MultiResolutionDiscriminator(
                tuple(windows), window_width
            )
        self.average = frozen_copy(self.vocoder)
        self.spec, self.width, self.hidden, self.depth = spec, width, hidden, depth
        self.gan_start_step, self.periods, self.period_width = gan_start_step, periods, period_width
        self.windows, self.window_width = windows, window_width
        self.mel_weight, self.stft_weight = mel_weight, stft_weight
        self.window_weight, self.ema, self.seed = window_weight, ema, seed
        self.feature_matching: Literal["sum", "mean"] = feature_matching
        self.optimizer, self.init_from = optimizer, init_from
        self.discriminator_optimizer = discriminator_optimizer

    @staticmethod
    def build(spec: Mel, width: int, hidden: int, depth: int) -> Vocos | NSF | SourceFilterVocoder:
        """Build an untrained vocoder.

        Args:
            spec: Spectrogram format.
            width: Channels.
            hidden: Channels between the pointwise layers of a block.
            depth: Number of blocks.

        Returns:
            The vocoder with random weights.
        """
        return Vocos(spec, width, hidden, depth)

    def next_step(self, run: str) -> tuple[str, ...] | None:
        """See :meth:`oneleap.core.hub.pretrained.Pretrained.next_step`."""
        return ("evaluate", run) if isinstance(self.vocoder, Vocos) else None

    def save_pretrained(self, folder: str | os.PathLike[str], *, card: str | None = None) -> None:
        """Save the averaged vocoder without the discriminators."""
        self.average.save_pretrained(folder, card=card)

    def setup(self, stage: str) -> None:
        """Let several processes train the vocoder before the discriminators, which then rest."""
        strategy = self.trainer.strategy
        if isinstance(strategy, DDPStrategy):
            strategy._ddp_kwargs.setdefault("find_unused_parameters", True)

    def resynthesize(self, vocoder: nn.Module, batch: Any, step: int) -> tuple[Tensor, Tensor]:
        """Recorded samples, and samples that a vocoder makes of their spectrograms, (b, n) each.

        Args:
            vocoder: The trained network or its average.
            batch: Batch of the data module.
            step: Gradient step or batch index, which seeds random numbers.

        Returns:
            Recorded and synthesized samples, (b, n) each.
        """
        real: Tensor = batch
        return real, vocoder(log_mel(real, self.spec))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Loss of one batch of samples, whose length is a multiple of the hop."""
        loss, logs = self.wave_losses(*self.resynthesize(self.vocoder, batch, self.global_step))
        self.check_and_log(loss, logs)
        return loss

    def wave_losses(
        self, real: Float[Tensor, "b n"], fake: Float[Tensor, "b n"]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum of the losses on samples, and its parts by name."""
        mel, spectral = mel_distance(fake, real, self.spec), stft_distance(fake, real)
        loss: Tensor = self.mel_weight * mel + self.stft_weight * spectral
        logs: dict[str, Tensor] = {"mel": mel, "stft": spectral}
        if self.gan_start_step is not None and self.global_step >= self.gan_start_step:
            adversarial, more = self.adversarial_losses(real, fake)
            loss, logs = loss + adversarial, logs | more
        return loss, logs

    def check_and_log(self, loss: Tensor, logs: dict[str, Tensor]) -> None:
        """Check that the loss is finite, and log its parts at the steps that the trainer logs."""
        self.guard.watch(self, {"loss": loss})
        every: int = vars(self.trainer)["log_every_n_steps"]
        if (self.global_step + 1) % every == 0:
            self.log_dict({f"train/{name}": value.detach() for name, value in logs.items()})

    def adversarial_losses(
        self, real: Float[Tensor, "b n"], fake: Float[Tensor, "b n"]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Sum of the losses of vocoder and discriminators, and its parts by name.

        The losses of the vocoder give the discriminators no gradient, and vice versa.
        """
        total, logs = real.new_zeros(()), dict[str, Tensor]()
        groups = (("period", self.by_period, 1.0), ("window", self.by_window, self.window_weight))
        for name, discriminator, weight in groups:
            discriminator.requires_grad_(False)
            of_real, of_fake = discriminator(real), discriminator(fake)
            fools = generator_loss(of_fake)
            matches = feature_matching_loss(of_real, of_fake, self.feature_matching)
            discriminator.requires_grad_(True)
            loss = discriminator_loss(discriminator(real), discriminator(fake.detach()))
            total = total + weight * (fools + matches) + loss
            logs |= {f"{name}_fools": fools, f"{name}_judges": loss, f"{name}_features": matches}
        return total, logs

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Mel distance of recordings, whose length is a multiple of the hop."""
        real, fake = self.resynthesize(self.average, batch, batch_idx)
        distance = mel_distance(fake, real, self.spec)
        self.log("val/mel", distance, on_epoch=True, batch_size=len(real), sync_dist=True)
        self.log(
            "eval/score",
            -distance,
            on_epoch=True,
            logger=False,
            batch_size=len(real),
            sync_dist=True,
        )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One optimizer with one parameter group for the vocoder and one for discriminators."""
        discriminators = [*self.by_period.parameters(), *self.by_window.parameters()]
        return build_optimizer(
            (self.optimizer, self.vocoder.parameters()),
            (self.discriminator_optimizer, discriminators),
            total_steps=run_length(self.trainer),
        )

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradients of each network as its optimizer settings say."""
        self.optimizer.clip_(self.vocoder.parameters())
        for discriminator in (self.by_period, self.by_window):
            self.discriminator_optimizer.clip_(discriminator.parameters())

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take one optimizer step, then update the moving average."""
        step = self.global_step  # super() increments the step
        super().optimizer_step(*args, **kwargs)
        # A lower decay at the start: otherwise the initial weights would still be a fifth of the
        # average after 1,500 steps.
        ema_update(self.average, self.vocoder, min(self.ema, (1 + step) / (10 + step)))


def _copy_weights(source: nn.Module, target: nn.Module, name: str) -> None:
    """Copy weights, whatever the number of bits in which they were stored.

    Raises:
        InputError: A weight has another shape.
    """
    try:
        target.load_state_dict(source.state_dict())
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"init_from: {name} has other sizes: {reason}") from None
