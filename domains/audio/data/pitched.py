"""Data module of random segments of recordings with pitch, for source-filter vocoders."""

from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.training.loaders import FixedBatches, validation_split
from oneleap.domains.audio.data.datamodule import (
    MOST_DRAWS,
    VALIDATION_S,
    AudioData,
    require_sound,
    whole_frames,
)
from oneleap.domains.audio.data.file_samples import to_int16
from oneleap.domains.audio.data.pages import SOUNDS, refers_to
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.pitch import interpolate_unvoiced, load_f0
from oneleap.domains.audio.wave import SILENCE, find_audio_files, read_wave


class PitchedClip(NamedTuple):
    """Recordings, or segments of them, with pitch.

    Attributes:
        wave: Samples.
        f0: Pitch of each frame in Hz, interpolated through unvoiced frames.
    """

    wave: Float[Tensor, "b n"]
    f0: Float[Tensor, "b frames"]


class AudioWithPitch(AudioData):
    """Recordings whose pitch :func:`load_f0` provides; subclasses draw segments of them.

    Args:
        path: Folders of sound files, searched recursively.
        mel: Spectrogram format.
        seconds: Length of a segment in seconds, rounded to whole frames.
        batch_size: Segments per batch.
        gain_db: Range of the random gain of a segment, in dB.
        lowest_hz: Lowest pitch to look for, in Hz.
        highest_hz: Highest pitch to look for, in Hz.
        cache: Folder that keeps estimated pitch, or ``None``.
        validation: Fraction of the files for validation; at least one file.
        seed: Seed of the random segments and of the validation split.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        *,
        mel: Mel = Mel(),  # noqa: B008  (frozen)
        seconds: float = 1.0,
        batch_size: int = 16,
        gain_db: tuple[float, float] = (-6.0, 0.0),
        lowest_hz: float = 65.0,
        highest_hz: float = 1100.0,
        cache: str | None = None,
        validation: float = 0.02,
        seed: int = 0,
    ) -> None:
        super().__init__(
            path,
            mel=mel,
            seconds=seconds,
            batch_size=batch_size,
            gain_db=gain_db,
            validation=validation,
            seed=seed,
        )
        if not 0 < lowest_hz < highest_hz:
            raise InputError(f"lowest_hz: must be above 0 and below highest_hz, not {lowest_hz}")
        self.lowest_hz, self.highest_hz, self.cache = lowest_hz, highest_hz, cache

    def files(self) -> tuple[list[Path], set[int]]:
        """List all sound files, and the indices of those for validation.

        Raises:
            InputError: There are fewer than two files.
        """
        found = [file for folder in self.path for file in find_audio_files(folder)]
        if len(found) < 2:
            raise InputError(f"{found[0]}: one file is too few, validation needs another")
        return found, set(validation_split(len(found), self.validation, self.seed))


class PitchedAudioData(AudioWithPitch):
    """Random segments of recordings with their pitch.

    Args:
        path: Folders of sound files, searched recursively.
        mel: Spectrogram format.
        seconds: Length of a segment in seconds, rounded to whole frames.
        batch_size: Segments per batch.
        gain_db: Range of the random gain of a segment, in dB.
        lowest_hz: Lowest pitch to look for, in Hz.
        highest_hz: Highest pitch to look for, in Hz.
        cache: Folder that keeps estimated pitch, or ``None``.
        validation: Fraction of the files for validation; at least one file.
        seed: Seed of the random segments and of the validation split.
    """

    @cached_property
    @refers_to(SOUNDS)
    def pitched_clips(self) -> tuple[list[PitchedClip], list[PitchedClip]]:
        """Recordings of whole frames for training and for validation, one row each.

        Raises:
            InputError: There are fewer than two files, or one cannot be read.
        """
        files, held_out = self.files()
        both: tuple[list[PitchedClip], list[PitchedClip]] = ([], [])
        for i, file in enumerate(files):
            wave = read_wave(file, self.mel.sample_rate)
            f0 = load_f0(file, wave, self.mel, self.cache, self.lowest_hz, self.highest_hz)
            if len(wave.samples) < self.mel.n_fft:
                continue
            clip = whole_frames(to_int16(wave.samples), self.mel.hop)
            pitch = torch.from_numpy(interpolate_unvoiced(f0)).float()
            pitch = pitch[: clip.shape[1] // self.mel.hop]
            both[i in held_out].append(PitchedClip(clip, pitch.unsqueeze(0)))
        return both

    @refers_to(SOUNDS)
    def segments(self, generator: torch.Generator) -> PitchedClip:
        """Draw segments that begin at random frames; silent ones are drawn again."""
        rows = list[PitchedClip]()
        train, frames = self.pitched_clips[0], self.segment_samples // self.mel.hop
        ends = np.cumsum([row.f0.shape[1] for row in train])
        low, high = self.gain_db
        for _ in range(self.batch_size * MOST_DRAWS):
            if len(rows) == self.batch_size:
                break
            u = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
            at = int(u[0] * ends[-1])
            row = train[int(np.searchsorted(ends, at, side="right"))]
            first = max(0, min(at % row.f0.shape[1], row.f0.shape[1] - frames))
            wave = row.wave[:, first * self.mel.hop :][:, : self.segment_samples]
            if wave.abs().max() >= SILENCE:
                gain = 10 ** ((low + (high - low) * u[1]) / 20)
                pitch = row.f0[:, first : first + frames]
                short = frames - pitch.shape[1]
                pad = torch.nn.functional.pad
                rows.append(
                    PitchedClip(pad(wave * gain, (0, short * self.mel.hop)), pad(pitch, (0, short)))
                )
        require_sound(len(rows), self.batch_size, self.path)
        wave, f0 = (torch.cat(parts).to(self._device) for parts in zip(*rows, strict=True))
        return PitchedClip(wave.clamp(-1, 1), f0)

    def batch(self, generator: torch.Generator) -> PitchedClip:
        """See :meth:`segments`."""
        return self.segments(generator)

    def val_dataloader(self) -> FixedBatches[PitchedClip]:
        """The first eight seconds of each validation recording, one recording per batch."""
        most = round(VALIDATION_S * self.mel.frame_rate)
        return FixedBatches(
            [
                PitchedClip(
                    row.wave[:, : most * self.mel.hop].to(self._device),
                    row.f0[:, :most].to(self._device),
                )
                for row in self.pitched_clips[1]
            ]
        )
