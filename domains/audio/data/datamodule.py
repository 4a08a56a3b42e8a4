"""Data module of random segments of recordings, for the training of a vocoder."""

import math
from functools import cached_property
from typing import Any

import lightning as L
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.training.loaders import Endless, FixedBatches, validation_split
from oneleap.core.training.seed import batch_generator
from oneleap.domains.audio.data.file_samples import FileSamples, to_int16
from oneleap.domains.audio.data.pages import SOUNDS, refers_to
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.wave import SILENCE, find_audio_files, read_wave

Samples = NDArray[np.int16] | FileSamples

VALIDATION_S = 8
"""Longest part of a validation recording, in seconds."""


MOST_DRAWS = 1000
"""Mean number of segments that are drawn for one that is not silent, before giving up."""


class AudioData(L.LightningDataModule):
    """Random segments of recordings; no transcripts are needed.

    Long recordings are drawn proportionally more often.

    Args:
        path: Folders of sound files, searched recursively.
        mel: Spectrogram format.
        seconds: Length of a segment in seconds, rounded to whole frames.
        batch_size: Segments per batch.
        gain_db: Range of the random gain of a segment, in dB.
        validation: Fraction of the files for validation; at least one file.
        seed: Seed of the random segments and of the validation split.
        in_memory: Whether all sound is kept in memory at 16 bits, 115 MB per hour at 16 kHz.
            Otherwise each segment is read from its file; WAV and FLAC files of the sample rate of
            ``mel`` can be.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        *,
        mel: Mel = Mel(),  # noqa: B008  (frozen)
        seconds: float = 1.0,
        batch_size: int = 16,
        gain_db: tuple[float, float] = (-6.0, 0.0),
        validation: float = 0.02,
        seed: int = 0,
        in_memory: bool = True,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size: {batch_size} is not positive")
        if not 0 < validation < 1:
            raise InputError(f"validation: must be between 0 and 1, not {validation}")
        if not -math.inf < gain_db[0] <= gain_db[1] < math.inf:
            raise InputError(f"gain_db: must be two finite numbers, the lower first, not {gain_db}")
        if seconds * mel.frame_rate < 1:
            raise InputError(f"seconds: {seconds} is less than a frame")
        self.path, self.mel, self.seconds = tuple(path), mel, seconds
        self.batch_size, self.gain_db = batch_size, gain_db
        self.validation, self.seed, self.in_memory = validation, seed, in_memory
        self._device = torch.device("cpu")

    @property
    def spec(self) -> Mel:
        """Spectrogram format, which the model receives."""
        return self.mel

    @property
    def segment_samples(self) -> int:
        """Samples of a segment."""
        return max(1, round(self.seconds * self.mel.frame_rate)) * self.mel.hop

    @cached_property
    @refers_to(SOUNDS)
    def clips(self) -> tuple[list[Samples], list[Samples]]:
        """Recordings for training and for validation.

        Raises:
            InputError: There are fewer than two files, or one cannot be read.
        """
        files = [file for folder in self.path for file in find_audio_files(folder)]
        if len(files) < 2:
            raise InputError(f"{files[0]}: one file is too few, validation needs another")
        held_out = set(validation_split(len(files), self.validation, self.seed))
        rate = self.mel.sample_rate
        clips: list[Samples] = [
            to_int16(read_wave(file, rate).samples) if self.in_memory else FileSamples(file, rate)
            for file in files
        ]
        return (
            [clip for i, clip in enumerate(clips) if i not in held_out],
            [clip for i, clip in enumerate(clips) if i in held_out],
        )

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Cumulative samples of the training recordings."""
        return np.cumsum([len(clip) for clip in self.clips[0]])

    def setup(self, stage: str) -> None:
        """Remember the device of the model."""
        if self.trainer is not None:
            self._device = self.trainer.strategy.root_device

    @refers_to(SOUNDS)
    def batch(self, generator: torch.Generator) -> Any:
        """Draw segments (b, n) at random positions; silent ones are drawn again.

        Data modules with more than sound return tuples instead.
        """
        rows = list[Tensor]()
        low, high = self.gain_db
        for _ in range(self.batch_size * MOST_DRAWS):
            if len(rows) == self.batch_size:
                break
            u = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
            at = int(u[0] * self._ends[-1])
            which = int(np.searchsorted(self._ends, at, side="right"))
            clip, n = self.clips[0][which], self.segment_samples
            first = min(int(at - self._ends[which] + len(clip)), max(0, len(clip) - n))
            segment = torch.from_numpy(clip[first : first + n]).float() / 32767
            if segment.abs().max() >= SILENCE:
                gain = 10 ** ((low + (high - low) * u[1]) / 20)
                rows.append(torch.nn.functional.pad(segment * gain, (0, n - len(segment))))
        require_sound(len(rows), self.batch_size, self.path)
        return torch.stack(rows).clamp(-1, 1).to(self._device)

    def train_dataloader(self) -> Endless[Any]:
        """Endless batches, a function of seed and gradient step."""
        return Endless(self, lambda step, rank: self.batch(batch_generator(self.seed, step, rank)))

    def val_dataloader(self) -> FixedBatches[Any]:
        """The first eight seconds of each validation recording, one recording per batch."""
        most = VALIDATION_S * self.mel.sample_rate
        return FixedBatches(
            [
                whole_frames(clip[:most], self.mel.hop).to(self._device)
                for clip in self.clips[1]
                if len(clip) >= self.mel.n_fft
            ]
        )


def require_sound(found: int, wanted: int, path: tuple[str, ...]) -> None:
    """Check that enough segments with sound were drawn.

    Raises:
        InputError: There were fewer than wanted, because the recordings are almost all silent.
    """
    if found < wanted:
        raise InputError(
            f"{', '.join(path)}: almost all of the recordings is silent (peak below {SILENCE:g} of "
            "full scale): cut the silence, or amplify them"
        )


def whole_frames(clip: NDArray[np.int16], hop: int) -> Float[Tensor, "1 n"]:
    """Samples in [-1, 1], cut to a whole number of frames."""
    return torch.from_numpy(clip[: len(clip) // hop * hop]).float().unsqueeze(0) / 32767
