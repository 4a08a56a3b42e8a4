"""The duration model: a FastSpeech predictor of phoneme durations with three losses."""

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.nets.layers import apply_mask
from oneleap.core.training.ema import frozen_copy
from oneleap.core.training.model import SCORE, Trainable, Validation
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.domains.singing.data.batches import score_batch
from oneleap.domains.singing.models.encoder import FFTEncoder
from oneleap.domains.singing.models.frames import sum_by_word
from oneleap.domains.singing.models.nets import EncoderConfig
from oneleap.domains.singing.segments import timing
from oneleap.domains.singing.segments.segment import ScoreSegment
from oneleap.domains.singing.spec import SingingBatch, Spec

if TYPE_CHECKING:
    import lightning as L

OPENVPI_WEIGHTS = (0.3, 1.0, 3.0)
"""Weights of the losses of phonemes, words and phrases in openvpi."""


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
            x = apply_mask(x + nn.functional.gelu(norm(conv(apply_mask(x, real).mT).mT)), real)
        return apply_mask(self.outward(x).squeeze(2).clamp(max=8.0).exp(), mask)


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

        Returns:
            Duration of each phoneme in frames.
        """
        durations: Tensor = self.predictor(encoded + self.midi(ph_midi), mask)
        return durations


class DurationModel(Trainable):
    """Durations of phonemes, trained with squared errors of ``log(d + 1)``.

    ``L = w_1 L_phoneme + w_2 L_word + w_3 L_phrase``. The notes of a score give the durations of
    words, and consonants keep their predictions
    (:func:`oneleap.domains.singing.segments.timing.hold_vowels`). So the weights (1, 0, 0) serve
    best; openvpi has (0.3, 1, 3).

    The words of a recording start where the singer's vowels do, so their durations reveal those of
    the consonants: before a long consonant the word is late by it. A score reveals nothing. So
    training adds noise to the durations of words.

    Args:
        spec: Phonemes and spectrogram format, which fixes the frames.
        encoder: Sizes of the encoder.
        depth: Number of convolutions of the predictor.
        loss_weights: Weights of the losses of phonemes, words and phrases.
        jitter_s: Standard deviation of the noise on the durations of words, in seconds; 0 for none.
        recipe: Settings of training; teachers, ``compile``, ``rank`` and
            ``log_variance`` are not supported.

    Raises:
        InputError: The recipe asks for one of these, or the noise is negative.
    """

    def __init__(
        self,
        spec: Spec,
        *,
        encoder: EncoderConfig = EncoderConfig(96, 2, 2, 192),  # noqa: B008  (frozen)
        depth: int = 3,
        loss_weights: tuple[float, float, float] = OPENVPI_WEIGHTS,
        jitter_s: float = 0.0,
        recipe: Recipe = Recipe(AdamConfig(1e-3, cosine=True, clip=1.0)),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__()
        if any((recipe.teacher, recipe.compile, recipe.rank, recipe.log_variance)):
            raise InputError(
                "recipe: a duration model supports no teacher, compile, rank or log_variance"
            )
        if not jitter_s >= 0:
            raise InputError(f"jitter_s: must be 0 or more, not {jitter_s}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.net = DurationNet(len(spec.phonemes), encoder, depth)
        self.average = frozen_copy(self.net)
        self.loss_weights, self.jitter_s = loss_weights, jitter_s
        self.spec, self.encoder, self.depth, self.recipe = spec, encoder, depth, recipe

    def next_step(self, run: str) -> tuple[str, ...] | None:
        """See :meth:`oneleap.core.hub.pretrained.Pretrained.next_step`."""
        return ("evaluate", run)

    def lightning_module(self) -> "L.LightningModule":
        """See :meth:`oneleap.core.training.model.Trainable.lightning_module`."""
        from oneleap.domains.singing.models.duration_training import DurationTraining

        return DurationTraining(self)

    def predict(self, batch: SingingBatch, net: DurationNet | None = None) -> Float[Tensor, "b l"]:
        """Durations in frames, by the averaged network unless another is given."""
        chosen = self.average if net is None else net
        midi = batch.ph_midi.round().long()
        durations: Tensor = chosen(batch.tokens, batch.word_onset, batch.word_durations, midi)
        return durations

    @torch.no_grad()
    def add_durations(self, segment: ScoreSegment) -> ScoreSegment:
        """Predict phoneme durations of a phrase and rescale them within each word to its notes.

        Raises:
            InputError: A phoneme is unknown.
        """
        batch = SingingBatch(*(x.to(self.device) for x in score_batch(segment, self.spec)))
        seconds = self.predict(batch)[0].cpu().double() / self.spec.mel.frame_rate
        return timing.fit_to_notes(segment, seconds.tolist())

    def losses(self, batch: SingingBatch, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of phonemes, words and phrases, and their weighted sum ``loss``.

        Args:
            batch: Phrases.
            generator: Source of the noise on the durations of words.

        Returns:
            The losses by name.
        """
        predicted = self.predict(self._jitter(batch, generator), self.net)
        mask = batch.tokens > 0
        parts = duration_losses(predicted, batch.exact_durations, batch.word_index, mask)
        loss = torch.stack(
            [w * part for w, part in zip(self.loss_weights, parts, strict=True)]
        ).sum()
        return dict(zip(("phoneme", "word", "phrase"), parts, strict=True)) | {"loss": loss}

    def _jitter(self, batch: SingingBatch, generator: torch.Generator) -> SingingBatch:
        """Add noise to the durations of words; all phonemes of a word have the same."""
        exact = batch.word_durations
        drawn = torch.randn(exact.shape, generator=generator, device=generator.device).to(exact)
        noise = self.jitter_s * self.spec.mel.frame_rate * drawn.gather(1, batch.word_index)
        return batch._replace(word_durations=(exact + noise).clamp(min=0.5 * exact))

    def validate(self, batch: SingingBatch) -> Validation:
        """Mean absolute error of phoneme durations that add up to the words', in milliseconds."""
        mask = batch.tokens > 0
        predicted, true, word = self.predict(batch), batch.exact_durations, batch.word_index
        total = sum_by_word(predicted, word).gather(1, word).clamp(min=1e-6)
        target = sum_by_word(true, word).gather(1, word)
        error = (predicted * target / total - true).abs()[mask].mean()
        ms = 1e3 * error / self.spec.mel.frame_rate
        return Validation({"val/duration_ms": ms, SCORE: -ms}, len(mask))
