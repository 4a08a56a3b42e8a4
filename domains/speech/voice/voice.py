"""A voice: front end, acoustic model and vocoder, as one object that speaks."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError, suggest
from oneleap.core.training.release import save_release
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.mel import check_compatible
from oneleap.domains.audio.sequence import sequence_mask
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.lexicon import read_lexicon
from oneleap.domains.speech.text.symbols import token_ids
from oneleap.domains.speech.voice.loading import (
    ACOUSTIC,
    DEFAULT_VOICE,
    VOCODER,
    find_voice,
    load_acoustic,
    load_vocoder,
    write_card,
)
from oneleap.domains.speech.voice.script import PAUSE_S as PAUSE_S
from oneleap.domains.speech.voice.script import join_lines, script_lines

BATCH_FRAMES = 4000
"""Largest number of frames of a batch, with padding: about 20 MB per layer."""

FRAMES_PER_TOKEN = 6
"""Assumed number of frames of a token, for the size of batches."""


@runtime_checkable
class Vocoder(Protocol):
    """Converts normalized mel spectrograms to samples."""

    def __call__(
        self, mel: Float[Tensor, "b mels n"], mask: Tensor | None = None
    ) -> Float[Tensor, "b samples"]:
        """Return a hop of samples per frame. The mask, (b, 1, n), is true at real frames."""


@dataclass(frozen=True, eq=False)
class Voice:
    """A voice that speaks texts.

    >>> voice = Voice.load("allison")  # doctest: +SKIP
    >>> voice.speak("Hello.").save("hello.wav")  # doctest: +SKIP

    Attributes:
        acoustic: The acoustic model.
        vocoder: The vocoder, with the same spectrogram format.
        lexicon: The user's own pronunciations: IPA by word in lower case.
    """

    acoustic: AcousticModel
    vocoder: Vocoder | SourceFilterVocoder
    lexicon: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str] = DEFAULT_VOICE,
        *,
        vocoder: str | os.PathLike[str] | None = None,
        lexicon: str | os.PathLike[str] | None = None,
        device: str | torch.device = "cpu",
    ) -> "Voice":
        """Load a voice.

        Args:
            name: Name of a shipped voice, or a folder: of a voice, of a run or of an acoustic
                model. A run and an acoustic model speak by Griffin-Lim unless a vocoder is given.
            vocoder: Folder of another vocoder or of its run, or ``griffin-lim``, which needs no
                training.
            lexicon: File of pronunciations; each line has a word, a tab and IPA.
            device: Device of the models.

        Returns:
            The voice.

        Raises:
            InputError: If there is no such voice, or its parts do not fit.
        """
        folder = find_voice(name)
        acoustic = load_acoustic(folder)
        if vocoder is None and (folder / VOCODER).is_dir():
            vocoder = folder
        chosen: nn.Module
        if vocoder is None or str(vocoder) == "griffin-lim":
            chosen = GriffinLim(acoustic.spec.mel)
        else:
            chosen = trained = load_vocoder(Path(vocoder))
            check_compatible(acoustic.spec.mel, trained.spec, f"voice {name}", f"vocoder {vocoder}")
            if isinstance(trained, SourceFilterVocoder) and acoustic.spec.pitch is None:
                raise InputError(
                    f"vocoder: {vocoder} needs pitch, which voice {name} does not generate: train "
                    "one with data.pitch, or name another vocoder"
                )
        words = read_lexicon(lexicon, acoustic.spec.symbols) if lexicon else {}
        return cls(acoustic.to(device), chosen.to(device).eval(), words)

    @property
    def sample_rate(self) -> int:
        """Sample rate of the sound, in Hz."""
        return self.acoustic.spec.mel.sample_rate

    def speak(
        self,
        text: str,
        *,
        steps: int | None = None,
        speed: float = 1.0,
        seed: int = 0,
        speaker: str | None = None,
        ipa: bool = False,
        temperature: float | None = None,
    ) -> Wave:
        """Speak a text of any length.

        Args:
            text: The text, or SSML if it begins with ``<speak``. ``[[...]]`` in plain text is
                phonetic (IPA).
            steps: Number of steps of the sampler; by default the model's own.
            speed: Factor of the tempo; 2 speaks twice as fast.
            seed: Seed of the noise. The same seed gives the same sound.
            speaker: Name of the speaker; by default the first one.
            ipa: Whether the whole text is phonetic.
            temperature: Standard deviation of the noise; by default the model's own.

        Returns:
            The sound.

        Raises:
            InputError: If the text has no word, or an argument is out of range.
        """
        return self.speak_all(
            [text],
            steps=steps,
            speed=speed,
            seed=seed,
            speaker=speaker,
            ipa=ipa,
            temperature=temperature,
        )[0]

    def speak_all(
        self,
        texts: Sequence[str],
        *,
        steps: int | None = None,
        speed: float = 1.0,
        seed: int = 0,
        speaker: str | None = None,
        ipa: bool = False,
        temperature: float | None = None,
    ) -> list[Wave]:
        """Speak several texts, with sentences of similar lengths in one batch.

        Args:
            texts: The texts.
            steps: See :meth:`speak`.
            speed: See :meth:`speak`.
            seed: See :meth:`speak`. Every text starts with this seed.
            speaker: See :meth:`speak`.
            ipa: See :meth:`speak`.
            temperature: See :meth:`speak`.

        Returns:
            The sound of each text.

        Raises:
            InputError: See :meth:`speak`.
        """
        front_end = self.front_end(ipa)
        several = len(texts) > 1
        scripts = [
            script_lines(front_end, text, f"text {i + 1}" if several else "text")
            for i, text in enumerate(texts)
        ]
        seeds = [seed + i for lines in scripts for i in range(len(lines))]
        symbols = self.acoustic.spec.symbols
        tokens = [token_ids(line.ipa, symbols) for lines in scripts for line in lines]
        index, speed = self.speaker_index(speaker), _in_range("speed", speed)
        speeds = [speed * line.prosody.rate for lines in scripts for line in lines]
        spoken: dict[int, Wave] = {}
        for batch in _batches([len(t) for t in tokens], speeds):
            mels = self.acoustic.synthesize(
                [tokens[i] for i in batch],
                speaker=index,
                steps=steps,
                speed=speeds[batch[0]],
                seeds=[seeds[i] for i in batch],
                temperature=_temperature(temperature),
            )
            spoken |= dict(zip(batch, self.vocode(mels, [seeds[i] for i in batch]), strict=True))
        waves, start = [], 0
        for lines in scripts:
            waves.append(join_lines(lines, [spoken[start + i] for i in range(len(lines))]))
            start += len(lines)
        return waves

    def stream(
        self,
        text: str,
        *,
        steps: int | None = None,
        speed: float = 1.0,
        seed: int = 0,
        speaker: str | None = None,
        ipa: bool = False,
        temperature: float | None = None,
        frames: int = 128,
    ) -> Iterator[Wave]:
        """Speak a text piece by piece. Each piece is returned as soon as it is ready.

        Together, the pieces are the sound of :meth:`speak`.

        Args:
            text: See :meth:`speak`.
            steps: See :meth:`speak`.
            speed: See :meth:`speak`.
            seed: See :meth:`speak`.
            speaker: See :meth:`speak`.
            ipa: See :meth:`speak`.
            temperature: See :meth:`speak`.
            frames: Number of frames of a piece. Griffin-Lim returns whole sentences.

        Yields:
            The pieces.

        Raises:
            InputError: See :meth:`speak`.
        """
        index, symbols = self.speaker_index(speaker), self.acoustic.spec.symbols
        for i, line in enumerate(script_lines(self.front_end(ipa), text)):
            if line.before_s:
                yield self._silence(line.before_s)
            (mel,) = self.acoustic.synthesize(
                [token_ids(line.ipa, symbols)],
                speaker=index,
                steps=steps,
                speed=_in_range("speed", speed) * line.prosody.rate,
                seeds=[seed + i],
                temperature=_temperature(temperature),
            )
            for piece in self._vocode_in_pieces(mel, seed + i, frames):
                yield line.louder(piece)
            if line.after_s:
                yield self._silence(line.after_s)

    def _silence(self, seconds: float) -> Wave:
        return Wave(np.zeros(round(seconds * self.sample_rate), np.float32), self.sample_rate)

    def _vocode_in_pieces(
        self, features: Float[Tensor, "c n"], seed: int, frames: int
    ) -> Iterator[Wave]:
        """Convert features to sound, ``frames`` frames at a time if the vocoder can."""
        mel = features[: self.acoustic.spec.mel.n_mels].unsqueeze(0)
        if isinstance(self.vocoder, SourceFilterVocoder):
            f0 = self._pitch(features.unsqueeze(0))
            pieces = self.vocoder.stream(
                mel, f0, frames, self._source_noise([mel.shape[2]], [seed])
            )
        elif isinstance(self.vocoder, Vocos):
            pieces = self.vocoder.stream(mel, frames)
        else:
            pieces = iter([self.vocoder(mel)])
        for piece in pieces:
            yield Wave(piece[0].float().cpu().numpy(), self.sample_rate)

    @torch.inference_mode()
    def vocode(
        self, features: Sequence[Float[Tensor, "c _"]], seeds: Sequence[int] | None = None
    ) -> list[Wave]:
        """Convert features to sounds in one batch.

        Args:
            features: Normalized features of each sound.
            seeds: Seed of the noise in each sound, for vocoders that use noise; by default 0, 1,
                2, ...

        Returns:
            The sounds.
        """
        spec = self.acoustic.spec
        frames = torch.tensor([row.shape[1] for row in features], device=features[0].device)
        padded = torch.nn.utils.rnn.pad_sequence([row.T for row in features], batch_first=True).mT
        mels, mask = padded[:, : spec.mel.n_mels], None
        if len(features) > 1:
            mask = sequence_mask(frames, padded.shape[2]).unsqueeze(1)
        if isinstance(self.vocoder, SourceFilterVocoder):
            noise = self._source_noise(
                frames.tolist(), range(len(features)) if seeds is None else seeds
            )
            samples = self.vocoder(mels, self._pitch(padded), mask, noise)
        else:
            samples = self.vocoder(mels, mask)
        ends = (frames * spec.mel.hop).tolist()
        rows = samples.float().cpu().numpy()
        return [
            Wave(row[:end].copy(), self.sample_rate) for row, end in zip(rows, ends, strict=True)
        ]

    def _pitch(self, features: Float[Tensor, "b c n"]) -> Float[Tensor, "b n"]:
        """Return the pitch of features, in Hz, 0 where unvoiced."""
        spec = self.acoustic.spec
        assert spec.pitch is not None
        return spec.pitch.decode(features[:, spec.mel.n_mels :])

    def _source_noise(
        self, frames: Sequence[int], seeds: Sequence[int]
    ) -> Float[Tensor, "b samples"]:
        """Draw the noise of a source-filter vocoder; it is zero at padding."""
        hop = self.acoustic.spec.mel.hop
        noise = torch.zeros(len(frames), max(frames) * hop)
        for row, n, seed in zip(noise, frames, seeds, strict=True):
            row[: n * hop] = torch.randn(n * hop, generator=step_generator(seed, 0, 5))
        return noise.to(self.acoustic.device)

    def front_end(self, ipa: bool = False) -> FrontEnd:
        """Return the text front end of this voice."""
        spec = self.acoustic.spec
        return FrontEnd(spec.language, spec.symbols, self.lexicon, ipa, spec.phonemizer)

    def speaker_index(self, name: str | None) -> int:
        """Return the index of a speaker; ``None`` is the first one.

        Raises:
            InputError: If there is no speaker of that name.
        """
        names = self.acoustic.spec.speakers
        if name is not None and name not in names:
            raise InputError(f"speaker: no '{name}'{suggest(name, names)} ({', '.join(names)})")
        return 0 if name is None else names.index(name)

    def save(self, folder: str | os.PathLike[str], *, card: str = "", half: bool = True) -> None:
        """Write a folder that :meth:`load` reads, with the averaged weights only.

        Args:
            folder: The folder.
            card: Model card, in Markdown.
            half: Whether to write weights at 16 bits instead of 32.

        Raises:
            InputError: If the vocoder is Griffin-Lim, which has no weights.
        """
        folder = Path(folder)
        if not isinstance(self.vocoder, Vocos | SourceFilterVocoder):
            raise InputError("a voice is saved with a trained vocoder: name one")
        save_release(self.acoustic, folder / ACOUSTIC, half=half)
        save_release(self.vocoder, folder / VOCODER, half=half)
        write_card(folder, card)


def _in_range(name: str, value: float) -> float:
    if not 0.1 <= value <= 10:
        raise InputError(f"{name}: must be from 0.1 to 10, not {value:g}")
    return value


def _temperature(value: float | None) -> float | None:
    return None if value is None else _in_range("temperature", value)


def _batches(lengths: Sequence[int], speeds: Sequence[float]) -> Iterator[list[int]]:
    """Group texts of one tempo and similar lengths, with about :data:`BATCH_FRAMES` frames each.

    Args:
        lengths: Number of tokens of each text.
        speeds: Factor of the tempo of each text.

    Yields:
        Indices of texts.
    """
    batch = list[int]()
    for i in sorted(range(len(lengths)), key=lambda i: (speeds[i], lengths[i])):
        frames = FRAMES_PER_TOKEN * lengths[i] / speeds[i]  # of the longest text so far
        other = batch and speeds[batch[0]] != speeds[i]
        if batch and (other or (len(batch) + 1) * frames > BATCH_FRAMES):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
