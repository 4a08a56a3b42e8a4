"""Sung phrases with their scores: ``wavs/`` and ``transcriptions.csv``, openvpi's layout."""

from functools import cached_property
from pathlib import Path

import lightning as L

from oneleap.core.errors import InputError
from oneleap.core.training.loaders import Endless, Fixed
from oneleap.domains.audio.data.buckets import LengthBuckets
from oneleap.domains.audio.data.datamodule import validation_split
from oneleap.domains.audio.mel import Mel
from oneleap.domains.singing.data.batches import Row, Take, collate, row
from oneleap.domains.singing.data.features import take
from oneleap.domains.singing.data.recordings import Recording, recordings
from oneleap.domains.singing.segments.segment import PAUSES, Segment
from oneleap.domains.singing.spec import SINGING, Songs, Spec

Clip = tuple[Row, Take]


def song_of(name: str) -> str:
    """The song that a phrase is of: its name without the number after the last underscore."""
    return name.rpartition("_")[0] or name


class Singing(L.LightningDataModule):
    """Recordings with phonemes, their durations and notes, in batches of like lengths.

    Whole songs are set aside, never single phrases of a song that is trained on, unless there is
    only one: a phrase's song is its name up to the last underscore. Features are computed when
    first asked for and kept in memory. Pitch is read from ``f0/`` where that is there; to find it
    takes a quarter of real time, and it is kept in a ``cache`` if one is named.

    Args:
        path: Folders with ``wavs``, ``transcriptions.csv`` and perhaps ``f0``.
        mel: Contract of the spectrograms; recordings are resampled to its rate.
        curves: Measure energy and breathiness too.
        longest_s: Longer phrases are left out.
        batch_size: Phrases per batch.
        cache: Folder in which pitch is kept.
        validation: Share of the songs that is set aside, at least one.
        seed: Of the order, and of what is set aside.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        *,
        mel: Mel = SINGING,
        curves: bool = False,
        longest_s: float = 20.0,
        batch_size: int = 16,
        cache: str | None = None,
        validation: float = 0.05,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size: {batch_size} is not positive")
        if not 0 < validation < 1:
            raise InputError(f"validation: a share between 0 and 1, not {validation}")
        self.path, self.mel, self.curves = tuple(path), mel, curves
        self.longest_s, self.batch_size, self.cache = longest_s, batch_size, cache
        self.validation, self.seed = validation, seed

    @cached_property
    def phrases(self) -> list[Recording]:
        """All phrases that are not too long."""
        found = [
            recording
            for folder in self.path
            for recording in recordings(folder)
            if recording.segment.seconds <= self.longest_s
        ]
        if not found:
            raise InputError(f"{self.path[0]}: no phrase of at most longest_s {self.longest_s:g} s")
        return found

    @cached_property
    def spec(self) -> Spec:
        """Contract, alphabet and range; reads no sound."""
        phonemes = {phoneme for _, s in self.phrases for phoneme in s.ph_seq} | PAUSES
        notes = [midi for _, s in self.phrases for midi in s.note_midi if midi is not None]
        if not notes:
            raise InputError(f"{self.path[0]}: note_seq is missing, or all of it is rest")
        return Spec(self.mel, tuple(sorted(phonemes)), min(notes), max(notes))

    @cached_property
    def held(self) -> frozenset[str]:
        """Names of the phrases that are set aside.

        Raises:
            InputError: If there is only one phrase.
        """
        names = [s.name for _, s in self.phrases]
        songs = sorted({song_of(name) for name in names})
        if len(songs) > 1:
            chosen = {songs[i] for i in validation_split(len(songs), self.validation, self.seed)}
            return frozenset(name for name in names if song_of(name) in chosen)
        if len(names) < 2:
            raise InputError(f"{self.path[0]}: one phrase is too few, for one is set aside")
        return frozenset(names[i] for i in validation_split(len(names), self.validation, self.seed))

    @cached_property
    def clips(self) -> tuple[list[Clip], list[Clip]]:
        """Phrases to train on, and those set aside."""
        both: tuple[list[Clip], list[Clip]] = ([], [])
        for path, segment in self.phrases:
            both[segment.name in self.held].append(self.clip(path, segment))
        return both

    def clip(self, path: Path, segment: Segment) -> Clip:
        """Score and features of one phrase.

        Raises:
            InputError: If the recording is not as long as its phonemes.
        """
        taken = take(path, self.mel, curves=self.curves, cache=self.cache)
        frames = taken.mel.shape[1]
        if abs(frames / self.mel.frame_rate - segment.seconds) > 0.25:
            raise InputError(
                f"{path}: lasts {frames / self.mel.frame_rate:.2f} s, its ph_dur "
                f"{segment.seconds:.2f} s: cut one of them"
            )
        try:
            return row(segment, self.spec, frames), taken
        except InputError as error:
            raise InputError(f"{path.name}: {error}") from None

    def train_dataloader(self) -> Endless[Songs]:
        """Endless batches, a function of the seed and the gradient step alone."""
        clips = self.clips[0]
        chosen = LengthBuckets([clip[1].mel.shape[1] for clip in clips], self.batch_size, self.seed)
        return Endless(
            self, lambda step, rank: batched([clips[i] for i in chosen(step, rank)], self.mel)
        )

    def val_dataloader(self) -> Fixed[Songs]:
        """Phrases of the songs set aside, in full batches of like lengths.

        The last is filled by the first: an objective may have shares of a batch.
        """
        aside = sorted(self.clips[1], key=lambda clip: clip[1].mel.shape[1])
        n = self.batch_size
        filled = [aside[i % len(aside)] for i in range(-(-len(aside) // n) * n)]
        return Fixed([batched(filled[i : i + n], self.mel) for i in range(0, len(filled), n)])


def batched(clips: list[Clip], mel: Mel) -> Songs:
    """A padded batch."""
    return collate([c[0] for c in clips], [c[1] for c in clips], mel)
