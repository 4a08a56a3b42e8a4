"""A singer's models as modules with openvpi's inputs and outputs, for one phrase each."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.sampling.samplers import EulerSampler
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.sequence import frame_to_token
from oneleap.domains.singing.data.batches import SMOOTH_S
from oneleap.domains.singing.models.acoustic import CURVE_SCALES, AcousticModel
from oneleap.domains.singing.models.curves import MAX_PITCH_OFFSET, CurveBatch, CurveModel
from oneleap.domains.singing.models.durations import DurationModel
from oneleap.domains.singing.models.frames import token_positions
from oneleap.domains.singing.models.nets import FrameBatch
from oneleap.domains.singing.models.sampling import limit_depth, start_depth

NOISE_PERIOD = 2048
"""Number of frames after which the noise of a graph repeats.

The noise is a table in the graph, so that the graph always gives the same result.
"""


def noise_table(channels: int, seed: int) -> Float[Tensor, "1 c period"]:
    """Draw the standard normal noise that a graph stores."""
    return torch.randn(1, channels, NOISE_PERIOD, generator=step_generator(seed, 0))


def tile_noise(table: Float[Tensor, "1 c period"], n: int) -> Float[Tensor, "1 c n"]:
    """Repeat a noise table to ``n`` frames."""
    return table[:, :, torch.arange(n) % table.shape[2]]


def sampler_depth(model: AcousticModel) -> float:
    """Time at which the model's sampler starts; 1 is noise."""
    return start_depth(limit_depth(model.sampler, model.depth))


def uses_instantaneous_velocity(model: AcousticModel | CurveModel) -> bool:
    """Whether the model's sampler evaluates the field at ``r = t``, as for a rectified flow."""
    return isinstance(model.sampler, EulerSampler)


class SamplerStep(nn.Module):
    """A step of a sampler: ``z - (t - r) u(z, r, t)``, or with ``u(z, t, t)`` (Euler).

    Args:
        decoder: The field u.
        instantaneous: Whether to evaluate the field at ``r = t``.
    """

    def __init__(self, decoder: nn.Module, instantaneous: bool) -> None:
        super().__init__()
        self.decoder, self.instantaneous = decoder, instantaneous

    def forward(
        self,
        z: Float[Tensor, "1 c n"],
        cond: Float[Tensor, "1 d n"],
        r: Float[Tensor, "1"],
        t: Float[Tensor, "1"],
    ) -> Float[Tensor, "1 c n"]:
        """Compute the state at ``r``.

        Args:
            z: State at ``t``.
            cond: Condition of each frame.
            r: End of the step.
            t: Start of the step.

        Returns:
            State at ``r``.
        """
        u: Tensor = self.decoder(z, t if self.instantaneous else r, t, cond)
        return z - (t - r) * u


def run_steps(
    step: SamplerStep,
    start: Float[Tensor, "1 c n"],
    cond: Float[Tensor, "1 d n"],
    steps: Int[Tensor, ""],
    depth: Float[Tensor, ""],
) -> Float[Tensor, "1 c n"]:
    """Take equal steps from time ``depth`` to 0; their number is an input of the graph.

    During an export the loop is a ``while_loop``, whose length is not part of the graph. Otherwise
    it is a plain loop.

    Args:
        step: One step.
        start: State at ``depth``.
        cond: Condition of each frame.
        steps: Number of steps.
        depth: Time of the start.

    Returns:
        State at time 0.
    """
    if not torch.compiler.is_exporting():
        count = int(steps)
        for i in range(count):
            t, r = (depth * (1 - k / count) for k in (i, i + 1))
            start = step(start, cond, r.reshape(1).float(), t.reshape(1).float())
        return start
    from torch._higher_order_ops import while_loop

    def more(k: Tensor, z: Tensor, cond: Tensor, depth: Tensor) -> Tensor:
        return (k < steps).all()

    def body(k: Tensor, z: Tensor, cond: Tensor, depth: Tensor) -> tuple[Tensor, ...]:
        t, r = depth * (1 - k / steps), depth * (1 - (k + 1) / steps)
        following = step(z, cond, r.reshape(1).float(), t.reshape(1).float())
        return k + 1, following, cond.clone(), depth.clone()

    state = (torch.zeros((), dtype=torch.int64), start, cond, depth.clone())
    z: Tensor = while_loop(more, body, state)[1]  # type: ignore[no-untyped-call]
    return z


