"""Data module of segments with pitch, voicing and known parts, for source-filter vocoders."""

from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.reading.arrays import read_array
from oneleap.core.training.loaders import FixedBatches
from oneleap.domains.audio.data.datamodule import (
    MOST_DRAWS,
    VALIDATION_S,
    require_sound,
    whole_frames,
)
from oneleap.domains.audio.data.file_samples import to_int16
from oneleap.domains.audio.data.pages import SOUNDS, refers_to
from oneleap.domains.audio.data.pitched import AudioWithPitch
from oneleap.domains.audio.pitch import load_f0
from oneleap.domains.audio.wave import SILENCE, read_wave

LOG_AMPLITUDES = (0, 2, 3)
"""Rows of the parts that are logarithms of amplitudes; a gain adds to them."""


class SourceFilterClip(NamedTuple):
    """Segments with pitch, and with the parts they are made of if those are known.

    Attributes:
        wave: Samples.
        f0: Pitch of each frame in Hz, 0 in unvoiced frames.
        parts: Log amplitudes and phases, see :meth:`SourceFilterVocoder.parts`, or ``None``.
    """

    wave: Float[Tensor, "b samples"]
    f0: Float[Tensor, "b n"]
    parts: Float[Tensor, "b n parts bins"] | None


class _Recording(NamedTuple):
    wave: Float[Tensor, "1 samples"]
    f0: Float[Tensor, "1 n"]
    parts: NDArray[np.float16] | None


class SourceFilterData(AudioWithPitch):
    """Random segments of recordings with pitch and voicing.

    If a recording lies in ``FOLDER/wavs`` and ``FOLDER/parts/NAME.npy`` exists, its parts come
    along: 16-bit numbers (frames, 5, bins), read from the file as they are needed. All
    recordings have parts, or none has.

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
    def recordings(self) -> tuple[list[_Recording], list[_Recording]]:
        """Recordings of whole frames for training and for validation.

        Raises:
            InputError: There are fewer than two files, one cannot be read, or only some of them
                have parts.
        """
        files, held_out = self.files()
        both: tuple[list[_Recording], list[_Recording]] = ([], [])
        for i, file in enumerate(files):
            recording = self._read(file)
            if recording is not None:
                both[i in held_out].append(recording)
        without = [row.parts is None for rows in both for row in rows]
        if any(without) and not all(without):
            raise InputError(
                f"{self.path[0]}: {sum(without)} of {len(without)} recordings have no parts: "
                "train on folders with parts or on folders without"
            )
        return both

    def _read(self, file: Path) -> _Recording | None:
        wave = read_wave(file, self.mel.sample_rate)
        frames = len(wave.samples) // self.mel.hop
        if len(wave.samples) < self.mel.n_fft:
            return None
        f0 = load_f0(file, wave, self.mel, self.cache, self.lowest_hz, self.highest_hz)[:frames]
        clip = whole_frames(to_int16(wave.samples), self.mel.hop)
        parts = self._parts(file.parent.parent / "parts" / f"{file.stem}.npy", frames)
        return _Recording(clip, torch.from_numpy(f0).float().unsqueeze(0), parts)

    def _parts(self, path: Path, frames: int) -> NDArray[np.float16] | None:
        if not path.is_file():
            return None
        parts = read_array(path, mapped=True)
        if parts.dtype.kind != "f":
            raise InputError(f"{path}: holds {parts.dtype}, not numbers: make the data again")
        expected = (frames, 5, self.mel.n_fft // 2 + 1)
        if parts.shape != expected:
            raise InputError(f"{path}: has the shape {parts.shape}, the sound needs {expected}")
        return parts

    @refers_to(SOUNDS)
    def clip(self, generator: torch.Generator) -> SourceFilterClip:
        """Draw segments that begin at random frames; silent ones are drawn again."""
        rows = list[tuple[Tensor, Tensor, Tensor]]()
        train, n = self.recordings[0], self.segment_samples // self.mel.hop
        ends = np.cumsum([row.f0.shape[1] for row in train])
        low, high = self.gain_db
        for _ in range(self.batch_size * MOST_DRAWS):
            if len(rows) == self.batch_size:
                break
            u = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
            at = int(u[0] * ends[-1])
            which = int(np.searchsorted(ends, at, side="right"))
            row, gain = train[which], (low + (high - low) * u[1]) * np.log(10) / 20
            length = row.f0.shape[1]
            first = max(0, min(int(at - ends[which] + length), length - n))
            found = self._segment(row, first, n, float(gain))
            if found[0].abs().max() >= SILENCE:
                rows.append(found)
        require_sound(len(rows), self.batch_size, self.path)
        wave, f0, parts = (
            torch.cat(tensors).to(self._device) for tensors in zip(*rows, strict=True)
        )
        return SourceFilterClip(wave.clamp(-1, 1), f0, parts if parts.shape[2] else None)

    def _segment(
        self, row: _Recording, first: int, n: int, log_gain: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Segment of ``n`` frames; past the end follow silence and unvoiced frames."""
        hop, pad = self.mel.hop, torch.nn.functional.pad
        wave = row.wave[:, first * hop : (first + n) * hop] * np.exp(log_gain)
        f0 = row.f0[:, first : first + n]
        short = n - f0.shape[1]
        parts = torch.zeros(1, n, 0, 0)
        if row.parts is not None:
            parts = torch.from_numpy(row.parts[first : first + n].astype(np.float32))
            parts[:, LOG_AMPLITUDES] += log_gain
            parts = pad(parts, (0, 0, 0, 0, 0, short), value=-20.0).unsqueeze(0)
        return pad(wave, (0, short * hop)), pad(f0, (0, short)), parts

    def batch(self, generator: torch.Generator) -> SourceFilterClip:
        """See :meth:`clip`."""
        return self.clip(generator)

    def val_dataloader(self) -> FixedBatches[SourceFilterClip]:
        """The first eight seconds of each validation recording, one recording per batch."""
        most = round(VALIDATION_S * self.mel.frame_rate)
        return FixedBatches(
            [
                SourceFilterClip(
                    row.wave[:, : most * self.mel.hop].to(self._device),
                    row.f0[:, :most].to(self._device),
                    None,
                )
                for row in self.recordings[1]
            ]
        )
