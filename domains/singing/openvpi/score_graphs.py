"""Durations and pitch of a score as openvpi's graphs: one phrase each."""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from oneleap.domains.audio.sequence import frame_to_token
from oneleap.domains.singing.data.batches import SMOOTH_S
from oneleap.domains.singing.models.curves import MAX_PITCH_OFFSET, CurveBatch, CurveModel
from oneleap.domains.singing.models.durations import DurationModel
from oneleap.domains.singing.openvpi.acoustic_graph import (
    Leaping,
    asks_at_once,
    looped,
    noise_table,
    tiled,
)


class WordLinguistic(nn.Module):
    """``linguistic`` of a duration model: tokens, word_div, word_dur -> encoder_out, x_masks.

    Args:
        model: Whose average it is of.
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
        """What is known of each phoneme, and where there is padding, as openvpi has it."""
        word = frame_to_token(word_div, tokens.shape[1])
        place = torch.arange(tokens.shape[1])
        start = (word_div.cumsum(1) - word_div).gather(1, word)
        frames = word_dur.gather(1, word).to(torch.float32)
        return self.linguistic(tokens, place == start, frames), tokens == 0


class Duration(nn.Module):
    """``dur``: encoder_out, x_masks, ph_midi -> ph_dur_pred.

    Args:
        model: Whose average it is of.
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
        """Frames, not yet rescaled to words."""
        return self.net.predict(encoder_out, ph_midi, ~x_masks)


class PhonemeLinguistic(nn.Module):
    """``linguistic`` of a pitch model: tokens, ph_dur -> encoder_out, x_masks.

    Args:
        model: Whose average it is of.
    """

    def __init__(self, model: CurveModel) -> None:
        super().__init__()
        self.net = model.average

    def forward(
        self, tokens: Int[Tensor, "1 l"], ph_dur: Int[Tensor, "1 l"]
    ) -> tuple[Float[Tensor, "1 l c"], Bool[Tensor, "1 l"]]:
        """What is known of each phoneme, and where there is padding."""
        x = self.net.phoneme(tokens)
        x = x + self.net.duration(ph_dur.unsqueeze(2).to(x.dtype).log1p())
        return self.net.encoder(x, tokens > 0), tokens == 0


class PitchStart(nn.Module):
    """Condition, smoothed score and noise of a phrase: all of ``pitch`` but the loop.

    Args:
        model: Whose average it is of.
        seed: Of the noise.
    """

    def __init__(self, model: CurveModel, seed: int) -> None:
        super().__init__()
        self.net, self.bins, self.temperature = model.average, model.bins, model.temperature
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
    ) -> tuple[Float[Tensor, "1 c n"], Float[Tensor, "1 n"], Float[Tensor, "1 bins n"]]:
        """Condition, smoothed score, noise."""
        n = pitch.shape[1]
        steps = note_midi.gather(1, frame_to_token(note_dur, n)).unsqueeze(1)
        half = self.kernel.shape[2] // 2
        held = torch.cat(
            [steps[..., :1].expand(-1, -1, half), steps, steps[..., -1:].expand(-1, -1, half)], 2
        )
        base = nn.functional.conv1d(held, self.kernel)[:, 0]
        noise = self.temperature * tiled(self.noise, n)
        mask = torch.ones_like(pitch, dtype=torch.bool).unsqueeze(1)
        sheet = CurveBatch(ph_dur, ph_dur, note_midi, note_rest, note_dur, base, noise, mask)
        return self.net.encode_frames(encoder_out, sheet, n), base, noise


class PitchEnd(nn.Module):
    """From channels to semitones, the given pitch kept where no new one is asked for."""

    def forward(
        self,
        z: Float[Tensor, "1 bins n"],
        base: Float[Tensor, "1 n"],
        pitch: Float[Tensor, "1 n"],
        retake: Bool[Tensor, "1 n"],
    ) -> Float[Tensor, "1 n"]:
        """``pitch_pred``."""
        return torch.where(
            retake, base + z.mean(1).clamp(-MAX_PITCH_OFFSET, MAX_PITCH_OFFSET), pitch
        )


class PitchGraph(nn.Module):
    """``pitch``: encoder_out, ph_dur, notes, pitch, retake, steps -> pitch_pred.

    Args:
        model: Whose average it is.
        seed: Of the noise.
    """

    def __init__(self, model: CurveModel, seed: int = 0) -> None:
        super().__init__()
        self.start, self.end = PitchStart(model, seed), PitchEnd()
        self.step = Leaping(model.average.decoder, asks_at_once(model))

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
        """Semitones."""
        cond, base, noise = self.start(encoder_out, ph_dur, note_midi, note_rest, note_dur, pitch)
        z = looped(self.step, noise, cond, steps, torch.ones(()))
        found: Tensor = self.end(z, base, pitch, retake)
        return found
