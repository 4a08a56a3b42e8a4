"""A voice: an acoustic model, a vocoder that reads its spectrograms, and how words are read."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError, nearest
from oneleap.core.training.release import save_release
from oneleap.domains.audio.mel import check_compatible
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import Wave, concatenate
from oneleap.domains.speech.models.acoustic import Acoustic
from oneleap.domains.speech.models.alignment import real
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.lexicon import read_lexicon
from oneleap.domains.speech.text.symbols import ids
from oneleap.domains.speech.voice.loading import (
    ACOUSTIC,
    DEFAULT,
    VOCODER,
    find,
    load_acoustic,
    load_vocoder,
    write_card,
)

PAUSE_S = 0.2
"""Silence between sentences."""

BATCH_FRAMES = 4000
"""Frames, padding included, of sentences that are made at once: some 20 MB a layer."""


@runtime_checkable
class MakesSound(Protocol):
    """A vocoder: samples of spectrograms (b, mels, n), real where the mask says so."""

    def __call__(
        self, mel: Float[Tensor, "b mels n"], mask: Tensor | None = None
    ) -> Float[Tensor, "b samples"]:
        """Samples, a hop for each frame."""


@dataclass(frozen=True, eq=False)
class Voice:
    """Speaks.

    >>> voice = Voice.load("allison")  # doctest: +SKIP
    >>> voice.speak("Hello.").save("hello.wav")  # doctest: +SKIP

    Attributes:
        acoustic: Text to spectrograms.
        vocoder: Spectrograms to sound, of the same contract.
        lexicon: The user's own pronunciations, by word in small letters.
    """

    acoustic: Acoustic
    vocoder: MakesSound
    lexicon: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str] = DEFAULT,
        *,
        vocoder: str | os.PathLike[str] | None = None,
        lexicon: str | os.PathLike[str] | None = None,
        device: str | torch.device = "cpu",
    ) -> "Voice":
        """Load a voice.

        Args:
            name: Of a shipped voice; or the folder of a voice, or of an acoustic model or a run,
                which Griffin-Lim makes audible unless a vocoder is named.
            vocoder: Folder of another vocoder, or of a run; ``griffin-lim`` is one without
                training.
            lexicon: File of pronunciations: a word, a tab, IPA.
            device: Where to compute.

        Raises:
            InputError: If there is no such voice, or its parts do not fit.
        """
        folder = find(name)
        acoustic = load_acoustic(folder)
        if vocoder is None and (folder / VOCODER).is_dir():
            vocoder = folder
        maker: nn.Module
        if vocoder is None or str(vocoder) == "griffin-lim":
            maker = GriffinLim(acoustic.spec.mel)
        else:
            maker = trained = load_vocoder(Path(vocoder))
            check_compatible(acoustic.spec.mel, trained.spec, f"voice {name}", f"vocoder {vocoder}")
        words = read_lexicon(lexicon, acoustic.spec.symbols) if lexicon else {}
        return cls(acoustic.to(device), maker.to(device).eval(), words)

    @property
    def sample_rate(self) -> int:
        """Hz."""
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
        """Say a text of any length.

        Args:
            text: Words; ``[[...]]`` among them is phonetic (IPA).
            steps: Of the sampler; by default the model's own number, 1 for one that leaps.
            speed: 2 is twice as fast.
            seed: Of the noise; the same seed says the same.
            speaker: Name, where there are several.
            ipa: The whole text is phonetic.
            temperature: Standard deviation of the noise; by default the model's own.

        Raises:
            InputError: If there is nothing to say, or an argument is out of range.
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
        """Say several texts, sentences of like lengths in one batch; see :meth:`speak`."""
        reader = self.reader(ipa)
        many = len(texts) > 1
        said = [
            reader.sentences(text, f"text {i + 1}" if many else "text")
            for i, text in enumerate(texts)
        ]
        flat = [sentence for parts in said for sentence in parts]
        seeds = [seed + i for parts in said for i in range(len(parts))]
        tokens = [ids(sentence, self.acoustic.spec.symbols) for sentence in flat]
        who, speed = self.who(speaker), _positive("speed", speed)
        made: dict[int, Wave] = {}
        for places in _batches([len(t) for t in tokens], speed):
            mels = self.acoustic.synthesise(
                [tokens[i] for i in places],
                speaker=who,
                steps=steps,
                speed=speed,
                seeds=[seeds[i] for i in places],
                temperature=_temperature(temperature),
            )
            made |= dict(zip(places, self.sound(mels), strict=True))
        waves, at = [], 0
        for parts in said:
            waves.append(concatenate([made[at + i] for i in range(len(parts))], PAUSE_S))
            at += len(parts)
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
        """Say a text piece by piece, the first as soon as it is made.

        The pieces together are what :meth:`speak` says.

        Args:
            text: As all but the last, see :meth:`speak`.
            steps: Of the sampler.
            speed: Of speech.
            seed: Of the noise.
            speaker: Who speaks.
            ipa: Text is phonetic.
            temperature: Of the noise.
            frames: Of the pieces of a sentence; Griffin-Lim makes sentences whole.
        """
        who, mel = self.who(speaker), self.acoustic.spec
        for i, sentence in enumerate(self.reader(ipa).sentences(text)):
            if i:
                yield Wave(
                    np.zeros(round(PAUSE_S * self.sample_rate), np.float32), self.sample_rate
                )
            (features,) = self.acoustic.synthesise(
                [ids(sentence, mel.symbols)],
                speaker=who,
                steps=steps,
                speed=_positive("speed", speed),
                seeds=[seed + i],
                temperature=_temperature(temperature),
            )
            if not isinstance(self.vocoder, Vocos):
                yield self.sound([features])[0]
                continue
            for piece in self.vocoder.stream(features.unsqueeze(0), frames):
                yield Wave(piece[0].cpu().numpy(), self.sample_rate)

    @torch.inference_mode()
    def sound(self, mels: Sequence[Float[Tensor, "mels _"]]) -> list[Wave]:
        """Normalised spectrograms to sound, in one batch."""
        frames = torch.tensor([mel.shape[1] for mel in mels], device=mels[0].device)
        padded = torch.nn.utils.rnn.pad_sequence([mel.T for mel in mels], batch_first=True).mT
        if len(mels) == 1:
            samples = self.vocoder(padded)
        else:
            samples = self.vocoder(padded, real(frames, padded.shape[2]).unsqueeze(1))
        ends = (frames * self.acoustic.spec.mel.hop).tolist()
        rows = samples.float().cpu().numpy()
        return [
            Wave(row[:end].copy(), self.sample_rate) for row, end in zip(rows, ends, strict=True)
        ]

    def reader(self, ipa: bool = False) -> FrontEnd:
        """How this voice reads."""
        spec = self.acoustic.spec
        return FrontEnd(spec.language, spec.symbols, self.lexicon, ipa)

    def who(self, name: str | None) -> int:
        """Number of a speaker; the first, if none is named.

        Raises:
            InputError: If there is none of that name.
        """
        names = self.acoustic.spec.speakers
        if name is not None and name not in names:
            raise InputError(f"speaker: no '{name}'{nearest(name, names)} ({', '.join(names)})")
        return 0 if name is None else names.index(name)

    def save(self, folder: str | os.PathLike[str], *, card: str = "", half: bool = True) -> None:
        """Write a folder that :meth:`load` takes: averages only, at 16 bits unless ``half`` is off.

        Raises:
            InputError: If the vocoder is Griffin-Lim, of which there is nothing to keep.
        """
        folder = Path(folder)
        if not isinstance(self.vocoder, Vocos):
            raise InputError("a voice is kept with a trained vocoder: name one")
        save_release(self.acoustic, folder / ACOUSTIC, half=half)
        save_release(self.vocoder, folder / VOCODER, half=half)
        write_card(folder, card)


def _positive(name: str, value: float) -> float:
    if not 0.1 <= value <= 10:
        raise InputError(f"{name}: between 0.1 and 10, not {value:g}")
    return value


def _temperature(value: float | None) -> float | None:
    return None if value is None else _positive("temperature", value)


def _batches(lengths: Sequence[int], speed: float) -> Iterator[list[int]]:
    """Places of texts of like lengths, as many as :data:`BATCH_FRAMES` have room for."""
    batch = list[int]()
    for place in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        frames = 6 * lengths[place] / speed  # longest of the batch so far; 6 frames a token
        if batch and (len(batch) + 1) * frames > BATCH_FRAMES:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
