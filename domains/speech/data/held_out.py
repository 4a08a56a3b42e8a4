"""Recordings that were set aside when a model was trained, and how near it comes to them."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import yaml
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.hub.config import class_path
from oneleap.core.sampling.samplers import with_steps
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.commands.evaluate import arguments
from oneleap.domains.audio.wave import Wave, read_wave, trim_silence
from oneleap.domains.speech.data.datamodule import Clip, Speech, collate
from oneleap.domains.speech.models.acoustic import Acoustic


@dataclass(frozen=True, eq=False)
class Held:
    """Recordings of one speaker.

    Attributes:
        clips: Ready for a model.
        data: Where they are from.
    """

    clips: list[Clip]
    data: Speech

    def first(self, most: int) -> "Held":
        """No more of them."""
        return replace(self, clips=self.clips[:most])

    @property
    def texts(self) -> list[str]:
        """Transcripts."""
        return [clip.recording.text for clip in self.clips]

    @property
    def mels(self) -> list[Float[Tensor, "mels _"]]:
        """Normalised spectrograms."""
        return [clip.mel for clip in self.clips]

    def waves(self) -> list[Wave]:
        """The recordings as they were trained on, silence at the ends cut."""
        rate, cut = self.data.mel.sample_rate, self.data.trim_db
        sounds = [read_wave(clip.recording.path, rate) for clip in self.clips]
        return sounds if cut is None else [trim_silence(sound, cut) for sound in sounds]

    @torch.inference_mode()
    def made(self, model: Acoustic, steps: int) -> list[Float[Tensor, "mels _"]]:
        """What a model makes of their texts, each token as long as in the recording."""
        sampler, made = with_steps(model.sampler, steps), []
        for i, clip in enumerate(self.clips):
            batch = model.prepare(collate([clip], self.data.mel))
            encoded = model.speaking(batch.tokens, batch.token_mask, batch.speaker)
            field = model.average.field(encoded, batch.owner, batch.mask)
            generator = step_generator(0, i)
            noise = model.temperature * torch.randn(batch.x.shape, generator=generator)
            made.append(sampler(field, noise, generator)[0])
        return made

    def distance(self, model: Acoustic, steps: int) -> float:
        """Mean absolute difference of natural-log spectrograms, each recording counting once."""
        pairs = zip(self.made(model, steps), self.mels, strict=True)
        gaps = [(a - b).abs().mean() for a, b in pairs]
        return float(torch.stack(gaps).mean()) * self.data.mel.std


def held_out(run: Path, model: Acoustic, speaker: str | None) -> Held | None:
    """Recordings of a speaker that a run set aside; none of a voice, or if they are gone."""
    file = run / "config.yaml"
    if not file.is_file():
        return None
    data = yaml.safe_load(file.read_text(encoding="utf-8"))["data"]
    if data["class_path"] != class_path(Speech):
        return None
    made = Speech(**arguments(data))
    if made.spec != model.spec:
        raise InputError(f"{file}: its data are others than those of the model")
    if not all(Path(folder).is_dir() for folder in made.path):
        return None
    who = 0 if speaker is None else model.spec.speakers.index(speaker)
    clips = [clip for clip in made.clips[1] if clip.speaker == who]
    return Held(clips, made)
