"""Training of a vocoder: spectral losses first, then discriminators as well."""

import os
from pathlib import Path
from typing import Any

import lightning as L
import torch
from jaxtyping import Float
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from oneleap.core.hub.pretrained import WEIGHTS, Pretrained, load_weights
from oneleap.core.training.ema import ema_update, frozen_copy
from oneleap.core.training.optim import AdamConfig, build_optimizer
from oneleap.domains.audio.mel import Mel, log_mel, refuse_mismatch
from oneleap.domains.audio.vocoders.discriminators import Discriminator, Period, Resolution
from oneleap.domains.audio.vocoders.losses import (
    fooled,
    judged,
    matched,
    mel_distance,
    stft_distance,
)
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.audio.vocoders.vocos import Vocos


class VocoderTraining(Pretrained, L.LightningModule):
    """Vocos under mel, spectral and, from a step on, adversarial losses; saved as a ``Vocos``.

    ``L = mel L1 + stft (convergence + log L1) + D fools + matches features``, Vocos' weights. The
    discriminators' own loss is on the same step and the same optimiser, with groups apart: the
    vocoder's sound is made once, and a run has one count of steps.

    Args:
        spec: Contract of the spectrograms.
        width: Channels.
        hidden: Channels between pointwise layers.
        depth: Blocks.
        gan_from: Step at which the discriminators begin; ``None`` is never.
        periods: Of the discriminators by period, samples; HiFi-GAN's are 2, 3, 5, 7, 11.
        period_width: Their channels; HiFi-GAN's are 1024.
        windows: Of the discriminators by spectrogram, samples; Vocos' are 2048, 1024, 512.
        window_width: Their channels; Vocos' are 32. The defaults are for a CPU.
        mel_weight: Of the mel distance.
        stft_weight: Of the spectral distance.
        window_weight: Of the discriminators by spectrogram, those by period having 1.
        optimizer: Of the vocoder.
        judge_optimizer: Of the discriminators.
        ema: Decay of the average that is saved.
        seed: Of the first weights.
        start: Folder of a vocoder to go on from, in place of first weights by chance.

    Raises:
        InputError: If that vocoder has another contract or other sizes.
    """

    def __init__(
        self,
        spec: Mel,
        *,
        width: int = 192,
        hidden: int = 576,
        depth: int = 6,
        gan_from: int | None = None,
        periods: tuple[int, ...] = (2, 3, 5),
        period_width: int = 128,
        windows: tuple[int, ...] = (1024, 512),
        window_width: int = 8,
        mel_weight: float = 45.0,
        stft_weight: float = 1.0,
        window_weight: float = 0.1,
        optimizer: AdamConfig = AdamConfig(5e-4, (0.8, 0.9), cosine=True),  # noqa: B008  (frozen)
        judge_optimizer: AdamConfig = AdamConfig(5e-4, (0.8, 0.9), cosine=True),  # noqa: B008  (frozen)
        ema: float = 0.999,
        seed: int = 0,
        start: str | None = None,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.vocoder = self.build(spec, width, hidden, depth)
            if start is not None:
                begun = type(self.vocoder).from_pretrained(start)
                refuse_mismatch(begun.spec, spec, f"start {start}", "the data")
                load_weights(self.vocoder, Path(start) / WEIGHTS)
            self.by_period: Discriminator = Period(tuple(periods), period_width)
            self.by_window: Discriminator = Resolution(tuple(windows), window_width)
        self.average = frozen_copy(self.vocoder)
        self.spec, self.width, self.hidden, self.depth = spec, width, hidden, depth
        self.gan_from, self.periods, self.period_width = gan_from, periods, period_width
        self.windows, self.window_width = windows, window_width
        self.mel_weight, self.stft_weight = mel_weight, stft_weight
        self.window_weight, self.ema, self.seed = window_weight, ema, seed
        self.optimizer, self.judge_optimizer, self.start = optimizer, judge_optimizer, start

    @staticmethod
    def build(spec: Mel, width: int, hidden: int, depth: int) -> Vocos | NSF:
        """An untrained vocoder."""
        return Vocos(spec, width, hidden, depth)

    def save_pretrained(self, folder: str | os.PathLike[str], *, card: str | None = None) -> None:
        """Save the averaged vocoder, which is what is used; discriminators stay behind."""
        self.average.save_pretrained(folder, card=card)

    def remade(self, vocoder: nn.Module, batch: Any, step: int) -> tuple[Tensor, Tensor]:
        """A batch of samples, and what a vocoder makes of their spectrograms, (b, n) each."""
        real: Tensor = batch
        return real, vocoder(log_mel(real, self.spec))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Loss of a batch of samples, ``n`` a multiple of the hop."""
        real, fake = self.remade(self.vocoder, batch, self.global_step)
        mel, spectral = mel_distance(fake, real, self.spec), stft_distance(fake, real)
        loss = self.mel_weight * mel + self.stft_weight * spectral
        logs = {"mel": mel, "stft": spectral}
        if self.gan_from is not None and self.global_step >= self.gan_from:
            game, said = self.game(real, fake)
            loss, logs = loss + game, logs | said
        every: int = vars(self.trainer)["log_every_n_steps"]
        if (self.global_step + 1) % every == 0:
            self.log_dict({f"train/{name}": value.detach() for name, value in logs.items()})
        return loss

    def game(
        self, real: Float[Tensor, "b n"], fake: Float[Tensor, "b n"]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Both sides of the game: the vocoder's gradient does not reach the discriminators."""
        total, logs = real.new_zeros(()), dict[str, Tensor]()
        sides = (("period", self.by_period, 1.0), ("window", self.by_window, self.window_weight))
        for name, judges, weight in sides:
            judges.requires_grad_(False)
            about_real, about_fake = judges(real), judges(fake)
            fools, matches = fooled(about_fake), matched(about_real, about_fake)
            judges.requires_grad_(True)
            loss = judged(judges(real), judges(fake.detach()))
            total = total + weight * (fools + matches) + loss
            logs |= {f"{name}_fools": fools, f"{name}_judges": loss, f"{name}_features": matches}
        return total, logs

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Mel distance of whole recordings, ``n`` a multiple of the hop."""
        real, fake = self.remade(self.average, batch, batch_idx)
        gap = mel_distance(fake, real, self.spec)
        self.log("val/mel", gap, on_epoch=True, batch_size=len(real))
        self.log("eval/score", -gap, on_epoch=True, logger=False, batch_size=len(real))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One optimiser; its groups are the vocoder and the discriminators."""
        judges = [*self.by_period.parameters(), *self.by_window.parameters()]
        return build_optimizer(
            (self.optimizer, self.vocoder.parameters()),
            (self.judge_optimizer, judges),
            total_steps=int(self.trainer.estimated_stepping_batches),
        )

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip each side as its optimiser's description says."""
        self.optimizer.clip_(self.vocoder.parameters())
        for judges in (self.by_period, self.by_window):
            self.judge_optimizer.clip_(judges.parameters())

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """One optimiser step, then one of the moving average."""
        step = self.global_step  # Lightning counts the step when this returns
        super().optimizer_step(*args, **kwargs)
        # Short runs too: else the first weights are a fifth of the average after 1,500 steps.
        ema_update(self.average, self.vocoder, min(self.ema, (1 + step) / (10 + step)))
