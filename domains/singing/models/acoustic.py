"""The acoustic model: a score that is timed and pitched, to mel spectrograms."""

import dataclasses
from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.module import GenerativeModule
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.seed import step_generator
from oneleap.core.types import Draw, Loss, Objective, TrainingBatch
from oneleap.domains.audio.mel import check_compatible
from oneleap.domains.singing.models.frames import owners, places
from oneleap.domains.singing.models.nets import LYNX, AcousticNet, Aux, Decoder, Encoder, Framed
from oneleap.domains.singing.models.samplers import FlowMapSampler, FromDepth, Sampler
from oneleap.domains.singing.models.shallow import blend, scaled
from oneleap.domains.singing.spec import Songs, Spec

SCALES = {"energy": 1 / 96, "breathiness": 1 / 96}
"""Of the curves that a model may heed, dB, to numbers near 1; openvpi's."""


class Acoustic(GenerativeModule):
    """Phonemes with durations and pitch to mel spectrograms, under any objective of the core.

    An encoder makes a condition for each frame, an auxiliary decoder a rough spectrogram of it, and
    a decoder, a field, the spectrogram of noise: ``L = L_objective + aux_weight L1(aux)``.

    ===================================  ==============================  ==========================
    model                                objective                       sampler
    ===================================  ==============================  ==========================
    FFT-Singer                           any                             ``Rough``
    DiffSinger (arXiv 2105.02446)        ``NoisePrediction``, L1         ``DDPMSampler``, ``PLMSSampler``
    openvpi's shallow rectified flow     ``FlowMatching``, depth 0.6     ``EulerSampler``, depth 0.6
    CoMoSpeech-SVS (arXiv 2305.06908)    ``ConsistencyDistillation``     ``ConsistencySampler``
    SplitMeanFlow (arXiv 2507.16884)     ``SplitMeanFlow``               ``FlowMapSampler``
    MeanFlow (arXiv 2505.13447)          ``MeanFlow``                    ``FlowMapSampler``
    ===================================  ==============================  ==========================

    With ``depth`` below 1 only times up to it are trained, for a shallow start, see
    :mod:`oneleap.domains.singing.models.shallow`. A student (``teacher``, ``from_teacher: true``) keeps
    its teacher's encoder and auxiliary decoder, and trains its decoder alone.

    Deviations from DiffSinger: spectrograms are scaled by fixed numbers, not to [-1, 1] by the
    data's extremes, and not clamped; padding is masked.

    Args:
        spec: Contract, alphabet, range.
        objective: How the decoder learns.
        sampler: How it is sampled.
        encoder: Sizes of the encoder.
        aux: Sizes of the auxiliary decoder.
        decoder: Kind of the decoder.
        curves: Names of the curves it heeds beside pitch: energy, breathiness.
        depth: Latest time that is trained; 1 is all.
        aux_weight: Of the auxiliary decoder's loss.
        aux_gradient: Share of its gradient that reaches the encoder.
        crop_s: Seconds of each phrase that the decoders see in a step; ``None``, all of it.
        optimizer: Optimiser, schedule and gradient clip.
        ema: Decay of the moving average that sings, or a schedule.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run the loss through ``torch.compile``; each length is compiled anew.
        teacher: Model folder of an acoustic model to distil.
        from_teacher: Start from the teacher's weights.
    """

    net: AcousticNet
    average: AcousticNet

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        sampler: Sampler = FlowMapSampler(),  # noqa: B008  (frozen)
        encoder: Encoder = Encoder(),  # noqa: B008  (frozen)
        aux: Aux = Aux(),  # noqa: B008  (frozen)
        decoder: Decoder = LYNX(),  # noqa: B008  (frozen)
        curves: tuple[str, ...] = (),
        depth: float = 1.0,
        aux_weight: float = 0.2,
        aux_gradient: float = 0.1,
        crop_s: float | None = 1.5,
        optimizer: AdamConfig = AdamConfig(clip=1.0),  # noqa: B008  (frozen)
        ema: float | PowerEMA = 0.999,
        seed: int = 0,
        compile_loss: bool = False,
        teacher: str | None = None,
        from_teacher: bool = False,
    ) -> None:
        if crop_s is not None and crop_s * spec.mel.frame_rate < 1:
            raise InputError(f"crop_s: {crop_s} s is less than a frame")
        if not 0 < depth <= 1:
            raise InputError(f"depth: a time above 0, at most 1, not {depth}")
        if unknown := set(curves) - set(SCALES):
            raise InputError(f"curves: no '{min(unknown)}' (known: {', '.join(SCALES)})")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = AcousticNet(spec, encoder, aux, decoder, len(curves))
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
        self.spec, self.sampler, self.encoder, self.aux = spec, sampler, encoder, aux
        self.decoder, self.curves, self.depth = decoder, tuple(curves), depth
        self.aux_weight, self.aux_gradient, self.crop_s = aux_weight, aux_gradient, crop_s
        if from_teacher:
            self.net.requires_grad_(False)
            self.net.decoder.requires_grad_(True)

    # Training

    def training_step(self, batch: Songs, batch_idx: int) -> Tensor | None:
        """Crop, then train: the loss itself is a pure function."""
        crop = None if self.crop_s is None else round(self.crop_s * self.spec.mel.frame_rate)
        return super().training_step(
            self.framed(batch, crop=crop, generator=self.generator(stream=3)), batch_idx
        )

    def framed(
        self, batch: Songs, *, crop: int | None = None, generator: torch.Generator | None = None
    ) -> Framed:
        """Frames told their phonemes, and a piece of each phrase, which begins anywhere."""
        longest = batch.mel.shape[2]
        owner = owners(batch.each, longest)
        place = places(batch.each, owner)
        n = longest if crop is None else min(crop, longest)
        u = torch.rand(len(batch.mel), generator=generator, device=batch.mel.device)
        first = (u * (batch.frames - n + 1).clamp(min=1)).long()
        at = first.unsqueeze(1) + torch.arange(n, device=first.device)
        mask = at < batch.frames.unsqueeze(1)
        at = at.clamp(max=longest - 1)
        curves = torch.stack(
            [torch.zeros_like(batch.f0), *(getattr(batch, c) * SCALES[c] for c in self.curves)], 2
        )[..., 1:]
        deep = at.unsqueeze(2)
        return Framed(
            tokens=batch.tokens,
            each=batch.each,
            owner=owner.gather(1, at),
            place=place.gather(1, deep.expand(-1, -1, 3)),
            f0=batch.f0.gather(1, at),
            curves=curves.gather(1, deep.expand(-1, -1, curves.shape[2])),
            x=batch.mel.gather(2, at.unsqueeze(1).expand(-1, batch.mel.shape[1], -1)),
            mask=mask.unsqueeze(1),
        )

    def data(self, batch: Framed) -> Float[Tensor, "b mels n"]:
        """Crops of normalised spectrograms."""
        return batch.x

    def bind(self, batch: Framed, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Spectrograms given scores; over times up to the depth of this model."""
        chosen = net if isinstance(net, AcousticNet) else self.net
        return self.bound(batch, chosen.encode(batch), chosen)

    def bound(self, batch: Framed, cond: Float[Tensor, "b c n"], net: AcousticNet) -> TrainingBatch:
        """The same, given what the network's encoder makes of the scores."""
        return TrainingBatch(
            field=scaled(net.field(cond, batch.mask), self.depth),
            x=batch.x,
            mask=batch.mask,
            target=scaled(net.field(cond, batch.mask, self.average.decoder), self.depth),
            teacher=self.teacher_field(batch),
        )

    def teacher_field(self, batch: Framed) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
        """The teacher's field over the times of this model, or ``None``."""
        for teacher in self._teacher:
            assert isinstance(teacher, Acoustic)
            with torch.no_grad():
                cond = teacher.average.encode(batch)
            return scaled(teacher.average.field(cond, batch.mask), self.depth)
        return None

    def loss(self, batch: Framed, draw: Draw) -> Loss:
        """The objective's, and unless it is a teacher's, the auxiliary decoder's."""
        cond = self.net.encode(batch)
        draw = replace(draw, e=blend(batch.x, draw.e, self.depth))
        loss = self.objective.loss(self.bound(batch, cond, self.net), draw)
        if self.from_teacher:
            return loss
        rough = self.net.rough(cond, batch.mask, self.aux_gradient)
        error = masked_mean((rough - batch.x).abs(), batch.mask)
        return replace(
            loss,
            per_sample=loss.per_sample + self.aux_weight * error,
            logs=loss.logs | {"aux_l1": error.detach().mean()},
        )

    def validation_step(self, rows: Songs, batch_idx: int) -> None:
        """The loss at fixed draws, and how far a sample, timed as it was sung, is from the take."""
        batch = self.framed(rows)
        generator = step_generator(self.seed, batch_idx, 2, self.device)
        draw = self.objective.draw(self.data(batch), generator, self.progress)
        draw = replace(draw, e=blend(batch.x, draw.e, self.depth))
        cond = self.average.encode(batch)
        noise = torch.randn(batch.x.shape, generator=generator, device=self.device)
        made, _ = self.generate(batch, noise, generator=generator)
        rough = self.average.rough(cond, batch.mask)
        std = self.spec.mel.std
        figures = {
            "loss": self.objective.loss(self.bound(batch, cond, self.average), draw).per_sample,
            "aux_l1": masked_mean((rough - batch.x).abs(), batch.mask) * std,
            "mel_l1": masked_mean((made - batch.x).abs(), batch.mask) * std,
        }
        means = {f"val/{name}": value.mean() for name, value in figures.items()}
        self.log_dict(means, batch_size=len(batch.x))
        score = -means["val/mel_l1"]
        self.log("eval/score", score, on_epoch=True, logger=False, batch_size=len(batch.x))

    def load_teacher(self) -> GenerativeModule:
        """See :meth:`GenerativeModule.load_teacher`.

        Raises:
            InputError: If it has another contract, alphabet, curves, or less depth.
        """
        model = super().load_teacher()
        if not isinstance(model, Acoustic):
            raise InputError(f"teacher: {self.teacher} holds a {type(model).__name__}")
        check_compatible(model.spec.mel, self.spec.mel, f"teacher {self.teacher}", "the data")
        if model.spec.phonemes != self.spec.phonemes or model.curves != self.curves:
            raise InputError(f"teacher: {self.teacher} has other phonemes or curves than the data")
        if model.depth < self.depth:
            raise InputError(
                f"teacher: {self.teacher} knows times up to its depth {model.depth}, the student's "
                f"depth is {self.depth}: set depth to {model.depth}"
            )
        return model

    # Singing

    def generate(
        self,
        batch: Framed,
        noise: Float[Tensor, "b mels n"],
        sampler: Sampler | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Float[Tensor, "b mels n"], Float[Tensor, "b mels n"]]:
        """Normalised spectrograms by the average, and the rough ones they start from.

        A sampler that starts deeper than was trained starts at the depth that was.
        """
        sampler = self.within(self.sampler if sampler is None else sampler)
        cond = self.average.encode(batch)
        rough = self.average.rough(cond, batch.mask) if needs_rough(sampler) else noise
        return sampler(self.average.field(cond, batch.mask), noise, rough, generator), rough

    def within(self, sampler: Sampler) -> Sampler:
        """The sampler, started no deeper than this model was trained."""
        if isinstance(sampler, FromDepth) and sampler.depth > self.depth:
            assert dataclasses.is_dataclass(sampler)
            return replace(sampler, depth=self.depth)
        return sampler


def needs_rough(sampler: Sampler) -> bool:
    """Whether a sampler looks at the rough spectrogram, which need not be made otherwise."""
    if isinstance(sampler, FromDepth):
        return sampler.depth < 1
    return getattr(sampler, "boundary", 0) is not None