class AcousticGraph(nn.Module):
    """``acoustic``: tokens, durations, f0, curves, depth and steps to a mel spectrogram.

    The graph has the input ``depth`` only if the model starts from a coarse spectrogram. A depth
    larger than that of the model's sampler counts as the sampler's depth.

    Args:
        model: The model, of which the average is used.
        seed: Seed of the noise table.

    Raises:
        InputError: The sampler is guided; openvpi's graphs have one network call a step.
    """

    def __init__(self, model: AcousticModel, seed: int = 0) -> None:
        super().__init__()
        if getattr(model.sampler, "guidance", 1.0) != 1.0:
            raise InputError(
                "sampler: guidance is not exported: export a student, or a model with guidance 1"
            )
        self.net, mel = model.average, model.spec.mel
        self.scales = tuple(CURVE_SCALES[name] for name in model.curves)
        self.step = SamplerStep(model.average.decoder, uses_instantaneous_velocity(model))
        self.depth = sampler_depth(model)
        self.mean, self.std = mel.mean, mel.std
        self.noise: Tensor
        start = model.temperature * noise_table(model.spec.channels, seed)
        self.register_buffer("noise", start)

    def forward(
        self,
        tokens: Int[Tensor, "1 l"],
        durations: Int[Tensor, "1 l"],
        f0: Float[Tensor, "1 n"],
        *rest: Tensor,
    ) -> Float[Tensor, "1 n mels"]:
        """Generate the spectrogram of a phrase.

        Args:
            tokens: Token of each phoneme.
            durations: Frames of each phoneme.
            f0: Pitch of each frame, Hz.
            *rest: The curves, (1, n) each, in the model's order; the depth if the graph has that
                input; the number of steps.

        Returns:
            Natural logarithms of the mel amplitudes, and voicing if the model generates it.
        """
        n = f0.shape[1]
        token = frame_to_token(durations, n)
        inputs = rest[: len(self.scales)]
        curves = [c.unsqueeze(2) * s for c, s in zip(inputs, self.scales, strict=True)]
        z = tile_noise(self.noise, n)
        batch = FrameBatch(
            tokens=tokens,
            durations=durations,
            frame_to_token=token,
            position=token_positions(durations, token),
            f0=f0,
            curves=torch.cat(curves, 2) if curves else f0.new_zeros(1, 1, 0).expand(-1, n, -1),
            x=z,
            mask=torch.ones_like(f0, dtype=torch.bool).unsqueeze(1),
            dropped=torch.zeros(1, dtype=torch.bool),
        )
        cond = self.net.encode(batch)
        depth = torch.ones(())
        if self.depth < 1:
            depth = rest[-2].clamp(max=self.depth)
            z = (1 - depth) * self.net.coarse_mel(cond, batch.mask) + depth * z
        z = run_steps(self.step, z, cond, rest[-1], depth)
        return z.mT * self.std + self.mean


class WordLinguisticGraph(nn.Module):
    """``linguistic`` of a duration model: tokens, word_div, word_dur to encoder_out, x_masks.

    Args:
        model: The model, of which the average is used.
    """

    def __init__(self, model: DurationModel) -> None:
        super().__init__()
        self.linguistic = model.average.linguistic

    def forward(
        self,
        tokens: Int[Tensor, "1 l"],
        word_div: Int[Tensor, "1 w"],
        word_dur: Int[Tensor, "1 w"],
    ) -> tuple[Float[Tensor, "1 l c"], Bool[Tensor, "1 l"]]:
        """Encode phonemes.

        Args:
            tokens: Token of each phoneme.
            word_div: Number of phonemes of each word.
            word_dur: Frames of each word.

        Returns:
            Encoded phonemes, and a mask that is true at padding.
        """
        word = frame_to_token(word_div, tokens.shape[1])
        place = torch.arange(tokens.shape[1])
        start = (word_div.cumsum(1) - word_div).gather(1, word)
        frames = word_dur.gather(1, word).to(torch.float32)
        return self.linguistic(tokens, place == start, frames), tokens == 0


