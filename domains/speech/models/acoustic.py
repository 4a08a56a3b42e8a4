"""The acoustic model: text to mel spectrograms under any objective of the core."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler, with_steps
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.module import GenerativeModule
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.seed import step_generator
from oneleap.core.types import Conditioned, Draw, Loss, Objective, TrainingBatch
from oneleap.domains.audio.mel import check_compatible
from oneleap.domains.speech.models.alignment import aligned, durations, owners, real
from oneleap.domains.speech.models.encoder import whole_frames
from oneleap.domains.speech.models.nets import AcousticNet, ConvNeXt, Decoder, Encoded, Text
from oneleap.domains.speech.spec import Aligned, Lean, Spec, Utterances, shares


class Acoustic(GenerativeModule):
    """Text to mel spectrograms, without an aligner from elsewhere.

    The frame of a layout shared by Grad-TTS, Matcha-TTS and CoMoSpeech: an encoder says what each
    token sounds like on average and how long it is, monotonic alignment search finds which frames
    are whose, and a decoder makes the spectrogram of noise and those means:

    ``L = L_objective + L_prior + L_duration``

    ========================================  =============================  ====================
    model                                     objective                      sampler
    ========================================  =============================  ====================
    flow-matching teacher (Matcha-TTS)        ``FlowMatching``, ``drop`` 0.1  ``EulerSampler``, guided
    EDM teacher (CoMoSpeech)                  ``Denoising``                  ``EDMSampler``
    CoMoSpeech (arXiv 2305.06908)             ``ConsistencyDistillation``    ``ConsistencySampler``
    SplitMeanFlow (arXiv 2507.16884)          ``SplitMeanFlow``              ``FlowMapSampler``
    MeanFlow (arXiv 2505.13447)               ``MeanFlow``                   ``FlowMapSampler``
    ========================================  =============================  ====================

    A student (``teacher``, ``from_teacher: true``) keeps its teacher's encoder and durations, and
    trains its decoder alone. Noise has zero mean, CoMoSpeech's later variant; losses are means
    over real frames.

    Args:
        spec: Contract, alphabet and speakers.
        objective: How the decoder learns.
        sampler: How it is sampled.
        text: Sizes of the encoder.
        decoder: Kind of the decoder.
        crop_s: Seconds of each recording that the decoder sees in a step; ``None``, all of it.
        drop: Probability that a row's text is dropped, for guidance; 0 in a student.
        temperature: Standard deviation of the noise it speaks of; small models are clearer below 1.
        leans: Who leans on whose sounds when speaking; training is without.
        optimizer: Optimiser, schedule and gradient clip.
        ema: Decay of the moving average that speaks, or a schedule.
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
        text: Text = Text(),  # noqa: B008  (frozen)
        decoder: Decoder = ConvNeXt(),  # noqa: B008  (frozen)
        crop_s: float | None = 2.0,
        drop: float = 0.0,
        temperature: float = 1.0,
        leans: tuple[Lean, ...] = (),
        optimizer: AdamConfig = AdamConfig(clip=1.0),  # noqa: B008  (frozen)
        ema: float | PowerEMA = 0.999,
        seed: int = 0,
        compile_loss: bool = False,
        teacher: str | None = None,
        from_teacher: bool = False,
    ) -> None:
        if crop_s is not None and crop_s * spec.mel.frame_rate < 1:
            raise InputError(f"crop_s: {crop_s} s is less than a frame")
        if not 0 <= drop < 1:
            raise InputError(f"drop: a share of rows in [0, 1), not {drop}")
        if not 0.1 <= temperature <= 10:
            raise InputError(f"temperature: between 0.1 and 10, not {temperature:g}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = AcousticNet(spec, text, decoder)
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
        self.spec, self.sampler, self.text, self.decoder = spec, sampler, text, decoder
        self.crop_s, self.drop, self.temperature = crop_s, drop, temperature
        self.leans = leans
        self.register_buffer("shares", shares(spec.speakers, leans), persistent=False)
        if from_teacher:
            self.net.requires_grad_(False)
            self.net.decoder.requires_grad_(True)

    def training_step(self, batch: Utterances, batch_idx: int) -> Tensor | None:
        """Align, crop and drop, then train: the loss itself is a pure function."""
        crop = None if self.crop_s is None else round(self.crop_s * self.spec.mel.frame_rate)
        generator = self.generator(stream=3)
        ready = self.prepare(batch, crop=crop, drop=self.drop, generator=generator)
        return super().training_step(ready, batch_idx)

    @torch.no_grad()
    def prepare(
        self,
        batch: Utterances,
        *,
        crop: int | None = None,
        drop: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Aligned:
        """Align a batch by what the encoder, or the teacher's, takes its tokens for."""
        net = next((m.average for m in self._teacher), self.net)
        assert isinstance(net, AcousticNet)
        mask = real(batch.lengths, batch.tokens.shape[1])
        means = net.encode(batch.tokens, mask, batch.speaker).means
        found = durations(means, batch.mel, batch.lengths, batch.frames)
        return aligned(batch, found, crop=crop, drop=drop, generator=generator)

    def data(self, batch: Aligned) -> Float[Tensor, "b mels n"]:
        """Crops of normalised spectrograms."""
        return batch.x

    def bind(self, batch: Aligned, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Spectrograms given texts."""
        chosen = net if isinstance(net, AcousticNet) else self.net
        encoded = chosen.encode(batch.tokens, batch.token_mask, batch.speaker)
        return self.bound(batch, encoded, chosen, training=net is None)

    def bound(
        self, batch: Aligned, encoded: Encoded, net: AcousticNet, *, training: bool
    ) -> TrainingBatch:
        """The same, given what the network's encoder makes of the texts."""
        field = net.field(encoded, batch.owner, batch.mask)
        late = net.field(encoded, batch.owner, batch.mask, self.average.decoder)
        if training and self.drop:
            field, late = field.drop(batch.dropped), late.drop(batch.dropped)
        return TrainingBatch(
            field=field,
            x=batch.x,
            mask=batch.mask,
            target=late,
            teacher=self.teacher_field_from_encoding(batch, encoded)
            if self.from_teacher
            else self.teacher_field(batch),
        )

    def teacher_field_from_encoding(self, batch: Aligned, encoded: Encoded) -> Conditioned | None:
        """The teacher's field, by what the student's copy of its encoder has made already."""
        net = next((m.average for m in self._teacher), None)
        if net is None:
            return None
        assert isinstance(net, AcousticNet)
        return self.net.field(encoded, batch.owner, batch.mask, net.decoder)

    def loss(self, batch: Aligned, draw: Draw) -> Loss:
        """The objective's, and unless the encoder is a teacher's, prior and durations."""
        encoded = self.net.encode(batch.tokens, batch.token_mask, batch.speaker)
        loss = self.objective.loss(self.bound(batch, encoded, self.net, training=True), draw)
        if self.from_teacher:
            return loss
        prior, duration = self.text_losses(batch, encoded)
        logs = {"prior": prior.detach().mean(), "duration": duration.detach().mean()}
        total = loss.per_sample + prior + duration
        return replace(loss, per_sample=total, logs=loss.logs | logs)

    def text_losses(
        self, batch: Aligned, encoded: Encoded
    ) -> tuple[Float[Tensor, "b"], Float[Tensor, "b"]]:
        """Prior loss, Grad-TTS Eq. (14) less what no weight changes, and deviance of durations.

        ``sum_j ||y_j - mu_i(j)||^2`` is ``sum_i d_i ||mean_i - mu_i||^2`` and a constant: the
        prior needs no frames, only each token's mean.

        Both are means over frames. The deviance is Poisson's, ``d log(d / m) - d + m``, near
        ``d (log d - log m)^2 / 2``: its best ``m`` is the mean duration. Squared error of
        logarithms, which Grad-TTS has, learns the mean logarithm and speaks too fast.
        """
        d = batch.durations.to(encoded.means.dtype)
        gap = (batch.means - encoded.means).square().mean(1)
        prior = 0.5 * (d * gap).sum(1) / d.sum(1).clamp(min=1)
        said = encoded.log_frames.masked_fill(~batch.token_mask, 0.0)
        deviance = d * (d.clamp(min=1).log() - said) - d + said.exp()
        off = deviance.masked_fill(~batch.token_mask, 0.0).sum(1) / d.sum(1).clamp(min=1)
        return prior, off

    def validation_step(self, rows: Utterances, batch_idx: int) -> None:
        """Losses at fixed draws, and the mean distance to the recording, timed as it was."""
        batch = self.prepare(rows)
        generator = step_generator(self.seed, batch_idx, 2, self.device)
        draw = self.objective.draw(self.data(batch), generator, self.progress)
        encoded = self.average.encode(batch.tokens, batch.token_mask, batch.speaker)
        bound = self.bound(batch, encoded, self.average, training=False)
        prior, duration = self.text_losses(batch, encoded)
        noise = torch.randn(batch.x.shape, generator=generator, device=self.device)
        field = self.average.field(encoded, batch.owner, batch.mask)
        made = self.sampler(field, self.temperature * noise, generator)
        gap = masked_mean((made - batch.x).abs(), batch.mask)
        figures = {
            "val/loss": self.objective.loss(bound, draw).per_sample.mean(),
            "val/prior": prior.mean(),
            "val/duration": duration.mean(),
            "val/mel_l1": gap.mean() * self.spec.mel.std,
        }
        self.log_dict(figures, batch_size=len(batch.x))

    def load_teacher(self) -> GenerativeModule:
        """See :meth:`GenerativeModule.load_teacher`.

        Raises:
            InputError: If it has another contract, alphabet or speakers.
        """
        model = super().load_teacher()
        if not isinstance(model, Acoustic):
            raise InputError(f"teacher: {self.teacher} holds a {type(model).__name__}")
        check_compatible(model.spec.mel, self.spec.mel, f"teacher {self.teacher}", "the data")
        for name in ("symbols", "speakers", "language"):
            theirs, ours = getattr(model.spec, name), getattr(self.spec, name)
            if theirs != ours:
                raise InputError(f"teacher: {self.teacher} has {name} {theirs}, the data {ours}")
        return model

    def speaking(
        self, tokens: Int[Tensor, "b l"], mask: Bool[Tensor, "b l"], speaker: Int[Tensor, "b"]
    ) -> Encoded:
        """Means and durations of the averaged weights, speakers leaning as they shall."""
        return self.average.encode(tokens, mask, speaker, self.get_buffer("shares"))

    @torch.inference_mode()
    def synthesise(
        self,
        tokens: Sequence[Sequence[int]],
        *,
        speaker: int = 0,
        steps: int | None = None,
        speed: float = 1.0,
        seeds: Sequence[int] | None = None,
        temperature: float | None = None,
    ) -> list[Float[Tensor, "mels _"]]:
        """Normalised spectrograms of texts, in one batch.

        What comes out for a text depends on its seed and not on the others in its batch; but for a
        consistency voice of several steps, whose later noise is drawn for all of the batch at once.

        Args:
            tokens: Numbers of symbols of each text.
            speaker: Number of who speaks.
            steps: Of the sampler; by default the model's own number.
            speed: 2 is twice as fast.
            seeds: Of each text's noise; by default 0, 1, 2 ...
            temperature: Standard deviation of the noise; by default the model's own.
        """
        lengths = torch.tensor([len(text) for text in tokens], device=self.device)
        padded = pad_sequence([torch.tensor(text) for text in tokens], True).to(self.device)
        mask = real(lengths, padded.shape[1])
        encoded = self.speaking(padded, mask, torch.full_like(lengths, speaker))
        each = whole_frames(encoded.log_frames, mask, speed)
        frames = each.sum(1).tolist()
        noise = self.noise(frames, range(len(tokens)) if seeds is None else seeds)
        scale = self.temperature if temperature is None else temperature
        made = self.generate(encoded, each, scale * noise, steps)
        return [mel[:, :n] for mel, n in zip(made, frames, strict=True)]

    def noise(self, frames: Sequence[int], seeds: Sequence[int]) -> Float[Tensor, "b mels n"]:
        """What spectrograms of so many frames are made of, zero at padding."""
        noise = torch.zeros(len(frames), self.spec.mel.n_mels, max(frames))
        for row, n, seed in zip(noise, frames, seeds, strict=True):
            row[:, :n] = torch.randn(n, len(row), generator=step_generator(seed, 0)).T
        return noise.to(self.device)

    def generate(
        self,
        encoded: Encoded,
        each: Int[Tensor, "b l"],
        noise: Float[Tensor, "b mels n"],
        steps: int | None = None,
    ) -> Float[Tensor, "b mels n"]:
        """Spectrograms of texts whose tokens last so many frames each."""
        owner, frame_mask = owners(each, noise.shape[2]), real(each.sum(1), noise.shape[2])
        field = self.average.field(encoded, owner, frame_mask.unsqueeze(1))
        generator = step_generator(self.seed, 0, 3, self.device)
        return with_steps(self.sampler, steps)(field, noise, generator)
