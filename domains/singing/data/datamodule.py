"""Data module of sung phrases with their scores, in openvpi's folder layout."""

from functools import cached_property
from pathlib import Path

import lightning as L
import torch

from oneleap.core.errors import InputError
from oneleap.core.training.loaders import Endless, FixedBatches, validation_split
from oneleap.domains.audio.data.buckets import LengthBuckets
from oneleap.domains.audio.data.pages import refers_to
from oneleap.domains.audio.mel import Mel
from oneleap.domains.singing.data.batches import (
    AudioFeatures,
    ScoreFeatures,
    collate,
    score_features,
)
from oneleap.domains.singing.data.features import audio_features
from oneleap.domains.singing.data.recordings import PAGE, SungRecording, read_recordings
from oneleap.domains.singing.segments.pitch import midi_to_hz
from oneleap.domains.singing.segments.segment import BREATH, PAUSES, ScoreSegment
from oneleap.domains.singing.spec import SINGING, SingingBatch, Spec

MAX_LENGTH_ERROR_S = 0.25
"""Largest difference between a recording and its phonemes in seconds."""

PhraseFeatures = tuple[ScoreFeatures, AudioFeatures]


def song_name(name: str) -> str:
    """Name of the song of a phrase: the phrase's name up to the last underscore."""
    return name.rpartition("_")[0] or name


class SingingData(L.LightningDataModule):
    """Recorded phrases with phonemes, durations and notes, in batches of similar lengths.

    Validation takes whole songs, so no song is in both splits. If there is only one song, it takes
    phrases. The song of a phrase is the phrase's name up to the last underscore. Features are
    computed at first use and kept in memory. Pitch is read from ``f0/`` if that folder exists.
    Otherwise it is estimated, which takes a quarter of the duration of the recordings.

    Args:
        path: Folders with ``wavs``, ``transcriptions.csv`` and optionally ``f0``.
        mel: Spectrogram format; recordings are resampled to its rate.
        curves: Whether to compute energy and breathiness.
        voicing: Whether models generate voicing too, as a source-filter vocoder needs it.
        language: Language of the lyrics, ``ja`` or ``en``; empty if it is another.
        longest_s: Longest phrase in seconds; longer ones are skipped.
        batch_size: Phrases per batch.
        cache: Folder that keeps estimated pitch, or ``None``.
        validation: Fraction of the songs for validation; at least one song.
        seed: Seed of the order and of the validation split.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        *,
        mel: Mel = SINGING,
        curves: bool = False,
        voicing: bool = False,
        language: str = "ja",
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
            raise InputError(f"validation: must be between 0 and 1, not {validation}")
        self.path, self.mel, self.curves = tuple(path), mel, curves
        self.voicing, self.language = voicing, language
        self.longest_s, self.batch_size, self.cache = longest_s, batch_size, cache
        self.validation, self.seed = validation, seed

    @cached_property
    @refers_to(PAGE)
    def phrases(self) -> list[SungRecording]:
        """All phrases that are not too long."""
        found = [
            recording
            for folder in self.path
            for recording in read_recordings(folder)
            if recording.segment.seconds <= self.longest_s
        ]
        if not found:
            raise InputError(f"{self.path[0]}: no phrase of at most longest_s {self.longest_s:g} s")
        return found

    @cached_property
    @refers_to(PAGE)
    def spec(self) -> Spec:
        """Spectrogram format, phonemes and range, read from the tables alone."""
        heard = {phoneme for _, s in self.phrases for phoneme in s.ph_seq}
        notes = [midi for _, s in self.phrases for midi in s.note_midi if midi is not None]
        if not notes:
            raise InputError(f"{self.path[0]}: note_seq is missing or holds only rests")
        return Spec(
            self.mel,
            tuple(sorted(heard | PAUSES)),
            min(notes),
            max(notes),
            language=self.language,
            breath=BREATH in heard,
            voicing=self.voicing,
        )

    @cached_property
    @refers_to(PAGE)
    def validation_names(self) -> frozenset[str]:
        """Names of the phrases for validation.

        Raises:
            InputError: There is only one phrase.
        """
        names = [s.name for _, s in self.phrases]
        songs = sorted({song_name(name) for name in names})
        if len(songs) > 1:
            chosen = {songs[i] for i in validation_split(len(songs), self.validation, self.seed)}
            return frozenset(name for name in names if song_name(name) in chosen)
        if len(names) < 2:
            raise InputError(f"{self.path[0]}: one phrase is too few, validation needs another")
        return frozenset(names[i] for i in validation_split(len(names), self.validation, self.seed))

    @cached_property
    @refers_to(PAGE)
    def features(self) -> tuple[list[PhraseFeatures], list[PhraseFeatures]]:
        """Features of the phrases for training and for validation."""
        both: tuple[list[PhraseFeatures], list[PhraseFeatures]] = ([], [])
        for path, segment in self.phrases:
            both[segment.name in self.validation_names].append(self.phrase_features(path, segment))
        return both

    @refers_to(PAGE)
    def phrase_features(
        self, path: Path, segment: ScoreSegment, spec: Spec | None = None
    ) -> PhraseFeatures:
        """Features of the score and of the recording of one phrase.

        Args:
            path: Path of the sound file.
            segment: The phrase.
            spec: Spec whose phonemes give the tokens; by default that of the data.

        Returns:
            The features.

        Raises:
            InputError: Recording and phonemes have different lengths, or a phoneme is unknown.
        """
        recording = audio_features(
            path, self.mel, curves=self.curves, voicing=self.voicing, cache=self.cache
        )
        frames = recording.mel.shape[1]
        if abs(frames / self.mel.frame_rate - segment.seconds) > MAX_LENGTH_ERROR_S:
            raise InputError(
                f"{path}: lasts {frames / self.mel.frame_rate:.2f} s, but its ph_dur lasts "
                f"{segment.seconds:.2f} s: shorten one of them"
            )
        try:
            score = score_features(segment, spec or self.spec, frames)
        except InputError as error:
            raise InputError(f"{path.name}: {error}") from None
        if not recording.f0.any():  # whispered: nothing says that it is off the notes
            written = midi_to_hz(score.base_pitch.double().numpy())
            recording = recording._replace(f0=torch.from_numpy(written).float())
        return score, recording

    def train_dataloader(self) -> Endless[SingingBatch]:
        """Endless batches, a function of seed and gradient step."""
        train = self.features[0]
        lengths = [recording.mel.shape[1] for _, recording in train]
        buckets = LengthBuckets(lengths, self.batch_size, self.seed)
        return Endless(
            self,
            lambda step, rank: self._collate([train[i] for i in buckets(step, rank)]),
            rows=buckets,
        )

    def val_dataloader(self) -> FixedBatches[SingingBatch]:
        """Phrases for validation, in full batches of similar lengths.

        The last batch is filled with the first phrases, because an objective may treat fixed
        fractions of a batch differently.
        """
        phrases = sorted(self.features[1], key=lambda phrase: phrase[1].mel.shape[1])
        n = self.batch_size
        filled = [phrases[i % len(phrases)] for i in range(-(-len(phrases) // n) * n)]
        return FixedBatches([self._collate(filled[i : i + n]) for i in range(0, len(filled), n)])

    def _collate(self, phrases: list[PhraseFeatures]) -> SingingBatch:
        return collate([p[0] for p in phrases], [p[1] for p in phrases], self.mel)
