"""The acoustic model: text to mel spectrograms and pitch, under any objective of the core."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler, with_steps
from oneleap.core.training.model import GenerativeModel, Validation
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import Step, step_generator
from oneleap.core.types import Conditioned, Draw, Loss, Objective, TrainingBatch
from oneleap.domains.audio.sequence import frame_to_token, sequence_mask
from oneleap.domains.speech.models.alignment import align_batch, search_durations
from oneleap.domains.speech.models.encoder import round_durations, sample_durations
from oneleap.domains.speech.models.nets import (
    AcousticNet,
    ConvNeXtConfig,
    DecoderConfig,
    EncodedText,
    TextEncoderConfig,
)
from oneleap.domains.speech.models.text_losses import text_losses
from oneleap.domains.speech.spec import (
    AlignedBatch,
    SpeakerMix,
    Spec,
    UtteranceBatch,
    mixing_weights,
)

CENTS = 1200 / math.log(2)
"""Cents of a natural logarithm of a frequency ratio."""


class AcousticModel(GenerativeModel):
    """Text to mel spectrograms, and to pitch if the data have it.

    The layout is that of Grad-TTS, Matcha-TTS and CoMoSpeech. An encoder predicts the mean
    features and the duration of each token. Monotonic alignment search assigns frames to tokens,
    unless the data give durations. A decoder generates the features of all frames from noise,
    conditioned on the mean features:

    ``L = L_objective + L_prior + L_duration``

    ===================================  ============================  ========================
    model                                objective                     sampler
    ===================================  ============================  ========================
    flow-matching teacher (Matcha-TTS)   ``FlowMatching``, drop 0.1    ``EulerSampler``, guided
    EDM teacher (CoMoSpeech)             ``Denoising``                 ``EDMSampler``
    CoMoSpeech (arXiv 2305.06908)        ``ConsistencyDistillation``   ``ConsistencySampler``
    SplitMeanFlow (arXiv 2507.16884)     ``SplitMeanFlow``             ``FlowMapSampler``
    MeanFlow (arXiv 2505.13447)          ``MeanFlow``                  ``FlowMapSampler``
    ===================================  ============================  ========================

    A student (``recipe.teacher``, ``recipe.from_teacher: true``) keeps the encoder and the
    durations of its teacher, and trains only its decoder.

    Deviations: losses are means over real frames, where the authors of CoMoSpeech average over
    padding too. Noise has mean zero. Their first script adds the encoder's guess to the noise and
    takes Euler's steps; their second has mean zero and Heun's steps, as
    ``speech/comospeech_ljspeech`` has. ``speech/comospeech-small_ljspeech`` takes Euler's steps
    with mean zero, at half the cost of the teacher; the benchmark measures it so.

    Args:
        spec: Format of the features, alphabet and speakers.
        objective: Objective of the decoder.
        sampler: Sampler of the decoder.
        text: Sizes of the encoder.
        decoder: Kind and sizes of the decoder.
        crop_s: Length in seconds of the crop of each recording that the decoder sees in a step;
            ``None`` takes whole recordings.
        drop: Probability that the text of a row is dropped, for guidance; 0 in a student.
        temperature: Standard deviation of the noise in synthesis; below 1, small models are
            clearer.
        expressive: Temperature of melody and rhythm in synthesis: of the noise of the pitch
            channels, and of durations that are a distribution. With 0, speech is flat and even.
        speaker_mixes: Speakers who are mixed with others in synthesis; training is not changed.
        recipe: Settings of training.

    Raises:
        InputError: If an argument is out of range.
    """

    net: AcousticNet
    average: AcousticNet

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        sampler: Sampler = FlowMapSampler(),  # noqa: B008  (frozen)
        text: TextEncoderConfig = TextEncoderConfig(),  # noqa: B008  (frozen)
        decoder: DecoderConfig = ConvNeXtConfig(),  # noqa: B008  (frozen)
        crop_s: float | None = 2.0,
        drop: float = 0.0,
        temperature: float = 1.0,
        expressive: float = 1.0,
        speaker_mixes: tuple[SpeakerMix, ...] = (),
        recipe: Recipe = Recipe(optimizer=AdamConfig(clip=1.0)),  # noqa: B008  (frozen)
    ) -> None:
        if crop_s is not None and crop_s * spec.mel.frame_rate < 1:
            raise InputError(f"crop_s: {crop_s} s is less than a frame")
        if not 0 <= drop < 1:
            raise InputError(f"drop: must be from 0 to below 1, not {drop}")
        if not 0.1 <= temperature <= 10:
            raise InputError(f"temperature: must be from 0.1 to 10, not {temperature:g}")
        if not 0 <= expressive <= 3:
            raise InputError(f"expressive: must be from 0 to 3, not {expressive:g}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            net = AcousticNet(spec, text, decoder)
        super().__init__(net, objective, recipe)
        self.spec, self.sampler, self.text, self.decoder = spec, sampler, text, decoder
        self.crop_s, self.drop, self.temperature = crop_s, drop, temperature
        self.expressive, self.speaker_mixes = expressive, speaker_mixes
        weights = mixing_weights(spec.speakers, speaker_mixes)
        self.register_buffer("mixing_weights", weights, persistent=False)
        if recipe.from_teacher:
            self.net.requires_grad_(False)
            self.net.decoder.requires_grad_(True)

    def prepare(self, batch: UtteranceBatch, step: Step) -> AlignedBatch:
        """Align and crop the batch, and choose the rows whose text is dropped."""
        crop = None if self.crop_s is None else round(self.crop_s * self.spec.mel.frame_rate)
        return self.align(batch, crop=crop, drop=self.drop, generator=step.generator(3))

    @torch.no_grad()
    def align(
        self,
        batch: UtteranceBatch,
        *,
        crop: int | None = None,
        drop: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> AlignedBatch:
        """Assign frames to tokens: by the durations of the data, or by the encoder's means.

        A student takes the means of its teacher.

        Args:
            batch: Recordings and texts.
            crop: Number of frames of a crop; ``None`` takes whole recordings.
            drop: Probability that the text of a row is dropped.
            generator: Random generator of the crops and the dropped rows.

        Returns:
            The aligned batch.
        """
        durations = batch.durations
        if durations is None:
            net = next((m.average for m in self._teacher), self.net)
            assert isinstance(net, AcousticNet)
            mask = sequence_mask(batch.lengths, batch.tokens.shape[1])
            means = net.encode(batch.tokens, mask, batch.speaker).means
            durations = search_durations(means, batch.features, batch.lengths, batch.frames)
        return align_batch(batch, durations, crop=crop, drop=drop, generator=generator)

    def next_step(self, run: str) -> tuple[str, ...] | None:
        """See :meth:`oneleap.core.hub.pretrained.Pretrained.next_step`."""
        return ("speak", "Hello.", "--voice", run, "-o", "hello.wav")

    def data(self, batch: AlignedBatch) -> Float[Tensor, "b c n"]:
        """Return the crops of normalized features."""
        return batch.x

    def bind(self, batch: AlignedBatch, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Condition the network on the texts of a batch."""
        chosen = net if isinstance(net, AcousticNet) else self.net
        encoded = chosen.encode(batch.tokens, batch.token_mask, batch.speaker)
        return self.bind_encoded(batch, encoded, chosen, training=net is None)

    def bind_encoded(
        self, batch: AlignedBatch, encoded: EncodedText, net: AcousticNet, *, training: bool
    ) -> TrainingBatch:
        """Condition a network on texts that its encoder has encoded.

        Args:
            batch: The aligned batch.
            encoded: The encoded texts.
            net: The network.
            training: Whether to drop the texts of the rows in ``batch.dropped``.

        Returns:
            The batch for the objective.
        """
        average = self.target_net
        assert isinstance(average, AcousticNet)
        field = net.field(encoded, batch.frame_to_token, batch.mask)
        target = net.field(encoded, batch.frame_to_token, batch.mask, average.decoder)
        if training and self.drop:
            field, target = field.drop(batch.dropped), target.drop(batch.dropped)
        return TrainingBatch(
            field=field,
            x=batch.x,
            mask=batch.mask,
            target=target,
            teacher=self.teacher_field_from_encoding(batch, encoded)
            if self.recipe.from_teacher
            else self.teacher_field(batch),
        )

    def teacher_field_from_encoding(
        self, batch: AlignedBatch, encoded: EncodedText
    ) -> Conditioned | None:
        """Return the teacher's field, conditioned on what the student's encoder predicts.

        The student's encoder is a copy of the teacher's, so the text is encoded only once.
        """
        net = next((m.average for m in self._teacher), None)
        if net is None:
            return None
        assert isinstance(net, AcousticNet)
        return self.net.field(encoded, batch.frame_to_token, batch.mask, net.decoder)

    def loss(self, batch: AlignedBatch, draw: Draw) -> Loss:
        """Compute the objective's loss and, unless the encoder is a teacher's, the text losses."""
        encoded = self.net.encode(batch.tokens, batch.token_mask, batch.speaker)
        bound = self.bind_encoded(batch, encoded, self.net, training=True)
        loss = self.evaluate(batch, bound, draw)
        if self.recipe.from_teacher:
            return loss
        prior, duration = text_losses(batch, encoded)
        logs = {"prior": prior.detach().mean(), "duration": duration.detach().mean()}
        total = loss.per_sample + prior + duration
        return replace(loss, per_sample=total, logs=loss.logs | logs)

    def validate(self, batch: UtteranceBatch, step: Step) -> Validation:
        """Compute losses at fixed draws, and the distance to recordings at their own timing."""
        aligned = self.align(batch)
        generator = step.generator(2)
        draw = self.objective.draw(self.data(aligned), generator, step.progress)
        encoded = self.average.encode(aligned.tokens, aligned.token_mask, aligned.speaker)
        bound = self.bind_encoded(aligned, encoded, self.average, training=False)
        prior, duration = text_losses(aligned, encoded)
        noise = torch.randn(aligned.x.shape, generator=generator, device=self.device)
        field = self.average.field(encoded, aligned.frame_to_token, aligned.mask)
        scale = self.noise_scale(None, None)
        found = self.sampler(field, scale * noise, generator)
        mels = self.spec.mel.n_mels
        gap = masked_mean((found - aligned.x)[:, :mels].abs(), aligned.mask)
        figures = {
            "val/loss": self.evaluate(aligned, bound, draw).per_sample.mean(),
            "val/prior": prior.mean(),
            "val/duration": duration.mean(),
            "val/mel_l1": gap.mean() * self.spec.mel.std,
        }
        if self.spec.pitch is not None:
            voiced = aligned.mask & (aligned.x[:, mels + 1 :] > 0)
            cents = masked_mean((found - aligned.x)[:, mels : mels + 1].abs(), voiced)
            figures["val/pitch_cents"] = cents.mean() * self.spec.pitch.scale * CENTS
        return Validation(figures, rows=len(aligned.x))

    def load_teacher(self) -> GenerativeModel:
        """See :meth:`GenerativeModel.load_teacher`.

        Raises:
            InputError: If the format of the features, the symbols or the speakers differ.
        """
        model, folder = super().load_teacher(), self.recipe.teacher
        if not isinstance(model, AcousticModel):
            raise InputError(f"teacher: {folder} holds a {type(model).__name__}")
        same = ("symbols", "pitch", "language", "speakers")
        self.spec.require_same(model.spec, same, f"teacher {folder}")
        return model

    def check_source(self, model: GenerativeModel, name: str) -> None:
        """See :meth:`GenerativeModel.check_source`."""
        assert isinstance(model, AcousticModel)
        self.spec.require_same(model.spec, ("symbols", "pitch"), name)

    def encode(
        self, tokens: Int[Tensor, "b l"], mask: Bool[Tensor, "b l"], speaker: Int[Tensor, "b"]
    ) -> EncodedText:
        """Predict mean features and durations for synthesis.

        The averaged weights are used, and speakers are mixed as ``speaker_mixes`` says.

        Args:
            tokens: Token ids.
            mask: True at real tokens.
            speaker: Index of each speaker.

        Returns:
            The predictions.
        """
        return self.average.encode(tokens, mask, speaker, self.get_buffer("mixing_weights"))

    @torch.inference_mode()
    def synthesize(
        self,
        tokens: Sequence[Sequence[int]],
        *,
        speaker: int = 0,
        steps: int | None = None,
        speed: float = 1.0,
        seeds: Sequence[int] | None = None,
        temperature: float | None = None,
        expressive: float | None = None,
    ) -> list[Float[Tensor, "c _"]]:
        """Generate the features of texts in one batch.

        The result for a text depends on its seed, not on the other texts of the batch. There is
        one exception: a consistency sampler of several steps draws its later noise for the whole
        batch.

        Args:
            tokens: Token ids of each text.
            speaker: Index of the speaker.
            steps: Number of steps of the sampler; by default the model's own.
            speed: Factor of the tempo; 2 speaks twice as fast.
            seeds: Seed of the noise of each text; by default 0, 1, 2, ...
            temperature: Standard deviation of the noise; by default the model's own.
            expressive: Temperature of melody and rhythm; by default the model's own.

        Returns:
            Normalized features of each text.
        """
        lengths = torch.tensor([len(text) for text in tokens], device=self.device)
        padded = pad_sequence([torch.tensor(text) for text in tokens], True).to(self.device)
        mask = sequence_mask(lengths, padded.shape[1])
        encoded = self.encode(padded, mask, torch.full_like(lengths, speaker))
        each_seed = range(len(tokens)) if seeds is None else seeds
        logs = encoded.log_durations
        if encoded.spread is not None:
            noise = self.draw_noise(lengths.tolist(), each_seed, 1)[:, 0]
            chosen = self.expressive if expressive is None else expressive
            logs = sample_durations(logs, encoded.spread, noise, chosen)
        durations = round_durations(logs, mask, speed)
        frames = durations.sum(1).tolist()
        noise = self.noise_scale(temperature, expressive) * self.draw_noise(frames, each_seed)
        found = self.generate(encoded, durations, noise, steps)
        return [row[:, :n] for row, n in zip(found, frames, strict=True)]

    def noise_scale(
        self, temperature: float | None, expressive: float | None
    ) -> float | Float[Tensor, "c 1"]:
        """Return the standard deviation of the noise of each feature.

        Args:
            temperature: That of the mel bands; by default the model's own.
            expressive: That of pitch and voicing; by default the model's own.
        """
        scale = self.temperature if temperature is None else temperature
        if self.spec.pitch is None:
            return scale
        rows = torch.full((self.spec.channels, 1), scale, device=self.device)
        rows[self.spec.mel.n_mels] = self.expressive if expressive is None else expressive
        return rows

    def draw_noise(
        self, lengths: Sequence[int], seeds: Sequence[int], channels: int | None = None
    ) -> Float[Tensor, "b c n"]:
        """Draw standard normal noise for features, or for durations; it is zero at padding.

        Args:
            lengths: Number of frames, or of tokens, of each text.
            seeds: Seed of each text.
            channels: Number of channels; by default that of the features.

        Returns:
            The noise.
        """
        noise = torch.zeros(len(lengths), channels or self.spec.channels, max(lengths))
        for row, n, seed in zip(noise, lengths, seeds, strict=True):
            generator = step_generator(seed, 0, 4 if channels else 0)
            row[:, :n] = torch.randn(n, len(row), generator=generator).T
        return noise.to(self.device)

    def generate(
        self,
        encoded: EncodedText,
        durations: Int[Tensor, "b l"],
        noise: Float[Tensor, "b c n"],
        steps: int | None = None,
    ) -> Float[Tensor, "b c n"]:
        """Generate the features of texts at given durations.

        Args:
            encoded: The encoded texts.
            durations: Number of frames of each token.
            noise: Noise with the standard deviation of the temperature.
            steps: Number of steps of the sampler; by default the model's own.

        Returns:
            Normalized features.
        """
        n = noise.shape[2]
        owner, mask = frame_to_token(durations, n), sequence_mask(durations.sum(1), n)
        field = self.average.field(encoded, owner, mask.unsqueeze(1))
        generator = step_generator(self.recipe.seed, 0, 3, self.device)
        return with_steps(self.sampler, steps)(field, noise, generator)
