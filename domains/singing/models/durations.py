"""The duration model: a FastSpeech predictor of phoneme durations with three losses."""

from typing import Any

import lightning as L
import torch
from jaxtyping import Bool, Float, Int
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from oneleap.core.hub.pretrained import Pretrained
from oneleap.core.nets.layers import keep
from oneleap.core.training.ema import ema_update, frozen_copy
from oneleap.core.training.optim import AdamConfig, build_optimizer
from oneleap.domains.singing.data.batches import score_batch
from oneleap.domains.singing.models.encoder import FFTEncoder
from oneleap.domains.singing.models.frames import sum_by_word
from oneleap.domains.singing.models.nets import EncoderConfig
from oneleap.domains.singing.segments import timing
from oneleap.domains.singing.segments.segment import Segment
from oneleap.domains.singing.spec import SingingBatch, Spec

LOSS_WEIGHTS = (0.3, 1.0, 3.0)
"""Weights of the losses of phonemes, words and phrases, as in openvpi."""


def duration_losses(
    predicted: Float[Tensor, "b l"],
    target: Float[Tensor, "b l"],
    word_index: Int[Tensor, "b l"],
    mask: Bool[Tensor, "b l"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean squared errors of ``log(d + 1)`` for phonemes, words and whole phrases.

    Args:
        predicted: Predicted durations in frames, 0 at padding.
        target: True durations in frames, 0 at padding.
        word_index: Word of each phoneme.
        mask: True at real phonemes.

    Returns:
        The errors of phonemes, words and phrases.
    """
    words = sum_by_word(mask.to(target.dtype), word_index) > 0

    def error(a: Tensor, b: Tensor) -> Tensor:
        return (a.log1p() - b.log1p()).square()

    by_phoneme = error(predicted, target)[mask].mean()
    word_sums = (sum_by_word(x, word_index) for x in (predicted, target))
    by_word = error(*word_sums)[words].mean()
    by_phrase = error(predicted.sum(1), target.sum(1)).mean()
    return by_phoneme, by_word, by_phrase


class LinguisticEncoder(nn.Module):
    """Encoder of phonemes and word durations (openvpi's word mode).

    Args:
        phonemes: Number of phonemes.
        size: Sizes of the encoder.
    """

    def __init__(self, phonemes: int, size: EncoderConfig) -> None:
        super().__init__()
        self.phoneme = nn.Embedding(phonemes + 1, size.width, padding_idx=0)
        nn.init.normal_(self.phoneme.weight, std=size.width**-0.5)
        self.onset, self.word_dur = nn.Embedding(2, size.width), nn.Linear(1, size.width)
        self.encoder = FFTEncoder(size.width, size.depth, size.heads, size.hidden)

    def forward(
        self,
        tokens: Int[Tensor, "b l"],
        word_onset: Bool[Tensor, "b l"],
        word_durations: Float[Tensor, "b l"],
    ) -> Float[Tensor, "b l c"]:
        """Encode phonemes.

        Args:
            tokens: Token of each phoneme, 0 at padding.
            word_onset: True at the first phoneme of each word.
            word_durations: Duration of the word of each phoneme, in frames.

        Returns:
            Encoded phonemes, zero at padding.
        """
        x = self.phoneme(tokens) + self.onset(word_onset.long())
        x = x + self.word_dur(word_durations.unsqueeze(2).log1p())
        hidden: Tensor = self.encoder(x, tokens > 0)
        return hidden


class DurationPredictor(nn.Module):
    """Residual convolutions over phonemes and a linear layer; openvpi has 5 with 256 channels.

    Args:
        width: Channels.
        depth: Number of convolutions.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.outward = nn.Linear(width, 1)
        nn.init.constant_(self.outward.bias, 2.0)

    def forward(self, x: Float[Tensor, "b l c"], mask: Bool[Tensor, "b l"]) -> Float[Tensor, "b l"]:
        """Durations in frames: positive, and 0 at padding."""
        real = mask.unsqueeze(2)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = keep(x + nn.functional.gelu(norm(conv(keep(x, real).mT).mT)), real)
        return keep(self.outward(x).squeeze(2).clamp(max=8.0).exp(), mask)


class DurationNet(nn.Module):
    """Network from phonemes, words and notes to durations.

    Args:
        phonemes: Number of phonemes.
        size: Sizes of the encoder.
        depth: Number of convolutions of the predictor.
    """

    def __init__(self, phonemes: int, size: EncoderConfig, depth: int) -> None:
        super().__init__()
        self.linguistic = LinguisticEncoder(phonemes, size)
        self.midi = nn.Embedding(128, size.width)
        self.predictor = DurationPredictor(size.width, depth)

    def forward(
        self,
        tokens: Int[Tensor, "b l"],
        word_onset: Bool[Tensor, "b l"],
        word_durations: Float[Tensor, "b l"],
        ph_midi: Int[Tensor, "b l"],
    ) -> Float[Tensor, "b l"]:
        """Predict durations, not yet rescaled to words.

        Args:
            tokens: Token of each phoneme, 0 at padding.
            word_onset: True at the first phoneme of each word.
            word_durations: Duration of the word of each phoneme, in frames.
            ph_midi: Pitch of the first note of each phoneme's word, in whole semitones.

        Returns:
            Duration of each phoneme in frames.
        """
        encoded = self.linguistic(tokens, word_onset, word_durations)
        return self.predict(encoded, ph_midi, tokens > 0)

    def predict(
        self, encoded: Float[Tensor, "b l c"], ph_midi: Int[Tensor, "b l"], mask: Tensor
    ) -> Float[Tensor, "b l"]:
        """Predict durations, given the output of the linguistic encoder.

        Args:
            encoded: Encoded phonemes.
            ph_midi: Pitch of the first note of each phoneme's word, in whole semitones.
            mask: True at real phonemes.
        """
        durations: Tensor = self.predictor(encoded + self.midi(ph_midi), mask)
        return durations


class DurationModel(Pretrained, L.LightningModule):
    """Durations of phonemes, trained with squared errors of ``log(d + 1)``.

    ``L = 0.3 L_phoneme + 1 L_word + 3 L_phrase``. Predictions are rescaled within each word to the
    duration of the word's notes (:func:`oneleap.domains.singing.segments.timing.fitted`).

    Args:
        spec: Phonemes and spectrogram format, which fixes the frames.
        encoder: Sizes of the encoder.
        depth: Number of convolutions of the predictor.
        optimizer: Optimizer settings.
        ema: Decay of the moving average that is used.
        seed: Seed of the initial weights.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        encoder: EncoderConfig = EncoderConfig(96, 2, 2, 192),  # noqa: B008  (frozen)
        depth: int = 3,
        optimizer: AdamConfig = AdamConfig(1e-3, cosine=True, clip=1.0),  # noqa: B008  (frozen)
        ema: float = 0.999,
        seed: int = 0,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = DurationNet(len(spec.phonemes), encoder, depth)
        self.average = frozen_copy(self.net)
        self.spec, self.encoder, self.depth = spec, encoder, depth
        self.optimizer, self.ema, self.seed = optimizer, ema, seed

    def predict(self, batch: SingingBatch, net: DurationNet | None = None) -> Float[Tensor, "b l"]:
        """Durations in frames, by the averaged network unless another is given."""
        chosen = self.average if net is None else net
        midi = batch.ph_midi.round().long()
        durations: Tensor = chosen(batch.tokens, batch.word_onset, batch.word_durations, midi)
        return durations

    @torch.no_grad()
    def add_durations(self, segment: Segment) -> Segment:
        """Predict phoneme durations of a phrase and rescale them within each word to its notes.

        Raises:
            InputError: A phoneme is unknown, or words or notes are missing.
        """
        batch = SingingBatch(*(x.to(self.device) for x in score_batch(segment, self.spec)))
        seconds = self.predict(batch)[0].cpu().double() / self.spec.mel.frame_rate
        return timing.fitted(segment, seconds.tolist())

    def training_step(self, batch: SingingBatch, batch_idx: int) -> Tensor:
        """Weighted sum of the three losses."""
        mask = batch.tokens > 0
        predicted = self.predict(batch, self.net)
        parts = duration_losses(predicted, batch.exact_durations, batch.word_index, mask)
        loss = torch.stack([w * part for w, part in zip(LOSS_WEIGHTS, parts, strict=True)]).sum()
        names = ("phoneme", "word", "phrase")
        every: int = vars(self.trainer)["log_every_n_steps"]
        if (self.global_step + 1) % every == 0:
            logs = {f"train/{n}": p.detach() for n, p in zip(names, parts, strict=True)}
            self.log_dict(logs | {"train/loss": loss.detach()})
        return loss

    def validation_step(self, batch: SingingBatch, batch_idx: int) -> None:
        """Mean absolute error of phoneme durations after rescaling, in milliseconds."""
        mask = batch.tokens > 0
        predicted, true, word = self.predict(batch), batch.exact_durations, batch.word_index
        total = sum_by_word(predicted, word).gather(1, word).clamp(min=1e-6)
        target = sum_by_word(true, word).gather(1, word)
        error = (predicted * target / total - true).abs()[mask].mean()
        ms = 1e3 * error / self.spec.mel.frame_rate
        self.log("val/duration_ms", ms, batch_size=len(mask))
        self.log("eval/score", -ms, on_epoch=True, logger=False, batch_size=len(mask))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Optimizer and learning-rate schedule."""
        steps = int(self.trainer.estimated_stepping_batches)
        return build_optimizer((self.optimizer, self.net.parameters()), total_steps=steps)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip gradients as the optimizer settings say."""
        self.optimizer.clip_(self.net.parameters())

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take one optimizer step, then update the moving average."""
        super().optimizer_step(*args, **kwargs)
        ema_update(self.average, self.net, self.ema)
