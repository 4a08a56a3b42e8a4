"""Curves over frames, above all pitch: what a score leaves open, under any objective."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.nets.layers import keep
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.module import GenerativeModule
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.seed import step_generator
from oneleap.core.types import Conditioned, Objective, TrainingBatch
from oneleap.domains.singing.models.encoder import FFTEncoder
from oneleap.domains.singing.models.frames import owners, places, real, spread
from oneleap.domains.singing.models.nets import LYNX, Decoder, Encoder
from oneleap.domains.singing.models.samplers import FlowMapSampler, Sampler
from oneleap.domains.singing.spec import Songs, Spec

RANGES = {"pitch": (0.0, 1.0), "energy": (-54.0, 42.0), "breathiness": (-58.0, 38.0)}
"""Middle and half width of each curve: pitch in semitones off the score, the others in dB."""

WIDEST = 12.0
"""Semitones; pitch is not learnt, nor sung, farther off the score."""


class Sheet(NamedTuple):
    """Phrases as a curve model reads them; see :class:`Songs`.

    Attributes:
        tokens: Numbers of phonemes.
        each: Whole frames of each phoneme.
        notes: Pitch of each note, rests filled.
        rest: Where notes are rests.
        note_each: Whole frames of each note, 0 at padding.
        base: Smoothed pitch of the score, of each frame.
        x: The curves, scaled, each ``bins`` times.
        mask: True at real frames.
    """

    tokens: Int[Tensor, "b l"]
    each: Int[Tensor, "b l"]
    notes: Float[Tensor, "b k"]
    rest: Bool[Tensor, "b k"]
    note_each: Int[Tensor, "b k"]
    base: Float[Tensor, "b n"]
    x: Float[Tensor, "b c n"]
    mask: Bool[Tensor, "b 1 n"]


def semitones(f0: Float[Tensor, "*d"]) -> Float[Tensor, "*d"]:
    """Pitch of a frequency in Hz, 69 = 440 Hz."""
    return 69 + 12 * (f0 / 440.0).log2()


def hertz(midi: Float[Tensor, "*d"]) -> Float[Tensor, "*d"]:
    """Frequency of a pitch, the way back."""
    return 440.0 * 2.0 ** ((midi - 69) / 12)


class CurveNet(nn.Module):
    """Phonemes with durations, notes and the smoothed score to a field of curves.

    Args:
        phonemes: Size of the alphabet.
        channels: Of the data.
        encoder: Sizes of the phoneme encoder.
        melody: Sizes of the encoder of notes.
        decoder: Kind of the decoder.
    """

    def __init__(
        self, phonemes: int, channels: int, encoder: Encoder, melody: Encoder, decoder: Decoder
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

    def encode(self, sheet: Sheet) -> Float[Tensor, "b c n"]:
        """The condition of each frame."""
        n = sheet.base.shape[1]
        x = self.phoneme(sheet.tokens)
        x = x + self.duration(sheet.each.unsqueeze(2).to(x.dtype).log1p())
        return self.frames(self.encoder(x, sheet.tokens > 0), sheet, n)

    def frames(
        self, hidden: Float[Tensor, "b l c"], sheet: Sheet, n: int
    ) -> Float[Tensor, "b c n"]:
        """The same, given what the encoder makes of the phonemes."""
        owner, note_owner = owners(sheet.each, n), owners(sheet.note_each, n)
        sung = (~sheet.rest).to(hidden.dtype)
        height = torch.stack([(sheet.notes - 60) / 12 * sung, sung], dim=2)
        notes = self.note(height)
        notes = notes + self.note_dur(sheet.note_each.unsqueeze(2).to(notes.dtype).log1p())
        tune = self.bridge(self.melody(notes, sheet.note_each > 0))
        cond = spread(hidden, owner) + spread(tune, note_owner)
        cond = cond + self.place(places(sheet.each, owner))
        cond = cond + self.note_place(places(sheet.note_each, note_owner))
        cond = cond + self.base((sheet.base.unsqueeze(2) - 60) / 12)
        return keep(cond, sheet.mask.mT).mT

    def field(self, cond: Tensor, mask: Tensor, decoder: nn.Module | None = None) -> Conditioned:
        """The decoder's field, or another's. The dropped condition is zero."""
        return Conditioned(decoder or self.decoder, (cond, mask), (torch.zeros_like(cond), mask))


class Curves(GenerativeModule):
    """Pitch, or energy and breathiness, of a score that is timed, under any objective of the core.

    Pitch is learnt as its distance from the smoothed score, in semitones. As openvpi does, each
    curve is repeated to ``bins`` channels, so that it is a spectrogram to the decoder; the mean of
    the channels is what is sung.

    Deviations from openvpi: no retakes and no expressiveness; energy and breathiness do not see the
    pitch that was sung.

    Args:
        spec: Alphabet and length of a frame.
        objective: How the decoder learns.
        names: Of the curves: pitch, energy, breathiness.
        sampler: How it is sampled.
        encoder: Sizes of the phoneme encoder.
        melody: Sizes of the encoder of notes.
        decoder: Kind of the decoder; openvpi has LYNXNet2 of 512 and 6.
        bins: Channels of each curve; openvpi has 64 for pitch.
        temperature: Deviation of the noise that curves are made of. Below 1 they keep to what is
            usual; one step errs most far out.
        optimizer: Optimiser, schedule and gradient clip.
        ema: Decay of the moving average that sings, or a schedule.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run the loss through ``torch.compile``; each length is compiled anew.
        teacher: Model folder of a curve model to distil.
        from_teacher: Start from the teacher's weights.
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
        encoder: Encoder = Encoder(96, 2, 2, 192),  # noqa: B008  (frozen)
        melody: Encoder = Encoder(64, 2, 2, 128),  # noqa: B008  (frozen)
        decoder: Decoder = LYNX(128, 4),  # noqa: B008  (frozen)
        bins: int = 16,
        temperature: float = 1.0,
        optimizer: AdamConfig = AdamConfig(clip=1.0),  # noqa: B008  (frozen)
        ema: float | PowerEMA = 0.999,
        seed: int = 0,
        compile_loss: bool = False,
        teacher: str | None = None,
        from_teacher: bool = False,
    ) -> None:
        if not names or (unknown := set(names) - set(RANGES)):
            raise InputError(f"names: some of {', '.join(RANGES)}, not {names} {unknown}")
        if temperature < 0:
            raise InputError(f"temperature: {temperature} is negative")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            size = len(names) * bins
            net = CurveNet(len(spec.phonemes), size, encoder, melody, decoder)
        super().__init__(
            net,
            objective,
            optimizer=optimizer,
            ema=ema,
            seed=seed,
            compile_loss=compile_loss,
            teacher=teacher,
            from_teacher=from_teacher,
        )
        self.spec, self.names, self.sampler, self.encoder = spec, tuple(names), sampler, encoder
        self.melody, self.decoder, self.bins = melody, decoder, bins
        self.temperature = temperature

    def training_step(self, batch: Songs, batch_idx: int) -> Tensor | None:
        """Scale the curves, then train."""
        return super().training_step(self.sheet(batch), batch_idx)

    def sheet(self, batch: Songs) -> Sheet:
        """The score of a batch, and its curves, scaled."""
        rows = []
        for name in self.names:
            if name == "pitch":
                curve = (semitones(batch.f0.clamp(min=1.0)) - batch.base).clamp(-WIDEST, WIDEST)
            else:
                curve = getattr(batch, name)
            middle, half = RANGES[name]
            rows.append((curve - middle) / half)
        x = torch.stack(rows, dim=1).repeat_interleave(self.bins, dim=1)
        mask = real(batch.frames, x.shape[2]).unsqueeze(1)
        return Sheet(
            batch.tokens, batch.each, batch.notes, batch.rest, batch.note_each, batch.base, x, mask
        )

    def data(self, batch: Sheet) -> Float[Tensor, "b c n"]:
        """The curves, scaled."""
        return batch.x

    def bind(self, batch: Sheet, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Curves given scores."""
        chosen = net if isinstance(net, CurveNet) else self.net
        cond = chosen.encode(batch)
        return TrainingBatch(
            field=chosen.field(cond, batch.mask),
            x=batch.x,
            mask=batch.mask,
            target=chosen.field(cond, batch.mask, self.average.decoder),
            teacher=self.teacher_field(batch),
        )

    def validation_step(self, rows: Songs, batch_idx: int) -> None:
        """Mean distance of a sample from what was sung: semitones, or dB."""
        batch = self.sheet(rows)
        generator = step_generator(self.seed, batch_idx, 2, self.device)
        noise = torch.randn(batch.x.shape, generator=generator, device=self.device)
        made = self.generate(batch, noise, generator=generator)
        wanted = self.averaged(batch.x)
        error = masked_mean((made - wanted).abs(), batch.mask).mean()
        self.log("val/l1", error, batch_size=len(batch.x))
        self.log("eval/score", -error, on_epoch=True, logger=False, batch_size=len(batch.x))

    def averaged(self, x: Float[Tensor, "b c n"]) -> Float[Tensor, "b k n"]:
        """Curves in their units, by the mean over their channels."""
        means = rearrange(x, "b (k c) n -> b k c n", c=self.bins).mean(2)
        scale = x.new_tensor([RANGES[name] for name in self.names])
        return means * scale[:, 1:] + scale[:, :1]

    def generate(
        self,
        batch: Sheet,
        noise: Float[Tensor, "b c n"],
        sampler: Sampler | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b k n"]:
        """Curves in their units, by the average; pitch in semitones off the smoothed score."""
        sampler = self.sampler if sampler is None else sampler
        cond = self.average.encode(batch)
        field = self.average.field(cond, batch.mask)
        start = self.temperature * noise
        made = self.averaged(sampler(field, start, torch.zeros_like(noise), generator))
        return made.clamp(-WIDEST, WIDEST) if self.names == ("pitch",) else made
