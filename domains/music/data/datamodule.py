"""The data module of music: random crops of spectrograms from folders of recordings, with tags."""

import math
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
from oneleap.core.training.loaders import Endless, FixedBatches, validation_split
from oneleap.core.training.seed import batch_generator
from oneleap.domains.audio.data.pages import refers_to
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.wave import find_audio_files
from oneleap.domains.music.data.cache import CachedRecording, RecordingInfo, load_recordings
from oneleap.domains.music.data.tags import read_tags, tag_vocabulary
from oneleap.domains.music.spec import MUSIC_MEL, MusicBatch, Spec

PAGE = "docs/howto/data-music.md"
"""Page that says what a folder must hold."""


class MusicData(L.LightningDataModule):
    """Recordings of music, cropped at random.

    Each recording is decoded once. Its spectrogram is kept in a file that later runs map into
    memory; an hour of music takes about 10 MB for every ten bands. Which recordings are used for
    validation depends on their number and on the seed. The tags of a recording come from
    ``metadata.csv`` in its folder (columns ``file`` and ``tags``), or else from the name of the
    subfolder that holds it.

    Args:
        path: Folders of sound files, at any depth. Other sample rates are resampled.
        mel: Format of the spectrograms.
        frames: Number of frames of a clip.
        batch_size: Clips per batch.
        cache: Folder of the cached spectrograms; by default ``.oneleap`` in the first folder.
        tags: Tags that a model is conditioned on. The default is every tag that at least two
            recordings have and at least one lacks.
        per_band: Whether each band is normalized by its own statistics. If not, all bands share
            one mean and one deviation.
        gain_db: Range of the random gain that is applied to a clip, in dB.
        validation: Fraction of the recordings that is used for validation, at least one.
        seed: Seed of the crops and of the validation split.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        *,
        mel: Mel = MUSIC_MEL,
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
            raise InputError(
                f"batch_size and frames must be positive, not {batch_size} and {frames}"
            )
        if not 0 < validation < 1:
            raise InputError(f"validation: expected a fraction between 0 and 1, not {validation}")
        if not -math.inf < gain_db[0] <= gain_db[1] < math.inf:
            raise InputError(
                f"gain_db: expected two finite numbers, the lower first, not {gain_db}"
            )
        self.path, self.mel, self.frames, self.batch_size = tuple(path), mel, frames, batch_size
        self.cache, self.tags, self.per_band = cache, tags, per_band
        self.gain_db, self.validation, self.seed = gain_db, validation, seed
        self._device = torch.device("cpu")

    @cached_property
    @refers_to(PAGE)
    def recordings(self) -> list[tuple[CachedRecording, frozenset[str]]]:
        """All recordings that are at least as long as a clip, with their tags, in order."""
        if not self.path:
            raise InputError("path: name a folder of music")
        found = list[tuple[CachedRecording, frozenset[str]]]()
        folders = [Path(folder).expanduser() for folder in self.path]
        for folder in folders:
            cache = Path(self.cache).expanduser() if self.cache else folders[0] / ".oneleap"
            files = find_audio_files(folder)
            tags = read_tags(folder, files)
            found += zip(load_recordings(files, self.mel, cache), tags, strict=True)
        clip = f"a clip of {self.frames} frames ({self.frames / self.mel.frame_rate:.1f} s)"
        long = [entry for entry in found if entry[0].mel.shape[1] >= self.frames]
        short = [entry[0].path.name for entry in found if entry[0].mel.shape[1] < self.frames]
        if len(long) < 2:
            why = f" ({len(short)} more are shorter than {clip})" if short else ""
            raise InputError(
                f"{self.path[0]}: at least two recordings are needed, one of them for validation; "
                f"found {len(long)}{why}"
            )
        if short:
            names = ", ".join(short[:5]) + ", ..." * (len(short) > 5)
            warnings.warn(f"left out as shorter than {clip}: {names}", Notice, stacklevel=3)
        return long

    @cached_property
    def split(self) -> tuple[list[int], list[int]]:
        """Indices of the recordings for training, and of those for validation."""
        validation = set(validation_split(len(self.recordings), self.validation, self.seed))
        training = [i for i in range(len(self.recordings)) if i not in validation]
        return training, sorted(validation)

    @cached_property
    def spec(self) -> Spec:
        """Format, tags and statistics of the training recordings."""
        tags = self.tags
        if tags is None:
            tags = tag_vocabulary((tags for _, tags in self.recordings), least=2)
        total, squares, n = np.zeros(self.mel.n_mels), np.zeros(self.mel.n_mels), 0
        for i in self.split[0]:
            mel = self.recordings[i][0].mel.astype(np.float64)
            total, squares, n = (
                total + mel.sum(1),
                squares + np.square(mel).sum(1),
                n + mel.shape[1],
            )
        first, second = total / n, squares / n
        if not self.per_band:
            first, second = first.mean(keepdims=True), second.mean(keepdims=True)
        # The lower limit is for bands that are always silent.
        std = np.sqrt(np.maximum(second - first**2, 0)).clip(min=0.05)
        return Spec(
            self.mel,
            tuple(tags),
            self.frames,
            tuple(round(x, 4) for x in first.tolist()),
            tuple(round(x, 4) for x in std.tolist()),
        )

    @property
    def info(self) -> list[tuple[Path, RecordingInfo]]:
        """Duration, loudness and key of every recording."""
        return [(recording.path, recording.info) for recording, _ in self.recordings]

    @cached_property
    def _tag_vectors(self) -> Float[Tensor, "recordings k"]:
        """Tags of each recording, multi-hot."""
        known = self.spec.tags
        rows = [[float(tag in tags) for tag in known] for _, tags in self.recordings]
        return torch.tensor(rows).reshape(len(rows), len(known))

    @cached_property
    def _cumulative_starts(self) -> NDArray[np.int64]:
        """Running total of the positions where a clip may start, over the training recordings."""
        starts = [self.recordings[i][0].mel.shape[1] - self.frames + 1 for i in self.split[0]]
        return np.cumsum(starts)

    def setup(self, stage: str) -> None:
        """Take the device of the trainer, so that batches are put there."""
        if self.trainer is not None:
            self._device = self.trainer.strategy.root_device

    def clip(self, recording: int, first: int) -> Float[Tensor, "mels n"]:
        """Return the clip of a recording that starts at frame ``first``, as float32."""
        mel = self.recordings[recording][0].mel[:, first : first + self.frames]
        return torch.from_numpy(mel.astype(np.float32))

    def batch(self, generator: torch.Generator) -> MusicBatch:
        """Draw a batch of clips; every possible start is equally likely."""
        u = torch.rand(2, self.batch_size, generator=generator, dtype=torch.float64)
        at = (u[0] * self._cumulative_starts[-1]).long().numpy()
        which = np.searchsorted(self._cumulative_starts, at, side="right")
        before = np.concatenate([[0], self._cumulative_starts])[which]
        index = [self.split[0][i] for i in which]
        mel = torch.stack([self.clip(i, int(s)) for i, s in zip(index, at - before, strict=True)])
        low, high = self.gain_db
        if high > low or high != 0:
            gain = (low + (high - low) * u[1]).float().reshape(-1, 1, 1)
            mel = apply_gain(mel, gain, self.mel)
        return MusicBatch(mel.to(self._device), self._tag_vectors[index].to(self._device))

    def train_dataloader(self) -> Endless[MusicBatch]:
        """Return endless batches that are a function of the seed and the gradient step only."""
        return Endless(self, lambda step, rank: self.batch(batch_generator(self.seed, step, rank)))

    def val_dataloader(self) -> FixedBatches[MusicBatch]:
        """Return consecutive clips of the validation recordings, at most 8 of each."""
        clips = [
            (i, first)
            for i in self.split[1]
            for first in range(
                0, self.recordings[i][0].mel.shape[1] - self.frames + 1, self.frames
            )[:8]
        ]
        n = self.batch_size
        return FixedBatches(
            [
                MusicBatch(
                    torch.stack([self.clip(*clip) for clip in some]).to(self._device),
                    self._tag_vectors[[i for i, _ in some]].to(self._device),
                )
                for some in (clips[k : k + n] for k in range(0, len(clips), n))
            ]
        )


def apply_gain(
    mel: Float[Tensor, "b mels n"], gain_db: Float[Tensor, "b 1 1"], spec: Mel
) -> Float[Tensor, "b mels n"]:
    """Change the level of spectrograms.

    Args:
        mel: Spectrograms in the mel format.
        gain_db: Gain of each clip, dB.
        spec: Mel format.

    Returns:
        Spectrograms of the same sounds at another level. Values below the format's floor are
        raised to it.
    """
    base = 10.0 if spec.log_base == "10" else float(np.e)
    shift = gain_db / 20 * float(np.log(10) / np.log(base)) / spec.std
    return (mel + shift).clamp(min=spec.silence)
