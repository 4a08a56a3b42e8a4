"""Recordings with their pitch, to train a source-filter vocoder on."""

import hashlib
import json
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.training.loaders import Fixed
from oneleap.domains.audio.data.datamodule import Clips, set_aside, whole_frames
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.pitch import PERIOD_S, f0_hz
from oneleap.domains.audio.wave import SILENCE, Wave, files_in, read


class Sung(NamedTuple):
    """Pieces of recordings.

    Attributes:
        wave: Samples.
        f0: Hz of each frame, carried on through what has no voice.
    """

    wave: Float[Tensor, "b n"]
    f0: Float[Tensor, "b frames"]


def carried_on(f0: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pitch without holes: straight lines in its logarithm, ends held; 0 only if all is."""
    voiced = np.flatnonzero(f0 > 0)
    if len(voiced) == 0:
        return f0
    whole: NDArray[np.float64] = np.exp(np.interp(np.arange(len(f0)), voiced, np.log(f0[voiced])))
    return whole


def pitch_of(
    path: Path, wave: Wave, mel: Mel, cache: str | None, low: float, high: float
) -> NDArray[np.float64]:
    """Pitch of each frame of a file, Hz, 0 without voice.

    It is read where it is known: ``../f0/NAME.npy`` beside the folder of a sound is a row of Hz
    every 5 ms. Otherwise Harvest finds it, or the cache has what Harvest found.

    Args:
        path: The sound.
        wave: What it holds, at the contract's sample rate.
        mel: The contract.
        cache: Folder of what was found before.
        low: Least pitch looked for, Hz.
        high: Greatest.

    Raises:
        InputError: If a file of pitch is damaged.
    """
    known = path.parent.parent / "f0" / f"{path.stem}.npy"
    if known.is_file():
        frames = len(wave.samples) // mel.hop
        middle = (np.arange(frames) + 0.5) * mel.hop / mel.sample_rate
        values = _row(known)
        nearest = np.clip(np.rint(middle / PERIOD_S), 0, len(values) - 1).astype(int)
        each: NDArray[np.float64] = values[nearest]
        return each
    if cache is None:
        return f0_hz(wave, mel, low=low, high=high)
    about = json.dumps([asdict(mel), low, high, str(path.resolve()), path.stat().st_mtime_ns])
    file = Path(cache) / f"f0-{hashlib.sha256(about.encode()).hexdigest()[:24]}.npy"
    if file.is_file():
        return _row(file)
    found = f0_hz(wave, mel, low=low, high=high)
    with replacing(file) as temporary:
        np.save(temporary, found.astype(np.float32), allow_pickle=False)
    return found


def _row(path: Path) -> NDArray[np.float64]:
    try:
        values = np.asarray(np.load(path, allow_pickle=False), np.float64)
    except (OSError, ValueError, EOFError):
        values = np.zeros((0, 0))
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise InputError(f"{path}: is no row of numbers: delete it to find pitch anew")
    return values


class SungClips(Clips):
    """Pieces of recordings and their pitch; see :func:`pitch_of` for where it comes from.

    Args:
        path: Folders of sounds, at any depth.
        mel: Contract of the spectrograms.
        seconds: Length of a piece, rounded to frames.
        batch_size: Pieces per batch.
        gain_db: Pieces are made louder by a random amount between these.
        lowest_hz: Least pitch looked for.
        highest_hz: Greatest.
        cache: Folder where pitch is kept.
        validation: Share of the files that is set aside, at least one.
        seed: Of the draws, and of which files are set aside.
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
            raise InputError(f"lowest_hz: above 0 and below highest_hz, not {lowest_hz}")
        self.lowest_hz, self.highest_hz, self.cache = lowest_hz, highest_hz, cache

    @cached_property
    def sung(self) -> tuple[list[Sung], list[Sung]]:
        """Recordings of whole frames to train on, and those set aside, a row each."""
        files = [file for folder in self.path for file in files_in(folder)]
        if len(files) < 2:
            raise InputError(f"{files[0]}: one file is too few, for one is set aside")
        aside = set(set_aside(len(files), self.validation, self.seed))
        both: tuple[list[Sung], list[Sung]] = ([], [])
        for i, file in enumerate(files):
            wave = read(file, self.mel.sample_rate)
            f0 = pitch_of(file, wave, self.mel, self.cache, self.lowest_hz, self.highest_hz)
            if len(wave.samples) < self.mel.n_fft:
                continue
            samples = np.round(wave.samples.clip(-1, 1) * 32767).astype(np.int16)
            clip = whole_frames(samples, self.mel.hop)
            pitch = torch.from_numpy(carried_on(f0)).float()[: clip.shape[1] // self.mel.hop]
            both[i in aside].append(Sung(clip, pitch.unsqueeze(0)))
        return both

    def pieces(self, generator: torch.Generator) -> Sung:
        """Pieces that begin at any frame; one that holds nothing but silence is drawn again."""
        rows = list[Sung]()
        train, frames = self.sung[0], self.piece // self.mel.hop
        ends = np.cumsum([row.f0.shape[1] for row in train])
        low, high = self.gain_db
        while len(rows) < self.batch_size:
            u = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
            at = int(u[0] * ends[-1])
            row = train[int(np.searchsorted(ends, at, side="right"))]
            first = max(0, min(at % row.f0.shape[1], row.f0.shape[1] - frames))
            piece = row.wave[:, first * self.mel.hop :][:, : self.piece]
            if piece.abs().max() >= SILENCE:
                gain = 10 ** ((low + (high - low) * u[1]) / 20)
                pitch = row.f0[:, first : first + frames]
                short = frames - pitch.shape[1]
                pad = torch.nn.functional.pad
                rows.append(
                    Sung(pad(piece * gain, (0, short * self.mel.hop)), pad(pitch, (0, short)))
                )
        wave, f0 = (torch.cat(parts).to(self._device) for parts in zip(*rows, strict=True))
        return Sung(wave.clamp(-1, 1), f0)

    def batch(self, generator: torch.Generator) -> Sung:  # type: ignore[override]
        """See :meth:`pieces`."""
        return self.pieces(generator)

    def val_dataloader(self) -> Fixed[Sung]:  # type: ignore[override]
        """Beginnings of the recordings set aside, at most eight seconds, one by one."""
        most = round(8 * self.mel.frame_rate)
        return Fixed(
            [
                Sung(
                    row.wave[:, : most * self.mel.hop].to(self._device),
                    row.f0[:, :most].to(self._device),
                )
                for row in self.sung[1]
            ]
        )
