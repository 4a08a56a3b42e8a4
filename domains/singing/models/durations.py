"""How long each phoneme lasts within its word: FastSpeech's predictor with three losses."""

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
from oneleap.domains.singing.data.batches import unsung
from oneleap.domains.singing.models.encoder import FFTEncoder
from oneleap.domains.singing.models.frames import word_sums
from oneleap.domains.singing.models.nets import Encoder
from oneleap.domains.singing.segments import timing
from oneleap.domains.singing.segments.segment import ScoreSegment, Segment
from oneleap.domains.singing.spec import Songs, Spec

WEIGHTS = (0.3, 1.0, 3.0)
"""Of the losses of phonemes, words and phrase; openvpi's."""


def duration_losses(
    predicted: Float[Tensor, "b l"],
    wanted: Float[Tensor, "b l"],
    word: Int[Tensor, "b l"],
    mask: Bool[Tensor, "b l"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    """Squared errors of ``log(d + 1)``: of phonemes, of words and of whole phrases.

    Args:
        predicted: Frames, 0 at padding.
        wanted: Likewise.
        word: Number of each phoneme's word.
        mask: True at real phonemes.
    """
    words = word_sums(mask.to(wanted.dtype), word) > 0

    def error(a: Tensor, b: Tensor) -> Tensor:
        return (a.log1p() - b.log1p()).square()

    by_phoneme = error(predicted, wanted)[mask].mean()
    by_word = error(word_sums(predicted, word), word_sums(wanted, word))[words].mean()
    by_phrase = error(predicted.sum(1), wanted.sum(1)).mean()
    return by_phoneme, by_word, by_phrase


class Linguistic(nn.Module):
    """Phonemes in their words: what the duration model reads (openvpi's word mode).

    Args:
        phonemes: Size of the alphabet.
        size: Of the encoder.
    """

    def __init__(self, phonemes: int, size: Encoder) -> None:
        super().__init__()
        self.phoneme = nn.Embedding(phonemes + 1, size.width, padding_idx=0)
        nn.init.normal_(self.phoneme.weight, std=size.width**-0.5)
        self.onset, self.word_dur = nn.Embedding(2, size.width), nn.Linear(1, size.width)
        self.encoder = FFTEncoder(size.width, size.depth, size.heads, size.hidden)

    def forward(
        self,
        tokens: Int[Tensor, "b l"],
        onset: Bool[Tensor, "b l"],
        word_dur: Float[Tensor, "b l"],
    ) -> Float[Tensor, "b l c"]:
        """What is known of each phoneme."""
        x = self.phoneme(tokens) + self.onset(onset.long())
        x = x + self.word_dur(word_dur.unsqueeze(2).log1p())
        hidden: Tensor = self.encoder(x, tokens > 0)
        return hidden


class Predictor(nn.Module):
    """Residual convolutions over phonemes, then one number each; openvpi has 5 of 256 channels.

    Args:
        width: Channels.
        depth: Convolutions.
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.outward = nn.Linear(width, 1)
        nn.init.constant_(self.outward.bias, 2.0)

    def forward(self, x: Float[Tensor, "b l c"], mask: Bool[Tensor, "b l"]) -> Float[Tensor, "b l"]:
        """Frames, more than 0; 0 at padding."""
        there = mask.unsqueeze(2)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = keep(x + nn.functional.gelu(norm(conv(keep(x, there).mT).mT)), there)
        return keep(self.outward(x).squeeze(2).clamp(max=8.0).exp(), mask)


class DurationNet(nn.Module):
    """Phonemes, words and notes to frames.

    Args:
        phonemes: Size of the alphabet.
        size: Of the encoder.
        depth: Convolutions of the predictor.
    """

    def __init__(self, phonemes: int, size: Encoder, depth: int) -> None:
        super().__init__()
        self.linguistic = Linguistic(phonemes, size)
        self.midi = nn.Embedding(128, size.width)
        self.predictor = Predictor(size.width, depth)

    def forward(
        self,
        tokens: Int[Tensor, "b l"],
        onset: Bool[Tensor, "b l"],
        word_dur: Float[Tensor, "b l"],
        ph_midi: Int[Tensor, "b l"],
    ) -> Float[Tensor, "b l"]:
        """Frames of each phoneme, not yet rescaled to its word."""
        hidden = self.linguistic(tokens, onset, word_dur)
        return self.predict(hidden, ph_midi, tokens > 0)

    def predict(
        self, hidden: Float[Tensor, "b l c"], ph_midi: Int[Tensor, "b l"], mask: Tensor
    ) -> Float[Tensor, "b l"]:
        """The same, given what :attr:`linguistic` makes of the phonemes."""
        frames: Tensor = self.predictor(hidden + self.midi(ph_midi), mask)
        return frames


class Durations(Pretrained, L.LightningModule):
    """Duration model: frames of each phoneme, by squared errors of ``log(d + 1)``.

    ``L = 0.3 phonemes + 1 words + 3 phrase``. What is sung is rescaled inside each word to the
    word's notes (:func:`oneleap.domains.singing.segments.timing.fit_to_notes`).

    Args:
        spec: Alphabet and length of a frame.
        encoder: Sizes of the encoder.
        depth: Convolutions of the predictor.
        optimizer: Optimiser, schedule and gradient clip.
        ema: Decay of the average that is used.
        seed: Of the first weights.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        encoder: Encoder = Encoder(96, 2, 2, 192),  # noqa: B008  (frozen)
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

    def predict(self, batch: Songs, net: DurationNet | None = None) -> Float[Tensor, "b l"]:
        """Frames of each phoneme, by the average if no network is named."""
        chosen = self.average if net is None else net
        midi = batch.ph_midi.round().long()
        frames: Tensor = chosen(batch.tokens, batch.onset, batch.word_dur, midi)
        return frames

    @torch.no_grad()
    def timed(self, segment: Segment) -> Segment:
        """A phrase with durations of phonemes, rescaled inside each word to its notes.

        Raises:
            InputError: If a phoneme is unknown, or words and notes are missing.
        """
        batch = Songs(*(x.to(self.device) for x in unsung(segment, self.spec)))
        seconds = self.predict(batch)[0].cpu().double() / self.spec.mel.frame_rate
        return timing.fit_to_notes(ScoreSegment.from_segment(segment), seconds.tolist())

    def training_step(self, batch: Songs, batch_idx: int) -> Tensor:
        """See the class."""
        mask = batch.tokens > 0
        made = self.predict(batch, self.net)
        parts = duration_losses(made, batch.durations, batch.word, mask)
        loss = torch.stack([w * part for w, part in zip(WEIGHTS, parts, strict=True)]).sum()
        names = ("phoneme", "word", "phrase")
        every: int = vars(self.trainer)["log_every_n_steps"]
        if (self.global_step + 1) % every == 0:
            logs = {f"train/{n}": p.detach() for n, p in zip(names, parts, strict=True)}
            self.log_dict(logs | {"train/loss": loss.detach()})
        return loss

    def validation_step(self, batch: Songs, batch_idx: int) -> None:
        """Mean error of a phoneme's duration after rescaling, milliseconds."""
        mask = batch.tokens > 0
        made = self.predict(batch)
        total = word_sums(made, batch.word).gather(1, batch.word).clamp(min=1e-6)
        wanted = word_sums(batch.durations, batch.word).gather(1, batch.word)
        error = (made * wanted / total - batch.durations).abs()[mask].mean()
        ms = 1e3 * error / self.spec.mel.frame_rate
        self.log("val/duration_ms", ms, batch_size=len(mask))
        self.log("eval/score", -ms, on_epoch=True, logger=False, batch_size=len(mask))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Adam and its schedule."""
        steps = int(self.trainer.estimated_stepping_batches)
        return build_optimizer((self.optimizer, self.net.parameters()), total_steps=steps)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as the optimiser's description says."""
        self.optimizer.clip_(self.net.parameters())

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """One optimiser step, then one of the average."""
        super().optimizer_step(*args, **kwargs)
        ema_update(self.average, self.net, self.ema)
