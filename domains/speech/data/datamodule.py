"""Recordings with transcripts, for training an acoustic model."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import lightning as L
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.training.loaders import Endless, Fixed
from oneleap.domains.audio.data.buckets import LengthBuckets
from oneleap.domains.audio.data.datamodule import validation_split
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.wave import read_wave, trim_silence
from oneleap.domains.speech.data.ljspeech import Recording, recordings
from oneleap.domains.speech.spec import Spec, Utterances
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.lexicon import read_lexicon
from oneleap.domains.speech.text.symbols import SYMBOLS, ids


class Clip(NamedTuple):
    """One recording, ready.

    Attributes:
        tokens: Numbers of symbols.
        mel: Normalised spectrogram, (mels, frames).
        speaker: Number of who speaks.
        recording: Where it is from.
    """

    tokens: list[int]
    mel: Float[Tensor, "mels n"]
    speaker: int
    recording: Recording


class Speech(L.LightningDataModule):
    """Recordings in LJSpeech's layout, one folder a speaker, in batches of like lengths.

    Features are computed once, when first asked for, and kept in memory: 75 MB an hour with the
    default contract. With ``cache`` they are also kept in files, and a later run reads those.

    Args:
        path: Folders; each is one speaker, by the folder's name.
        mel: Contract of the spectrograms; recordings are resampled to its rate.
        language: Of espeak-ng.
        lexicon: File of pronunciations.
        ipa: Transcripts are phonetic.
        trim_db: Silence at the ends, so far below the loudest part, is cut; ``None`` keeps it.
        longest_s: Longer recordings are left out.
        repeat: How often each folder's recordings come in an epoch; once by default.
        batch_size: Recordings per batch.
        cache: Folder of computed features.
        validation: Share of each folder that is set aside, at least one.
        seed: Of the order, and of what is set aside.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        *,
        mel: Mel = Mel(),  # noqa: B008  (frozen)
        language: str = "en-us",
        lexicon: str | None = None,
        ipa: bool = False,
        trim_db: float | None = 45.0,
        longest_s: float = 15.0,
        repeat: tuple[int, ...] | None = None,
        batch_size: int = 16,
        cache: str | None = None,
        validation: float = 0.02,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size: {batch_size} is not positive")
        if not 0 < validation < 1:
            raise InputError(f"validation: a share between 0 and 1, not {validation}")
        if repeat is not None and (len(repeat) != len(path) or min(repeat) < 1):
            raise InputError(f"repeat: a positive number for each of {len(path)} folders")
        self.path, self.mel, self.language = tuple(path), mel, language
        self.lexicon, self.ipa, self.trim_db = lexicon, ipa, trim_db
        self.longest_s, self.repeat, self.batch_size = longest_s, repeat, batch_size
        self.cache, self.validation, self.seed = cache, validation, seed

    @property
    def spec(self) -> Spec:
        """Contract, alphabet and speakers; reads no sound."""
        names = [Path(folder).resolve().name for folder in self.path]
        if len(set(names)) < len(names):
            raise InputError(f"path: folders name their speakers, and two have one name: {names}")
        return Spec(self.mel, SYMBOLS, tuple(names), self.language)

    @cached_property
    def clips(self) -> tuple[list[Clip], list[Clip]]:
        """Recordings to train on, repeated as asked, and those set aside."""
        lexicon = read_lexicon(self.lexicon, SYMBOLS) if self.lexicon else {}
        reader = FrontEnd(self.language, SYMBOLS, lexicon, self.ipa)
        train, aside = list[Clip](), list[Clip]()
        for speaker, folder in enumerate(self.path):
            known = recordings(folder)
            held = set(validation_split(len(known), self.validation, self.seed))
            for i, recording in enumerate(known):
                clip = self._clip(recording, speaker, reader)
                if clip is not None:
                    times = 1 if self.repeat is None or i in held else self.repeat[speaker]
                    (aside if i in held else train).extend([clip] * times)
        if not train or not aside:
            raise InputError(
                f"{self.path[0]}: no recording of at most longest_s {self.longest_s:g} s is left "
                f"for {'validation' if train else 'training'}"
            )
        return train, aside

    def _clip(self, recording: Recording, speaker: int, reader: FrontEnd) -> Clip | None:
        """A recording's features; nothing if it is too long, or too short for its text."""
        said = " ".join(reader.sentences(recording.text, recording.where))
        tokens = ids(said, SYMBOLS)
        mel = self._features(recording.path)
        frames = mel.shape[1]
        if frames > self.longest_s * self.mel.frame_rate or frames < len(tokens):
            return None
        return Clip(tokens, mel, speaker, recording)

    def _features(self, path: Path) -> Float[Tensor, "mels n"]:
        """From the cache, or computed, and then put there."""
        if self.cache is None:
            return self._computed(path)
        about = json.dumps([asdict(self.mel), self.trim_db, str(path.resolve())])
        stamp = f"{about}{path.stat().st_mtime_ns}".encode()
        file = Path(self.cache) / f"{hashlib.sha256(stamp).hexdigest()[:24]}.npy"
        if file.is_file():
            return torch.from_numpy(np.load(file, allow_pickle=False))
        mel = self._computed(path)
        with replacing(file) as temporary:
            np.save(temporary, mel.numpy(), allow_pickle=False)
        return mel

    def _computed(self, path: Path) -> Float[Tensor, "mels n"]:
        wave = read_wave(path, self.mel.sample_rate)
        if self.trim_db is not None:
            wave = trim_silence(wave, self.trim_db)
        return log_mel(torch.from_numpy(wave.samples).unsqueeze(0), self.mel)[0]

    def train_dataloader(self) -> Endless[Utterances]:
        """Endless batches, a function of the seed and the gradient step alone."""
        clips = self.clips[0]
        chosen = LengthBuckets([clip.mel.shape[1] for clip in clips], self.batch_size, self.seed)
        return Endless(
            self, lambda step, rank: collate([clips[i] for i in chosen(step, rank)], self.mel)
        )

    def val_dataloader(self) -> Fixed[Utterances]:
        """What was set aside, in batches of like lengths."""
        aside = sorted(self.clips[1], key=lambda clip: clip.mel.shape[1])
        n = self.batch_size
        return Fixed([collate(aside[i : i + n], self.mel) for i in range(0, len(aside), n)])


def collate(clips: Sequence[Clip], mel: Mel) -> Utterances:
    """A padded batch; padded frames are silence, padded tokens 0."""
    frames = torch.tensor([clip.mel.shape[1] for clip in clips])
    features = torch.full((len(clips), mel.n_mels, int(frames.max())), mel.silence)
    for row, clip in zip(features, clips, strict=True):
        row[:, : clip.mel.shape[1]] = clip.mel
    rows = [torch.tensor(clip.tokens) for clip in clips]
    return Utterances(
        tokens=torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
        lengths=torch.tensor([len(clip.tokens) for clip in clips]),
        mel=features,
        frames=frames,
        speaker=torch.tensor([clip.speaker for clip in clips]),
    )