class DurationGraph(nn.Module):
    """``dur``: encoder_out, x_masks, ph_midi to ph_dur_pred.

    Args:
        model: The model, of which the average is used.
    """

    def __init__(self, model: DurationModel) -> None:
        super().__init__()
        self.net = model.average

    def forward(
        self,
        encoder_out: Float[Tensor, "1 l c"],
        x_masks: Bool[Tensor, "1 l"],
        ph_midi: Int[Tensor, "1 l"],
    ) -> Float[Tensor, "1 l"]:
        """Predict durations.

        Args:
            encoder_out: Encoded phonemes.
            x_masks: True at padding.
            ph_midi: Pitch of the first note of each phoneme's word, semitones.

        Returns:
            Frames of each phoneme, not yet rescaled to words.
        """
        return self.net.predict(encoder_out, ph_midi, ~x_masks)


class PhonemeLinguisticGraph(nn.Module):
    """``linguistic`` of a pitch model: tokens, ph_dur to encoder_out, x_masks.

    Args:
        model: The model, of which the average is used.
    """

    def __init__(self, model: CurveModel) -> None:
        super().__init__()
        self.net = model.average

    def forward(
        self, tokens: Int[Tensor, "1 l"], ph_dur: Int[Tensor, "1 l"]
    ) -> tuple[Float[Tensor, "1 l c"], Bool[Tensor, "1 l"]]:
        """Encode phonemes with their frames; also return a mask that is true at padding."""
        x = self.net.phoneme(tokens)
        x = x + self.net.duration(ph_dur.unsqueeze(2).to(x.dtype).log1p())
        return self.net.encoder(x, tokens > 0), tokens == 0


class PitchGraph(nn.Module):
    """``pitch``: encoder_out, ph_dur, notes, pitch, retake, steps to pitch_pred.

    Args:
        model: The model, of which the average is used.
        seed: Seed of the noise table.
    """

    def __init__(self, model: CurveModel, seed: int = 0) -> None:
        super().__init__()
        self.net, self.temperature = model.average, model.temperature
        self.step = SamplerStep(model.average.decoder, uses_instantaneous_velocity(model))
        size = max(1, round(SMOOTH_S * model.spec.mel.frame_rate)) | 1
        kernel = torch.sin(math.pi * (torch.arange(size) + 0.5) / size)
        self.kernel: Tensor
        self.noise: Tensor
        self.register_buffer("kernel", (kernel / kernel.sum())[None, None])
        self.register_buffer("noise", noise_table(model.bins, seed))

    def forward(
        self,
        encoder_out: Float[Tensor, "1 l c"],
        ph_dur: Int[Tensor, "1 l"],
        note_midi: Float[Tensor, "1 k"],
        note_rest: Bool[Tensor, "1 k"],
        note_dur: Int[Tensor, "1 k"],
        pitch: Float[Tensor, "1 n"],
        retake: Bool[Tensor, "1 n"],
        steps: Int[Tensor, ""],
    ) -> Float[Tensor, "1 n"]:
        """Generate the pitch of a phrase, or of the frames that ``retake`` selects.

        Args:
            encoder_out: Encoded phonemes.
            ph_dur: Frames of each phoneme.
            note_midi: Pitch of each note, semitones.
            note_rest: True at rests.
            note_dur: Frames of each note.
            pitch: Pitch to keep in the other frames, semitones.
            retake: True at the frames that get a new pitch.
            steps: Number of steps of the sampler.

        Returns:
            Pitch of each frame, semitones.
        """
        n = pitch.shape[1]
        base = self._smooth(note_midi.gather(1, frame_to_token(note_dur, n)))
        noise = self.temperature * tile_noise(self.noise, n)
        mask = torch.ones_like(pitch, dtype=torch.bool).unsqueeze(1)
        batch = CurveBatch(ph_dur, ph_dur, note_midi, note_rest, note_dur, base, noise, mask)
        cond = self.net.encode_frames(encoder_out, batch, n)
        z = run_steps(self.step, noise, cond, steps, torch.ones(()))
        offset = z.mean(1).clamp(-MAX_PITCH_OFFSET, MAX_PITCH_OFFSET)
        return torch.where(retake, base + offset, pitch)

    def _smooth(self, pitch: Float[Tensor, "1 n"]) -> Float[Tensor, "1 n"]:
        """Convolve with a half sine; the first and last values are held beyond the ends."""
        half = self.kernel.shape[2] // 2
        first, last = pitch[:, :1].expand(-1, half), pitch[:, -1:].expand(-1, half)
        held = torch.cat([first, pitch, last], 1).unsqueeze(1)
        return nn.functional.conv1d(held, self.kernel)[:, 0]
