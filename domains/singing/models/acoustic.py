"""The acoustic model: mel spectrograms of a score with durations and pitch."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler
from oneleap.core.sampling.shallow import blend, scaled
from oneleap.core.training.model import SCORE, GenerativeModel, Validation
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import Step
from oneleap.core.types import Draw, Field, Loss, Objective, TrainingBatch
from oneleap.domains.audio.mel import check_compatible
from oneleap.domains.audio.sequence import frame_to_token
from oneleap.domains.singing.models.frames import token_positions
from oneleap.domains.singing.models.nets import (
    AcousticNet,
    AuxDecoderConfig,
    DecoderConfig,
    EncoderConfig,
    FrameBatch,
    LYNXConfig,
)
from oneleap.domains.singing.models.sampling import limit_depth, needs_coarse_mel
from oneleap.domains.singing.spec import SingingBatch, Spec

CURVE_SCALES = {"energy": 1 / 96, "breathiness": 1 / 96}
"""Factor by which each dB curve is scaled before it conditions a model, as in openvpi."""


class AcousticModel(GenerativeModel):
    """Mel spectrograms of phonemes with durations and pitch, under any objective of the core.

    An encoder computes a condition for each frame. An auxiliary decoder predicts a coarse
    spectrogram from it, and a decoder generates the spectrogram from noise:
    ``L = L_objective + aux_weight L1(coarse_mel)``.

    =================================  ============================  ==============================
    model                              objective                     sampler
    =================================  ============================  ==============================
    FFT-Singer                         any                           ``CoarseMelSampler``
    DiffSinger (arXiv 2105.02446)      ``NoisePrediction``, L1       ``DDPMSampler``
    openvpi's shallow rectified flow   ``FlowMatching``, depth 0.6   ``EulerSampler``, depth 0.6
    CoMoSpeech-SVS (arXiv 2305.06908)  ``ConsistencyDistillation``   ``ConsistencySampler``
    SplitMeanFlow (arXiv 2507.16884)   ``SplitMeanFlow``             ``FlowMapSampler``
    MeanFlow (arXiv 2505.13447)        ``MeanFlow``                  ``FlowMapSampler``
    =================================  ============================  ==============================

    With ``depth`` below 1 the decoder learns only times up to ``depth``, for sampling that starts
    from the coarse spectrogram, see :mod:`oneleap.core.sampling.shallow`. A student
    (``recipe.teacher``, ``recipe.from_teacher: true``) keeps the encoder and the auxiliary decoder
    of its teacher and trains only its decoder.

    Deviations from DiffSinger: spectrograms are normalized by fixed numbers instead of the extremes
    of the data, and are not clamped; padding is masked. ``PLMSSampler`` starts at the last step of
    the schedule, unless ``leading``, with which it starts where DiffSinger's code does.

    Args:
        spec: Spectrogram format, phonemes and range.
        objective: Training objective of the decoder.
        sampler: Sampler of the decoder.
        encoder: Sizes of the encoder.
        aux: Sizes of the auxiliary decoder.
        decoder: Kind and sizes of the decoder.
        curves: Curves besides pitch the model is conditioned on: energy, breathiness.
        depth: Latest time that is trained; 1 trains all times.
        aux_weight: Weight of the auxiliary decoder's loss.
        aux_gradient: Fraction of that loss's gradient that reaches the encoder.
        crop_s: Length of the random segment of each phrase in a training step, in seconds;
            ``None`` takes whole phrases.
        drop: Probability that the phonemes of a row are dropped, for guidance; 0 in a student.
        temperature: Standard deviation of the noise that :meth:`generate` starts from.
        recipe: Settings of training.
    """

    net: AcousticNet
    average: AcousticNet

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        sampler: Sampler = FlowMapSampler(),  # noqa: B008  (frozen)
        encoder: EncoderConfig = EncoderConfig(),  # noqa: B008  (frozen)
        aux: AuxDecoderConfig = AuxDecoderConfig(),  # noqa: B008  (frozen)
        decoder: DecoderConfig = LYNXConfig(),  # noqa: B008  (frozen)
        curves: tuple[str, ...] = (),
        depth: float = 1.0,
        aux_weight: float = 0.2,
        aux_gradient: float = 0.1,
        crop_s: float | None = 1.5,
        drop: float = 0.0,
        temperature: float = 1.0,
        recipe: Recipe = Recipe(optimizer=AdamConfig(clip=1.0)),  # noqa: B008  (frozen)
    ) -> None:
        if crop_s is not None and crop_s * spec.mel.frame_rate < 1:
            raise InputError(f"crop_s: {crop_s} s is less than a frame")
        if not 0 <= drop < 1:
            raise InputError(f"drop: must be from 0 to below 1, not {drop}")
        if temperature < 0:
            raise InputError(f"temperature: {temperature} is negative")
        if not 0 < depth <= 1:
            raise InputError(f"depth: must be above 0 and at most 1, not {depth}")
        if unknown := set(curves) - set(CURVE_SCALES):
            raise InputError(f"curves: no '{min(unknown)}' (known: {', '.join(CURVE_SCALES)})")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            net = AcousticNet(spec, encoder, aux, decoder, len(curves))
        super().__init__(net, objective, recipe)
        self.spec, self.sampler, self.encoder, self.aux = spec, sampler, encoder, aux
        self.decoder, self.curves, self.depth = decoder, tuple(curves), depth
        self.aux_weight, self.aux_gradient, self.crop_s = aux_weight, aux_gradient, crop_s
        self.drop, self.temperature = drop, temperature
        if recipe.from_teacher:
            self.net.requires_grad_(False)
            self.net.decoder.requires_grad_(True)

    # Training

    def prepare(self, batch: SingingBatch, step: Step) -> FrameBatch:
        """Random segments of the phrases."""
        crop = None if self.crop_s is None else round(self.crop_s * self.spec.mel.frame_rate)
        frames = self.frame_batch(batch, crop=crop, generator=step.generator(3))
        if not self.drop:
            return frames
        u = torch.rand(len(frames.x), generator=step.generator(4), device=frames.x.device)
        return frames._replace(dropped=u < self.drop)

    def frame_batch(
        self,
        batch: SingingBatch,
        *,
        crop: int | None = None,
        generator: torch.Generator | None = None,
    ) -> FrameBatch:
        """Inputs of the network, for whole phrases or for a random segment of each.

        Args:
            batch: Phrases.
            crop: Length of the segments in frames; ``None`` takes whole phrases.
            generator: Random generator for the beginnings of the segments.

        Returns:
            The inputs.
        """
        longest = batch.mel.shape[2]
        token = frame_to_token(batch.durations, longest)
        position = token_positions(batch.durations, token)
        n = longest if crop is None else min(crop, longest)
        u = torch.rand(len(batch.mel), generator=generator, device=batch.mel.device)
        first = (u * (batch.num_frames - n + 1).clamp(min=1)).long()
        at = first.unsqueeze(1) + torch.arange(n, device=first.device)
        mask = at < batch.num_frames.unsqueeze(1)
        at = at.clamp(max=longest - 1)
        values = [getattr(batch, name) * CURVE_SCALES[name] for name in self.curves]
        curves = torch.stack([torch.zeros_like(batch.f0), *values], 2)[..., 1:]
        index = at.unsqueeze(2)
        return FrameBatch(
            tokens=batch.tokens,
            durations=batch.durations,
            frame_to_token=token.gather(1, at),
            position=position.gather(1, index.expand(-1, -1, 3)),
            f0=batch.f0.gather(1, at),
            curves=curves.gather(1, index.expand(-1, -1, curves.shape[2])),
            x=batch.mel.gather(2, at.unsqueeze(1).expand(-1, batch.mel.shape[1], -1)),
            mask=mask.unsqueeze(1),
            dropped=torch.zeros_like(first, dtype=torch.bool),
        )

    def next_step(self, run: str) -> tuple[str, ...] | None:
        """See :meth:`oneleap.core.hub.pretrained.Pretrained.next_step`."""
        return ("evaluate", run)

    def data(self, batch: FrameBatch) -> Float[Tensor, "b mels n"]:
        """Normalized spectrograms of the segments."""
        return batch.x

    def bind(self, batch: FrameBatch, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Bind the network to the scores, over times up to ``depth``."""
        chosen = net if isinstance(net, AcousticNet) else self.net
        return self.bound(batch, chosen.encode(batch), chosen)

    def bound(
        self, batch: FrameBatch, cond: Float[Tensor, "b c n"], net: AcousticNet
    ) -> TrainingBatch:
        """Bind the network to conditions that its encoder has computed.

        Args:
            batch: Inputs.
            cond: Condition of each frame.
            net: The trained network or its average.

        Returns:
            The field, the data, and the targets of the objective.
        """
        average, null = self.target_net, net.melody(batch)
        assert isinstance(average, AcousticNet)
        field = net.field(cond, batch.mask, null)
        target = net.field(cond, batch.mask, null, average.decoder)
        if self.drop:
            field, target = field.drop(batch.dropped), target.drop(batch.dropped)
        return TrainingBatch(
            field=scaled(field, self.depth),
            x=batch.x,
            mask=batch.mask,
            target=scaled(target, self.depth),
            teacher=self.teacher_field(batch),
            depth=self.depth,
        )

    def teacher_field(self, batch: FrameBatch) -> Field | None:
        """Field of the teacher over the times of this model, or ``None`` without a teacher."""
        for teacher in self._teacher:
            assert isinstance(teacher, AcousticModel)
            with torch.no_grad():
                cond, null = teacher.average.encode(batch), teacher.average.melody(batch)
            return scaled(teacher.average.field(cond, batch.mask, null), self.depth)
        return None

    def loss(self, batch: FrameBatch, draw: Draw) -> Loss:
        """Loss of the objective plus that of the auxiliary decoder, which a student leaves out."""
        cond = self.net.encode(batch)
        draw = replace(draw, e=blend(batch.x, draw.e, self.depth))
        loss = self.evaluate(batch, self.bound(batch, cond, self.net), draw)
        if self.recipe.from_teacher:
            return loss
        coarse_mel = self.net.coarse_mel(cond, batch.mask, self.aux_gradient)
        error = masked_mean((coarse_mel - batch.x).abs(), batch.mask)
        return replace(
            loss,
            per_sample=loss.per_sample + self.aux_weight * error,
            logs=loss.logs | {"aux_l1": error.detach().mean()},
        )

    def validate(self, batch: SingingBatch, step: Step) -> Validation:
        """Loss at fixed random numbers, and distances of samples from the recordings."""
        frames, generator = self.frame_batch(batch), step.generator(2)
        x, mask, std = frames.x, frames.mask, self.spec.mel.std
        mels = self.spec.mel.n_mels
        draw = self.objective.draw(x, generator, step.progress)
        draw = replace(draw, e=blend(x, draw.e, self.depth))
        cond = self.average.encode(frames)
        noise = torch.randn(x.shape, generator=generator, device=self.device)
        samples, _ = self.generate(frames, noise, generator=generator)
        coarse_mel = self.average.coarse_mel(cond, mask)
        figures = {
            "loss": self.evaluate(frames, self.bound(frames, cond, self.average), draw).per_sample,
            "aux_l1": masked_mean((coarse_mel - x)[:, :mels].abs(), mask) * std,
            "mel_l1": masked_mean((samples - x)[:, :mels].abs(), mask) * std,
        }
        if self.spec.voicing:
            wrong = self.spec.voiced(samples) != self.spec.voiced(x)
            figures["voicing_errors"] = masked_mean(wrong.unsqueeze(1).to(x.dtype), mask)
        means = {f"val/{name}": value.mean() for name, value in figures.items()}
        return Validation(means | {SCORE: -means["val/mel_l1"]}, len(x))

    def load_teacher(self) -> GenerativeModel:
        """Load the teacher.

        Raises:
            InputError: It is no acoustic model, or its spectrogram format, phonemes or curves
                differ, or its ``depth`` is lower.
        """
        model = super().load_teacher()
        name = self.recipe.teacher
        if not isinstance(model, AcousticModel):
            raise InputError(f"teacher: {name} holds a {type(model).__name__}")
        check_compatible(model.spec.mel, self.spec.mel, f"teacher {name}", "the data")
        ours, theirs = ((m.spec.phonemes, m.spec.voicing) for m in (self, model))
        if ours != theirs or model.curves != self.curves:
            raise InputError(f"teacher: {name} has other phonemes, curves or voicing than the data")
        if model.depth < self.depth:
            raise InputError(
                f"teacher: {name} is trained on times up to its depth {model.depth}, less than the "
                f"student's {self.depth}: set depth to {model.depth}"
            )
        return model

    # Singing

    def generate(
        self,
        batch: FrameBatch,
        noise: Float[Tensor, "b mels n"],
        sampler: Sampler | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Float[Tensor, "b mels n"], Float[Tensor, "b mels n"]]:
        """Generate normalized spectrograms with the averaged network.

        Args:
            batch: Inputs.
            noise: Standard normal noise.
            sampler: Sampler to use instead of the model's own. It starts no later than ``depth``.
            generator: Random generator for the noise of stochastic samplers.

        Returns:
            The spectrograms, and the coarse spectrograms, or ``noise`` if the sampler needs none.
        """
        sampler = limit_depth(self.sampler if sampler is None else sampler, self.depth)
        cond = self.average.encode(batch)
        coarse_mel = noise
        if needs_coarse_mel(sampler):
            coarse_mel = self.average.coarse_mel(cond, batch.mask)
        field = self.average.field(cond, batch.mask, self.average.melody(batch))
        start = self.temperature * noise
        return sampler(field, start, generator, guess=coarse_mel), coarse_mel
