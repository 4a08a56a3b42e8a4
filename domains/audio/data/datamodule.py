"""Sounds to train a vocoder on: all files of some folders, cut into pieces."""

from functools import cached_property

import lightning as L
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.training.loaders import Endless, Fixed
from oneleap.core.training.seed import batch_generator
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.wave import SILENCE, files_in, read


class Clips(L.LightningDataModule):
    """Pieces of recordings, drawn by length without end; no transcripts are needed.

    All sound is held in memory at 16 bits, 115 MB an hour at 16 kHz.

    Args:
        path: Folders of sounds, at any depth.
        mel: Contract of the spectrograms.
        seconds: Length of a piece, rounded to frames.
        batch_size: Pieces per batch.
        gain_db: Pieces are made louder by a random amount between these.
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
        validation: float = 0.02,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size: {batch_size} is not positive")
        if not 0 < validation < 1:
            raise InputError(f"validation: a share between 0 and 1, not {validation}")
        if seconds * mel.frame_rate < 1:
            raise InputError(f"seconds: {seconds} is less than a frame")
        self.path, self.mel, self.seconds = tuple(path), mel, seconds
        self.batch_size, self.gain_db = batch_size, gain_db
        self.validation, self.seed = validation, seed
        self._device = torch.device("cpu")

    @property
    def spec(self) -> Mel:
        """The contract."""
        return self.mel

    @property
    def piece(self) -> int:
        """Samples of a piece."""
        return max(1, round(self.seconds * self.mel.frame_rate)) * self.mel.hop

    @cached_property
    def clips(self) -> tuple[list[NDArray[np.int16]], list[NDArray[np.int16]]]:
        """Recordings to train on, and those set aside."""
        files = [file for folder in self.path for file in files_in(folder)]
        if len(files) < 2:
            raise InputError(f"{files[0]}: one file is too few, for one is set aside")
        aside = set(set_aside(len(files), self.validation, self.seed))
        sounds = [read(file, self.mel.sample_rate).samples for file in files]
        kept = [np.round(sound.clip(-1, 1) * 32767).astype(np.int16) for sound in sounds]
        return (
            [clip for i, clip in enumerate(kept) if i not in aside],
            [clip for i, clip in enumerate(kept) if i in aside],
        )

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Running total of samples."""
        return np.cumsum([len(clip) for clip in self.clips[0]])

    def setup(self, stage: str) -> None:
        """Learn where the model will be."""
        if self.trainer is not None:
            self._device = self.trainer.strategy.root_device

    def batch(self, generator: torch.Generator) -> Float[Tensor, "b n"]:
        """Pieces that begin anywhere; one that holds nothing but silence is drawn again."""
        rows = list[Tensor]()
        low, high = self.gain_db
        while len(rows) < self.batch_size:
            u = torch.rand(2, generator=generator, dtype=torch.float64).tolist()
            at = int(u[0] * self._ends[-1])
            which = int(np.searchsorted(self._ends, at, side="right"))
            clip = self.clips[0][which]
            first = min(int(at - self._ends[which] + len(clip)), max(0, len(clip) - self.piece))
            piece = torch.from_numpy(clip[first : first + self.piece]).float() / 32767
            if piece.abs().max() >= SILENCE:
                gain = 10 ** ((low + (high - low) * u[1]) / 20)
                rows.append(torch.nn.functional.pad(piece * gain, (0, self.piece - len(piece))))
        return torch.stack(rows).clamp(-1, 1).to(self._device)

    def train_dataloader(self) -> Endless[Float[Tensor, "b n"]]:
        """Endless batches, a function of the seed and the gradient step alone."""
        return Endless(self, lambda step, rank: self.batch(batch_generator(self.seed, step, rank)))

    def val_dataloader(self) -> Fixed[Float[Tensor, "1 n"]]:
        """Beginnings of the recordings set aside, at most eight seconds, one by one."""
        most = 8 * self.mel.sample_rate
        return Fixed(
            [
                whole_frames(clip[:most], self.mel.hop).to(self._device)
                for clip in self.clips[1]
                if len(clip) >= self.mel.n_fft
            ]
        )


def set_aside(n: int, share: float, seed: int) -> list[int]:
    """Which of ``n`` recordings are for validation: a share, one at least."""
    order = np.random.default_rng(seed).permutation(n)
    return sorted(int(i) for i in order[: min(n - 1, max(1, round(n * share)))])


def whole_frames(clip: NDArray[np.int16], hop: int) -> Float[Tensor, "1 n"]:
    """Samples on [-1, 1], cut to a whole number of frames."""
    return torch.from_numpy(clip[: len(clip) // hop * hop]).float().unsqueeze(0) / 32767
