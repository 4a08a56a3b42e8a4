"""The data module of speech: recordings with transcripts, in batches of similar lengths."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import lightning as L
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.reading.arrays import read_array
from oneleap.core.training.loaders import Endless, FixedBatches, validation_split
from oneleap.domains.audio.data.buckets import LengthBuckets
from oneleap.domains.audio.data.pages import refers_to
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.pitch import PitchFormat, load_f0
from oneleap.domains.audio.wave import read_wave, trim_silence
from oneleap.domains.speech.data.alignment import Alignment, read_alignment
from oneleap.domains.speech.data.ljspeech import PAGE, TranscribedFile, read_ljspeech
from oneleap.domains.speech.spec import Spec, UtteranceBatch
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.lexicon import read_lexicon
from oneleap.domains.speech.text.symbols import Phonemizer, alphabet, default_phonemizer, token_ids


class Utterance(NamedTuple):
    """A recording and its text, ready for training.

    Attributes:
        tokens: Token ids of the text.
        features: Normalized features, see :class:`~oneleap.domains.speech.Spec`.
        speaker: Index of the speaker.
        source: File and transcript of the recording.
        durations: Number of frames of each token, or ``None`` if it is unknown.
    """

    tokens: list[int]
    features: Float[Tensor, "c n"]
    speaker: int
    source: TranscribedFile
    durations: list[int] | None = None


class SpeechData(L.LightningDataModule):
    """Recordings in the layout of LJSpeech, with one folder per speaker.

    Batches have recordings of similar lengths. Features are computed when they are first needed
    and kept in memory; an hour takes 75 MB with the default settings. With ``cache`` they are also
    written to files, which later runs read.

    A folder may also hold ``alignment.jsonl``, the phonemes of its recordings and their durations,
    see :func:`oneleap.domains.speech.data.alignment.read_alignment`. Otherwise texts are converted
    to phonemes, and the model aligns them with the sound itself. Pitch comes from ``f0/NAME.npy``
    if that file exists, see :func:`oneleap.domains.audio.pitch.load_f0`.

    Args:
        path: Folders of recordings, one per speaker. The name of a folder names its speaker.
        mel: Format of the spectrograms. Recordings are resampled to its rate.
        language: Language, such as ``en-us``; any that espeak-ng knows.
        lexicon: File of pronunciations.
        ipa: Whether transcripts are phonetic.
        phonemizer: What converts transcripts to phonemes: ``english`` or ``espeak``; ``null``, as
            the configurations that ship have it, takes ``english`` for English. Runs made before
            there was a choice do not name it, so ``espeak`` is the default here.
        trim_db: Level of silence in dB below the loudest part. Silence is cut at both ends; with
            ``None`` it is kept.
        longest_s: Greatest length in seconds; longer recordings are left out.
        pitch: Format of pitch and voicing, for a model that generates them; by default none.
        lowest_hz: Lowest pitch to look for, in Hz.
        highest_hz: Highest pitch to look for, in Hz.
        repeat: How often the recordings of each folder occur in an epoch; by default once.
        batch_size: Number of recordings per batch.
        cache: Folder for computed features.
        validation: Share of each folder that is held out for validation, at least one recording.
        seed: Seed of the order and of the choice of held-out recordings.

    Raises:
        InputError: If an argument is out of range.
    """

    def __init__(
        self,
        path: tuple[str, ...],
        *,
        mel: Mel = Mel(),  # noqa: B008  (frozen)
        language: str = "en-us",
        lexicon: str | None = None,
        ipa: bool = False,
        phonemizer: Phonemizer | None = "espeak",
        trim_db: float | None = 45.0,
        longest_s: float = 15.0,
        pitch: PitchFormat | None = None,
        lowest_hz: float = 60.0,
        highest_hz: float = 500.0,
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
            raise InputError(f"validation: must be between 0 and 1, not {validation}")
        if repeat is not None and (len(repeat) != len(path) or min(repeat) < 1):
            raise InputError(f"repeat: needs a positive number for each of {len(path)} folders")
        self.path, self.mel, self.language = tuple(path), mel, language
        self.lexicon, self.ipa, self.trim_db = lexicon, ipa, trim_db
        self.phonemizer = phonemizer
        self.longest_s, self.repeat, self.batch_size = longest_s, repeat, batch_size
        self.cache, self.validation, self.seed = cache, validation, seed
        self.pitch, self.lowest_hz, self.highest_hz = pitch, lowest_hz, highest_hz

    @property
    def spec(self) -> Spec:
        """Format of the features, alphabet and speakers; no recording is read."""
        names = [Path(folder).resolve().name for folder in self.path]
        if len(set(names)) < len(names):
            raise InputError(f"path: two folders give their speakers the same name: {names}")
        converter = self.phonemizer or default_phonemizer(self.language)
        symbols = alphabet(converter)
        return Spec(self.mel, symbols, tuple(names), self.language, converter, self.pitch)

    @cached_property
    @refers_to(PAGE)
    def utterances(self) -> tuple[list[Utterance], list[Utterance]]:
        """Utterances for training, repeated as asked, and held-out utterances.

        Raises:
            InputError: If none is left for one of the two.
        """
        symbols = self.spec.symbols
        front_end = FrontEnd(self.language, symbols, {}, self.ipa, self.spec.phonemizer)
        if self.lexicon:
            words = read_lexicon(self.lexicon, front_end.from_ipa)
            front_end = replace(front_end, lexicon=words)
        train, held_out = list[Utterance](), list[Utterance]()
        for speaker, folder in enumerate(self.path):
            sources, aligned = read_ljspeech(folder), read_alignment(Path(folder))
            validation = set(validation_split(len(sources), self.validation, self.seed))
            for i, source in enumerate(sources):
                alignment = aligned.get(source.path.stem)
                utterance = self._utterance(source, speaker, front_end, alignment)
                if utterance is None:
                    continue
                if i in validation:
                    held_out.append(utterance)
                else:
                    times = 1 if self.repeat is None else self.repeat[speaker]
                    train.extend([utterance] * times)
        if not train or not held_out:
            raise InputError(
                f"{self.path[0]}: no recording of at most longest_s {self.longest_s:g} s is left "
                f"for {'validation' if train else 'training'}"
            )
        return train, held_out

    def _utterance(
        self,
        source: TranscribedFile,
        speaker: int,
        front_end: FrontEnd,
        alignment: Alignment | None,
    ) -> Utterance | None:
        """Compute features, or return ``None`` for a recording of a wrong length.

        It may be longer than ``longest_s``, or have fewer frames than its text has tokens.
        """
        if alignment is None:
            ipa = " ".join(front_end.phonetic_sentences(source.text, source.where))
            tokens = token_ids(ipa, front_end.alphabet)
        else:
            tokens = self._aligned_tokens(alignment)
        features = self._features(source.path)
        frames = features.shape[1]
        if frames > self.longest_s * self.mel.frame_rate or frames < len(tokens):
            return None
        durations = None if alignment is None else alignment.frames(frames, self.mel.frame_rate)
        return Utterance(tokens, features, speaker, source, durations)

    def _aligned_tokens(self, alignment: Alignment) -> list[int]:
        index = {symbol: i for i, symbol in enumerate(self.spec.symbols)}
        unknown = sorted(set(alignment.phonemes) - index.keys())
        if unknown:
            raise InputError(
                f"{alignment.where}: '{unknown[0]}' is no symbol of the alphabet: set "
                "data.phonemizer to the one of these phonemes"
            )
        return [index[symbol] for symbol in alignment.phonemes]

    def _features(self, path: Path) -> Float[Tensor, "c n"]:
        """Read features from the cache, or compute them and write them to the cache."""
        if self.cache is None:
            return self._compute(path)
        key = [asdict(self.mel), self.trim_db, str(path.resolve())]
        if self.pitch is not None:
            key += [asdict(self.pitch), self.lowest_hz, self.highest_hz]
        about = json.dumps(key)
        stamp = f"{about}{path.stat().st_mtime_ns}".encode()
        file = Path(self.cache) / f"{hashlib.sha256(stamp).hexdigest()[:24]}.npy"
        if file.is_file():
            return self._cached(file)
        features = self._compute(path)
        with atomic_write(file) as temporary:
            np.save(temporary, features.numpy(), allow_pickle=False)
        return features

    def _cached(self, file: Path) -> Float[Tensor, "c n"]:
        """Read features from the cache.

        Raises:
            InputError: If the file is damaged.
        """
        found = read_array(file)
        if found.ndim != 2 or found.dtype.kind != "f" or not np.isfinite(found).all():
            raise InputError(f"{file}: is damaged: delete the folder of the cache")
        return torch.from_numpy(found)

    def _compute(self, path: Path) -> Float[Tensor, "c n"]:
        wave = read_wave(path, self.mel.sample_rate)
        if self.trim_db is not None:
            wave = trim_silence(wave, self.trim_db)
        mel = log_mel(torch.from_numpy(wave.samples).unsqueeze(0), self.mel)[0]
        if self.pitch is None:
            return mel
        f0 = load_f0(path, wave, self.mel, None, self.lowest_hz, self.highest_hz)
        return torch.cat([mel, self.pitch.encode(f0[: mel.shape[1]])])

    def train_dataloader(self) -> Endless[UtteranceBatch]:
        """Return endless batches. A batch is a function of the seed and the gradient step."""
        train = self.utterances[0]
        choose = LengthBuckets([u.features.shape[1] for u in train], self.batch_size, self.seed)
        return Endless(
            self,
            lambda step, rank: collate([train[i] for i in choose(step, rank)], self.spec),
            rows=choose,
        )

    def val_dataloader(self) -> FixedBatches[UtteranceBatch]:
        """Return the held-out utterances in batches of similar lengths."""
        held_out = sorted(self.utterances[1], key=lambda utterance: utterance.features.shape[1])
        n = self.batch_size
        return FixedBatches(
            [collate(held_out[i : i + n], self.spec) for i in range(0, len(held_out), n)]
        )


def collate(utterances: Sequence[Utterance], spec: Spec) -> UtteranceBatch:
    """Pad utterances to a batch. Frames are padded with silence, tokens with 0.

    The batch has durations if every utterance has them.
    """
    frames = torch.tensor([utterance.features.shape[1] for utterance in utterances])
    features = torch.zeros(len(utterances), spec.channels, int(frames.max()))
    features[:, : spec.mel.n_mels] = spec.mel.silence
    for row, utterance in zip(features, utterances, strict=True):
        row[:, : utterance.features.shape[1]] = utterance.features
    rows = [torch.tensor(utterance.tokens) for utterance in utterances]
    known = [torch.tensor(u.durations) for u in utterances if u.durations is not None]
    pad = torch.nn.utils.rnn.pad_sequence
    return UtteranceBatch(
        tokens=pad(rows, batch_first=True),
        lengths=torch.tensor([len(utterance.tokens) for utterance in utterances]),
        features=features,
        frames=frames,
        speaker=torch.tensor([utterance.speaker for utterance in utterances]),
        durations=pad(known, batch_first=True) if len(known) == len(utterances) else None,
    )
