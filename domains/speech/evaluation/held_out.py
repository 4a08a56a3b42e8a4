"""Recordings that a training run held out, and the distance of a model to them."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.cli.datamodule import load_datamodule
from oneleap.core.errors import InputError
from oneleap.core.sampling.samplers import with_steps
from oneleap.core.training.run import CONFIG, find_model
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.wave import Wave, read_wave, trim_silence
from oneleap.domains.speech.data.datamodule import SpeechData, Utterance, collate
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.voice.loading import ACOUSTIC


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out recordings of one speaker.

    Attributes:
        utterances: The recordings and their texts.
        data: The data module that they come from.
    """

    utterances: list[Utterance]
    data: SpeechData

    def first(self, n: int) -> "HeldOut":
        """Return the first ``n`` recordings."""
        return replace(self, utterances=self.utterances[:n])

    @property
    def texts(self) -> list[str]:
        """Transcripts."""
        return [utterance.source.text for utterance in self.utterances]

    @property
    def features(self) -> list[Float[Tensor, "c _"]]:
        """Normalized features."""
        return [utterance.features for utterance in self.utterances]

    def waves(self) -> list[Wave]:
        """Read the recordings and trim silence as in training."""
        rate, trim_db = self.data.mel.sample_rate, self.data.trim_db
        sounds = [read_wave(utterance.source.path, rate) for utterance in self.utterances]
        return sounds if trim_db is None else [trim_silence(sound, trim_db) for sound in sounds]

    @torch.inference_mode()
    def synthesize(self, model: AcousticModel, steps: int) -> list[Float[Tensor, "c _"]]:
        """Generate the features of the texts at the token durations of the recordings.

        Args:
            model: The acoustic model.
            steps: Number of steps of its sampler.

        Returns:
            Normalized features for each recording, with its number of frames.
        """
        sampler, found = with_steps(model.sampler, steps), []
        for i, utterance in enumerate(self.utterances):
            batch = model.align(collate([utterance], self.data.spec))
            encoded = model.encode(batch.tokens, batch.token_mask, batch.speaker)
            field = model.average.field(encoded, batch.frame_to_token, batch.mask)
            generator = step_generator(0, i)
            noise = torch.randn(batch.x.shape, generator=generator)
            noise = model.noise_scale(None, None) * noise
            found.append(sampler(field, noise, generator)[0])
        return found

    def mel_distance(self, model: AcousticModel, steps: int) -> float:
        """Compute the mean absolute difference of natural-log spectrograms.

        It is the mean over frames and bands of each recording, then over recordings.
        """
        mels = self.data.mel.n_mels
        pairs = zip(self.synthesize(model, steps), self.features, strict=True)
        gaps = [(a - b)[:mels].abs().mean() for a, b in pairs]
        return float(torch.stack(gaps).mean()) * self.data.mel.std


def load_held_out(run: Path, model: AcousticModel, speaker: str | None) -> HeldOut | None:
    """Load the recordings of a speaker that a run held out.

    Args:
        run: Folder of a run, of a model or of a voice.
        model: Acoustic model of the run.
        speaker: Name of the speaker; by default the first one.

    Returns:
        The recordings. ``None`` if the folder is not of a run, or the recordings are gone.

    Raises:
        InputError: If the data of the run do not fit the model.
    """
    folder = find_model(run, ACOUSTIC).run
    if folder is None or not (folder / CONFIG).is_file():
        return None
    data = load_datamodule(folder)
    if not isinstance(data, SpeechData):
        return None
    if data.spec != model.spec:
        raise InputError(
            f"{folder / CONFIG}: the data have another spectrogram format, alphabet or speakers "
            "than the model"
        )
    if not all(Path(path).expanduser().is_dir() for path in data.path):
        return None
    index = 0 if speaker is None else model.spec.speakers.index(speaker)
    return HeldOut([u for u in data.utterances[1] if u.speaker == index], data)
