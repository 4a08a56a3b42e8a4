"""The curve model: pitch, energy and breathiness of a score with phoneme durations."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.nets.layers import apply_mask
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler
from oneleap.core.training.model import SCORE, GenerativeModel, Validation
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import Step
from oneleap.core.types import Conditioned, Objective, TrainingBatch
from oneleap.domains.audio.sequence import expand_by_duration, frame_to_token, sequence_mask
from oneleap.domains.singing.models.encoder import FFTEncoder
from oneleap.domains.singing.models.frames import token_positions
from oneleap.domains.singing.models.nets import DecoderConfig, EncoderConfig, LYNXConfig
from oneleap.domains.singing.spec import SingingBatch, Spec

CURVE_RANGES = {"pitch": (0.0, 1.0), "energy": (-54.0, 42.0), "breathiness": (-58.0, 38.0)}
"""Center and half width by which each curve is normalized.

Pitch is in semitones relative to the score, the others are in dB.
"""

MAX_PITCH_OFFSET = 12.0
"""Largest distance between pitch and score in semitones, in training and in generation."""


class CurveBatch(NamedTuple):
    """Phrases as the curve model reads them; see :class:`SingingBatch`.

    Attributes:
        tokens: Token of each phoneme, 0 at padding.
        durations: Whole frames of each phoneme.
        note_midi: Pitch of each note in semitones. Rests have the pitch of a neighbor.
        note_rest: True at rests.
        note_durations: Whole frames of each note, 0 at padding.
        base_pitch: Smoothed pitch of the score at each frame, in semitones.
        x: Normalized curves, each repeated to ``bins`` channels.
        mask: True at real frames.
    """

    tokens: Int[Tensor, "b l"]
    durations: Int[Tensor, "b l"]
    note_midi: Float[Tensor, "b k"]
    note_rest: Bool[Tensor, "b k"]
    note_durations: Int[Tensor, "b k"]
    base_pitch: Float[Tensor, "b n"]
    x: Float[Tensor, "b c n"]
    mask: Bool[Tensor, "b 1 n"]


def semitones(f0: Float[Tensor, "*d"]) -> Float[Tensor, "*d"]:
    """Pitch in semitones of a frequency in Hz; 69 is 440 Hz."""
    return 69 + 12 * (f0 / 440.0).log2()


def hertz(midi: Float[Tensor, "*d"]) -> Float[Tensor, "*d"]:
    """Frequency in Hz of a pitch in semitones; inverse of :func:`semitones`."""
    return 440.0 * 2.0 ** ((midi - 69) / 12)


class CurveNet(nn.Module):
    """Encoders of phonemes and notes, and a decoder of curves.

    Args:
        phonemes: Number of phonemes.
        channels: Channels of the data.
        encoder: Sizes of the phoneme encoder.
        melody: Sizes of the note encoder.
        decoder: Kind and sizes of the decoder.
    """

    def __init__(
        self,
        phonemes: int,
        channels: int,
        encoder: EncoderConfig,
        melody: EncoderConfig,
        decoder: DecoderConfig,
    ) -> None:
        super().__init__()
        width = encoder.width
        self.phoneme = nn.Embedding(phonemes + 1, width, padding_idx=0)
        nn.init.normal_(self.phoneme.weight, std=width**-0.5)
        self.duration = nn.Linear(1, width)
        self.encoder = FFTEncoder(width, encoder.depth, encoder.heads, encoder.hidden)
        self.note, self.note_dur = nn.Linear(2, melody.width), nn.Linear(1, melody.width)
        self.melody = FFTEncoder(melody.width, melody.depth, melody.heads, melody.hidden)
        self.bridge = nn.Linear(melody.width, width)
        self.place, self.note_place = nn.Linear(3, width), nn.Linear(3, width)
        self.base = nn.Linear(1, width)
        self.decoder = decoder.build(channels, width)

    def encode(self, batch: CurveBatch) -> Float[Tensor, "b c n"]:
        """Condition of each frame."""
        n = batch.base_pitch.shape[1]
        x = self.phoneme(batch.tokens)
        x = x + self.duration(batch.durations.unsqueeze(2).to(x.dtype).log1p())
        return self.encode_frames(self.encoder(x, batch.tokens > 0), batch, n)

    def encode_frames(
        self, phonemes: Float[Tensor, "b l c"], batch: CurveBatch, n: int
    ) -> Float[Tensor, "b c n"]:
        """Condition of each frame, given the encoded phonemes.

        Args:
            phonemes: Output of the phoneme encoder.
            batch: Phrases.
            n: Number of frames.

        Returns:
            Condition of each frame.
        """
        token = frame_to_token(batch.durations, n)
        note_of_frame = frame_to_token(batch.note_durations, n)
        sung = (~batch.note_rest).to(phonemes.dtype)
        notes = self.note(torch.stack([(batch.note_midi - 60) / 12 * sung, sung], dim=2))
        notes = notes + self.note_dur(batch.note_durations.unsqueeze(2).to(notes.dtype).log1p())
        melody = self.bridge(self.melody(notes, batch.note_durations > 0))
        cond = expand_by_duration(phonemes, token) + expand_by_duration(melody, note_of_frame)
        cond = cond + self.place(token_positions(batch.durations, token))
        cond = cond + self.note_place(token_positions(batch.note_durations, note_of_frame))
        cond = cond + self.base((batch.base_pitch.unsqueeze(2) - 60) / 12)
        return apply_mask(cond, batch.mask.mT).mT

    def field(self, cond: Tensor, mask: Tensor, decoder: nn.Module | None = None) -> Conditioned:
        """Field of a decoder under a condition; a dropped condition is zero.

        Args:
            cond: Condition of each frame, (b, c, n).
            mask: True at real frames, (b, 1, n).
            decoder: Decoder to use instead of the network's own.

        Returns:
            The field ``u(z, r, t)``.
        """
        return Conditioned(decoder or self.decoder, (cond, mask), (torch.zeros_like(cond), mask))


class CurveModel(GenerativeModel):
    """Pitch, or energy and breathiness, of a score with durations, under any objective of the core.

    Pitch is learned as its difference from the smoothed score in semitones. As in openvpi, each
    curve is repeated to ``bins`` channels, so the decoder sees a kind of spectrogram. The generated
    curve is the mean over its channels.

    Deviations from openvpi: there are no retakes and no expressiveness input; energy and
    breathiness are not conditioned on the generated pitch.

    Args:
        spec: Phonemes and spectrogram format, which fixes the frames.
        objective: Training objective of the decoder.
        names: Names of the curves: pitch, energy, breathiness.
        sampler: Sampler of the decoder.
        encoder: Sizes of the phoneme encoder.
        melody: Sizes of the note encoder.
        decoder: Kind and sizes of the decoder; openvpi has LYNXNet2 of width 512 and depth 6.
        bins: Channels of each curve; openvpi has 64 for pitch.
        temperature: Standard deviation of the noise that curves are generated from. Below 1 they
            stay closer to the mean, where one-step models are most accurate.
        recipe: Settings of training.
    """

    net: CurveNet
    average: CurveNet

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        names: tuple[str, ...] = ("pitch",),
        sampler: Sampler = FlowMapSampler(),  # noqa: B008  (frozen)
        encoder: EncoderConfig = EncoderConfig(96, 2, 2, 192),  # noqa: B008  (frozen)
        melody: EncoderConfig = EncoderConfig(64, 2, 2, 128),  # noqa: B008  (frozen)
        decoder: DecoderConfig = LYNXConfig(128, 4),  # noqa: B008  (frozen)
        bins: int = 16,
        temperature: float = 1.0,
        recipe: Recipe = Recipe(optimizer=AdamConfig(clip=1.0)),  # noqa: B008  (frozen)
    ) -> None:
        if not names or set(names) - set(CURVE_RANGES):
            known = ", ".join(CURVE_RANGES)
            raise InputError(f"names: must be one or more of {known}, not {list(names)}")
        if temperature < 0:
            raise InputError(f"temperature: {temperature} is negative")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            size = len(names) * bins
            net = CurveNet(len(spec.phonemes), size, encoder, melody, decoder)
        super().__init__(net, objective, recipe)
        self.spec, self.names, self.sampler, self.encoder = spec, tuple(names), sampler, encoder
        self.melody, self.decoder, self.bins = melody, decoder, bins
        self.temperature = temperature

    def prepare(self, batch: SingingBatch, step: Step) -> CurveBatch:
        """Scores and normalized curves."""
        return self.curve_batch(batch)

    def curve_batch(self, batch: SingingBatch) -> CurveBatch:
        """Scores and normalized curves of phrases."""
        rows = []
        for name in self.names:
            if name == "pitch":
                offset = semitones(batch.f0.clamp(min=1.0)) - batch.base_pitch
                curve = offset.clamp(-MAX_PITCH_OFFSET, MAX_PITCH_OFFSET)
            else:
                curve = getattr(batch, name)
            middle, half = CURVE_RANGES[name]
            rows.append((curve - middle) / half)
        x = torch.stack(rows, dim=1).repeat_interleave(self.bins, dim=1)
        return CurveBatch(
            tokens=batch.tokens,
            durations=batch.durations,
            note_midi=batch.note_midi,
            note_rest=batch.note_rest,
            note_durations=batch.note_durations,
            base_pitch=batch.base_pitch,
            x=x,
            mask=sequence_mask(batch.num_frames, x.shape[2]).unsqueeze(1),
        )

    def next_step(self, run: str) -> tuple[str, ...] | None:
        """See :meth:`oneleap.core.hub.pretrained.Pretrained.next_step`."""
        return ("evaluate", run)

    def data(self, batch: CurveBatch) -> Float[Tensor, "b c n"]:
        """Normalized curves."""
        return batch.x

    def bind(self, batch: CurveBatch, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Bind the network to the scores."""
        chosen = net if isinstance(net, CurveNet) else self.net
        average, cond = self.target_net, chosen.encode(batch)
        assert isinstance(average, CurveNet)
        return TrainingBatch(
            field=chosen.field(cond, batch.mask),
            x=batch.x,
            mask=batch.mask,
            target=chosen.field(cond, batch.mask, average.decoder),
            teacher=self.teacher_field(batch),
        )

    def validate(self, batch: SingingBatch, step: Step) -> Validation:
        """Mean distance of samples from the recordings, in semitones or dB."""
        curves = self.curve_batch(batch)
        generator = step.generator(2)
        noise = torch.randn(curves.x.shape, generator=generator, device=self.device)
        samples = self.generate(curves, noise, generator=generator)
        recorded = self.denormalize(curves.x)
        error = masked_mean((samples - recorded).abs(), curves.mask).mean()
        return Validation({"val/l1": error, SCORE: -error}, len(curves.x))

    def denormalize(self, x: Float[Tensor, "b c n"]) -> Float[Tensor, "b k n"]:
        """Curves in semitones or dB: the mean over the channels of each, denormalized."""
        means = rearrange(x, "b (k c) n -> b k c n", c=self.bins).mean(2)
        scale = x.new_tensor([CURVE_RANGES[name] for name in self.names])
        return means * scale[:, 1:] + scale[:, :1]

    def generate(
        self,
        batch: CurveBatch,
        noise: Float[Tensor, "b c n"],
        sampler: Sampler | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b k n"]:
        """Generate curves with the averaged network.

        Args:
            batch: Scores.
            noise: Standard normal noise.
            sampler: Sampler to use instead of the model's own.
            generator: Random generator for the noise of stochastic samplers.

        Returns:
            Curves in dB, or pitch in semitones relative to the smoothed score.
        """
        sampler = self.sampler if sampler is None else sampler
        cond = self.average.encode(batch)
        field = self.average.field(cond, batch.mask)
        start = self.temperature * noise
        samples = self.denormalize(sampler(field, start, generator))
        if self.names == ("pitch",):
            return samples.clamp(-MAX_PITCH_OFFSET, MAX_PITCH_OFFSET)
        return samples
