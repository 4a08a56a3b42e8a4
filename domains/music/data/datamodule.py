"""Folders of music, for training: random crops of spectrograms, and their tags."""

import warnings
from functools import cached_property
from pathlib import Path

import lightning as L
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError, Notice
from oneleap.core.training.loaders import Endless, Fixed
from oneleap.core.training.seed import batch_generator
from oneleap.domains.audio.data.datamodule import validation_split
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.wave import find_audio_files
from oneleap.domains.music.data.cache import Facts, Piece, load
from oneleap.domains.music.data.tags import tags_of, vocabulary
from oneleap.domains.music.spec import MUSIC, Batch, Spec


class Music(L.LightningDataModule):
    """Recordings of music, cut into clips at random.

    Each is decoded once; its spectrogram is kept in a file that later runs map into memory, 10 MB
    an hour and band of ten. Which recordings are set aside depends on their number and the seed.
    Tags are those of ``metadata.csv`` in a folder (columns ``file`` and ``tags``), else the names
    of the folders that recordings lie in.

    Args:
        path: Folders of sounds, at any depth; other sample rates are resampled.
        mel: Contract of the spectrograms.
        frames: Of a clip.
        batch_size: Clips per batch.
        cache: Folder of the spectrograms; by default ``.oneleap`` in the first folder.
        tags: What may be asked for; by default every tag that several recordings have and some
            lack.
        per_band: Normalise each band by statistics of its own, or all by the same two numbers.
        gain_db: Clips are made louder by a random amount between these.
        validation: Share of the recordings that is set aside, at least one.
        seed: Of the draws, and of what is set aside.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        *,
        mel: Mel = MUSIC,
        frames: int = 512,
        batch_size: int = 16,
        cache: str | None = None,
        tags: tuple[str, ...] | None = None,
        per_band: bool = True,
        gain_db: tuple[float, float] = (0.0, 0.0),
        validation: float = 0.05,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1 or frames < 1:
            raise InputError(f"batch_size and frames are positive, not {batch_size} and {frames}")
        if not 0 < validation < 1:
            raise InputError(f"validation: a share between 0 and 1, not {validation}")
        if gain_db[0] > gain_db[1]:
            raise InputError(f"gain_db: two numbers in order, not {gain_db}")
        self.path, self.mel, self.frames, self.batch_size = tuple(path), mel, frames, batch_size
        self.cache, self.tags, self.per_band = cache, tags, per_band
        self.gain_db, self.validation, self.seed = gain_db, validation, seed
        self._device = torch.device("cpu")

    @cached_property
    def pieces(self) -> list[tuple[Piece, frozenset[str]]]:
        """All recordings of a clip's length or more, and their tags, in order."""
        if not self.path:
            raise InputError("path: name a folder of music")
        found = list[tuple[Piece, frozenset[str]]]()
        for folder in map(Path, self.path):
            cache = Path(self.cache) if self.cache else Path(self.path[0]) / ".oneleap"
            files = find_audio_files(folder)
            tags = tags_of(folder, files)
            found += zip(load(files, self.mel, cache), tags, strict=True)
        clip = f"a clip of frames {self.frames}, {self.frames / self.mel.frame_rate:.1f} s"
        short = [piece.path.name for piece, _ in found if piece.mel.shape[1] < self.frames]
        if len(found) - len(short) < 2:
            why = f" ({len(short)} shorter than {clip})" if short else ""
            raise InputError(
                f"{self.path[0]}: {len(found) - len(short)} recordings are too few, for one is "
                f"set aside{why}"
            )
        if short:
            few = ", ".join(short[:5]) + ", ..." * (len(short) > 5)
            warnings.warn(f"shorter than {clip}, left out: {few}", Notice, stacklevel=3)
        return [(piece, tags) for piece, tags in found if piece.mel.shape[1] >= self.frames]

    @cached_property
    def parts(self) -> tuple[list[int], list[int]]:
        """Places of the recordings to train on, and of those set aside."""
        aside = set(validation_split(len(self.pieces), self.validation, self.seed))
        return [i for i in range(len(self.pieces)) if i not in aside], sorted(aside)

    @cached_property
    def spec(self) -> Spec:
        """Contract, tags and statistics of the recordings to train on."""
        tags = self.tags
        if tags is None:
            tags = vocabulary((tags for _, tags in self.pieces), least=2)
        total, squares, n = np.zeros(self.mel.n_mels), np.zeros(self.mel.n_mels), 0
        for i in self.parts[0]:
            mel = self.pieces[i][0].mel.astype(np.float64)
            total, squares, n = (
                total + mel.sum(1),
                squares + np.square(mel).sum(1),
                n + mel.shape[1],
            )
        first, second = total / n, squares / n
        if not self.per_band:
            first, second = first.mean(keepdims=True), second.mean(keepdims=True)
        std = np.sqrt(np.maximum(second - first**2, 0)).clip(min=0.05)  # bands that never sound
        return Spec(
            self.mel,
            tuple(tags),
            self.frames,
            tuple(round(x, 4) for x in first.tolist()),
            tuple(round(x, 4) for x in std.tolist()),
        )

    @property
    def facts(self) -> list[tuple[Path, Facts]]:
        """Length, loudness and key of every recording."""
        return [(piece.path, piece.facts) for piece, _ in self.pieces]

    @cached_property
    def _vectors(self) -> Float[Tensor, "pieces k"]:
        """Tags of each recording, multi-hot."""
        known = self.spec.tags
        rows = [[float(tag in tags) for tag in known] for _, tags in self.pieces]
        return torch.tensor(rows).reshape(len(rows), len(known))

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Running total of places where a clip may begin, over the recordings to train on."""
        starts = [self.pieces[i][0].mel.shape[1] - self.frames + 1 for i in self.parts[0]]
        return np.cumsum(starts)

    def setup(self, stage: str) -> None:
        """Learn where the model will be."""
        if self.trainer is not None:
            self._device = self.trainer.strategy.root_device

    def clip(self, piece: int, first: int) -> Float[Tensor, "mels n"]:
        """One clip, at 32 bits."""
        mel = self.pieces[piece][0].mel[:, first : first + self.frames]
        return torch.from_numpy(mel.astype(np.float32))

    def batch(self, generator: torch.Generator) -> Batch:
        """Clips that begin anywhere, every place as likely as the others."""
        u = torch.rand(2, self.batch_size, generator=generator, dtype=torch.float64)
        at = (u[0] * self._ends[-1]).long().numpy()
        which = np.searchsorted(self._ends, at, side="right")
        before = np.concatenate([[0], self._ends])[which]
        places = [self.parts[0][i] for i in which]
        mel = torch.stack([self.clip(p, int(s)) for p, s in zip(places, at - before, strict=True)])
        low, high = self.gain_db
        if high > low or high != 0:
            gain = (low + (high - low) * u[1]).float().reshape(-1, 1, 1)
            mel = louder(mel, gain, self.mel)
        return Batch(mel.to(self._device), self._vectors[places].to(self._device))

    def train_dataloader(self) -> Endless[Batch]:
        """Endless batches, a function of the seed and the gradient step alone."""
        return Endless(self, lambda step, rank: self.batch(batch_generator(self.seed, step, rank)))

    def val_dataloader(self) -> Fixed[Batch]:
        """Clips of the recordings set aside, end to end, at most 8 of each."""
        rows = [
            (i, first)
            for i in self.parts[1]
            for first in range(0, self.pieces[i][0].mel.shape[1] - self.frames + 1, self.frames)[:8]
        ]
        n = self.batch_size
        return Fixed(
            [
                Batch(
                    torch.stack([self.clip(*row) for row in some]).to(self._device),
                    self._vectors[[i for i, _ in some]].to(self._device),
                )
                for some in (rows[k : k + n] for k in range(0, len(rows), n))
            ]
        )


def louder(
    mel: Float[Tensor, "b mels n"], gain_db: Float[Tensor, "b 1 1"], contract: Mel
) -> Float[Tensor, "b mels n"]:
    """Spectrograms of the same sounds with a gain; what falls below the floor stays there."""
    base = 10.0 if contract.log_base == "10" else float(np.e)
    shift = gain_db / 20 * float(np.log(10) / np.log(base)) / contract.std
    return (mel + shift).clamp(min=contract.silence)
