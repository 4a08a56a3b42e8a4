"""A voice: front end, acoustic model and vocoder, as one object that speaks."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from oneleap.core.errors import InputError, Notice, suggest
from oneleap.core.hub.quantization import Bits
from oneleap.core.nets.int8 import Int8Linear, use_int8
from oneleap.core.training.release import save_release
from oneleap.domains.audio.mel import check_compatible
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.lexicon import read_lexicon
from oneleap.domains.speech.text.sentences import PAUSE_S
from oneleap.domains.speech.text.symbols import token_ids
from oneleap.domains.speech.voice.about import About, read_about, write_about
from oneleap.domains.speech.voice.changes import change_effort, change_pitch
from oneleap.domains.speech.voice.delivery import Delivery
from oneleap.domains.speech.voice.loading import (
    ACOUSTIC,
    DEFAULT_VOICE,
    VOCODER,
    find_voice,
    load_acoustic,
    load_vocoder,
    write_card,
)
from oneleap.domains.speech.voice.script import Line, join_lines, script_lines, similar_texts
from oneleap.domains.speech.voice.vocoding import Vocoder, vocode, vocode_in_pieces


@dataclass(frozen=True, eq=False)
class Voice:
    """A voice that speaks texts.

    >>> voice = Voice.load("heart")  # doctest: +SKIP
    >>> voice.speak("Hello.").save("hello.wav")  # doctest: +SKIP

    Attributes:
        acoustic: The acoustic model.
        vocoder: The vocoder, with the same spectrogram format.
        lexicon: The user's own pronunciations: IPA by word in lower case.
        about: Whose voice it is, its license and a sample sentence.
    """

    acoustic: AcousticModel
    vocoder: Vocoder | SourceFilterVocoder
    lexicon: dict[str, str] = field(default_factory=dict)
    about: About = field(default_factory=About)

    @classmethod
    def load(
        cls,
        name: str | os.PathLike[str] = DEFAULT_VOICE,
        *,
        vocoder: str | os.PathLike[str] | None = None,
        lexicon: str | os.PathLike[str] | None = None,
        device: str | torch.device = "cpu",
        int8: bool = False,
    ) -> "Voice":
        """Load a voice.

        Args:
            name: Name of a shipped voice, or a folder: of a voice, of a run or of an acoustic
                model. A run and an acoustic model speak by Griffin-Lim unless a vocoder is given.
            vocoder: Folder of another vocoder or of its run, or ``griffin-lim``, which needs no
                training.
            lexicon: File of pronunciations; each line has a word, a tab and IPA.
            device: Device of the models.
            int8: Whether large layers multiply 8-bit integers, see
                :class:`oneleap.core.nets.int8.Int8Linear`: faster on a CPU, and only for speaking.

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
        spec = acoustic.spec
        plain = FrontEnd(spec.language, spec.symbols, {}, False, spec.phonemizer)
        words = read_lexicon(lexicon, plain.from_ipa) if lexicon else {}
        if int8:
            use_int8(acoustic.average)
            use_int8(chosen)
        return cls(acoustic.to(device), chosen.to(device).eval(), words, read_about(folder))

    @property
    def sample_rate(self) -> int:
        """Sample rate of the sound, in Hz."""
        return self.acoustic.spec.mel.sample_rate

    @property
    def can_change_pitch(self) -> bool:
        """Whether the pitch of the sound can be changed: it is generated, and the vocoder uses it.

        Without it, speaking with a change of pitch is refused, and SSML's are left out.
        """
        return isinstance(self.vocoder, SourceFilterVocoder)

    def speak(
        self,
        text: str,
        *,
        speed: float = 1.0,
        pitch: float = 0.0,
        energy: float = 0.0,
        expressive: float | None = None,
        temperature: float | None = None,
        pause: float = PAUSE_S,
        steps: int | None = None,
        speaker: str | None = None,
        seed: int = 0,
        ipa: bool = False,
    ) -> Wave:
        """Speak a text of any length.

        Args:
            text: The text, or SSML if it begins with ``<speak``. ``[[...]]`` in plain text is
                phonetic (IPA).
            speed: Factor of the tempo; 2 speaks twice as fast.
            pitch: Change of pitch in semitones.
            energy: Change of vocal effort in dB, see :class:`Delivery`.
            expressive: Temperature of melody and rhythm; by default the model's own.
            temperature: Standard deviation of the noise; by default the model's own.
            pause: Silence between sentences in seconds; between paragraphs it is longer.
            steps: Number of steps of the sampler; by default the model's own.
            speaker: Name of the speaker; by default the first one.
            seed: Seed of the noise. The same seed gives the same sound.
            ipa: Whether the whole text is phonetic.

        Returns:
            The sound.

        Raises:
            InputError: If the text has no word, an argument is out of range, or ``pitch`` is
                given and the voice cannot change it.
        """
        delivery = Delivery(
            speed, pitch, energy, expressive, temperature, pause, steps=steps, speaker=speaker
        )
        return self.speak_all([text], delivery, seed=seed, ipa=ipa)[0]

    def speak_all(
        self,
        texts: Sequence[str],
        delivery: Delivery = Delivery(),  # noqa: B008  (frozen)
        *,
        seed: int = 0,
        ipa: bool = False,
        before_batch: Callable[[], None] | None = None,
    ) -> list[Wave]:
        """Speak several texts, with sentences of similar lengths in one batch.

        Args:
            texts: The texts.
            delivery: How they are spoken.
            seed: See :meth:`speak`. Every text starts with this seed.
            ipa: See :meth:`speak`.
            before_batch: Called before each batch of sentences; what it raises ends the work.

        Returns:
            The sound of each text.

        Raises:
            InputError: See :meth:`speak`.
        """
        self._check(delivery)
        scripts = [
            self._lines(text, f"text {i + 1}" if len(texts) > 1 else "text", delivery, ipa)
            for i, text in enumerate(texts)
        ]
        flat = [line for lines in scripts for line in lines]
        seeds = [seed + i for lines in scripts for i in range(len(lines))]
        tokens = [token_ids(line.ipa, self.acoustic.spec.symbols) for line in flat]
        speeds = [delivery.speed * line.prosody.rate for line in flat]
        spoken: dict[int, Wave] = {}
        for batch in similar_texts([len(t) for t in tokens], speeds):
            if before_batch is not None:
                before_batch()
            chosen = [seeds[i] for i in batch]
            found = self._features(
                [tokens[i] for i in batch], [flat[i] for i in batch], chosen, delivery
            )
            spoken |= dict(zip(batch, self.vocode(found, chosen), strict=True))
        waves, start = [], 0
        for lines in scripts:
            waves.append(join_lines(lines, [spoken[start + i] for i in range(len(lines))]))
            start += len(lines)
        return waves

    def stream(
        self,
        text: str,
        delivery: Delivery = Delivery(),  # noqa: B008  (frozen)
        *,
        seed: int = 0,
        ipa: bool = False,
        frames: int = 128,
    ) -> Iterator[Wave]:
        """Speak a text piece by piece. Each piece is returned as soon as it is ready.

        Together, the pieces are the sound of :meth:`speak`.

        Args:
            text: See :meth:`speak`.
            delivery: How it is spoken.
            seed: See :meth:`speak`.
            ipa: See :meth:`speak`.
            frames: Number of frames of a piece. Griffin-Lim returns whole sentences.

        Yields:
            The pieces.

        Raises:
            InputError: See :meth:`speak`.
        """
        self._check(delivery)
        spec = self.acoustic.spec
        for i, line in enumerate(self._lines(text, "text", delivery, ipa)):
            if line.before_s:
                yield self._silence(line.before_s)
            tokens = token_ids(line.ipa, spec.symbols)
            (found,) = self._features([tokens], [line], [seed + i], delivery)
            for piece in vocode_in_pieces(self.vocoder, spec, found, seed + i, frames):
                yield line.louder(piece)
            if line.after_s:
                yield self._silence(line.after_s)

    def pitch(
        self,
        text: str,
        delivery: Delivery = Delivery(),  # noqa: B008  (frozen)
        *,
        seed: int = 0,
        ipa: bool = False,
    ) -> NDArray[np.float32]:
        """Return the melody of :meth:`speak`: what the vocoder is given, without pauses.

        Args:
            text: See :meth:`speak`.
            delivery: How it is spoken.
            seed: See :meth:`speak`.
            ipa: See :meth:`speak`.

        Returns:
            Pitch of each frame in Hz, 0 where unvoiced.

        Raises:
            InputError: If this voice generates no pitch; else see :meth:`speak`.
        """
        self._check(delivery)
        spec = self.acoustic.spec
        if spec.pitch is None:
            raise InputError("this voice generates no pitch: take another one, such as heart")
        f0 = list[NDArray[np.float32]]()
        for i, line in enumerate(self._lines(text, "text", delivery, ipa)):
            tokens = token_ids(line.ipa, spec.symbols)
            (found,) = self._features([tokens], [line], [seed + i], delivery)
            f0.append(spec.pitch.decode(found[spec.mel.n_mels :].unsqueeze(0))[0].numpy())
        return np.concatenate(f0)

    def _check(self, delivery: Delivery) -> None:
        """Check that this voice can speak so.

        Raises:
            InputError: If it cannot change its pitch, or has no such speaker.
        """
        if delivery.pitch and not self.can_change_pitch:
            raise InputError(
                "pitch: this voice cannot change its pitch, because its vocoder is given none: "
                "leave pitch at 0, or take a voice that generates pitch"
            )
        self.speaker_index(delivery.speaker)

    def _lines(self, text: str, where: str, delivery: Delivery, ipa: bool) -> list[Line]:
        """Return what is said line by line, with a notice if SSML asks for too much."""
        lines = script_lines(self.front_end(ipa), text, where, delivery.pause)
        if not self.can_change_pitch and any(line.prosody.pitch for line in lines):
            warnings.warn(
                f"{where}: this voice cannot change its pitch: pitch and the melody of emphasis "
                "are left out",
                Notice,
                stacklevel=4,
            )
        return lines

    def _features(
        self,
        tokens: Sequence[Sequence[int]],
        lines: Sequence[Line],
        seeds: Sequence[int],
        delivery: Delivery,
    ) -> list[Float[Tensor, "c _"]]:
        """Generate the features of lines of one tempo, each at its pitch and effort."""
        spec = self.acoustic.spec
        found = self.acoustic.synthesize(
            tokens,
            speaker=self.speaker_index(delivery.speaker),
            steps=delivery.steps,
            speed=delivery.speed * lines[0].prosody.rate,
            seeds=seeds,
            temperature=delivery.temperature,
            expressive=delivery.expressive,
        )
        if self.can_change_pitch:
            shifts = [delivery.pitch + line.prosody.pitch for line in lines]
            found = [change_pitch(x, spec, s) for x, s in zip(found, shifts, strict=True)]
        return [change_effort(x, spec.mel, delivery.energy) for x in found]

    def _silence(self, seconds: float) -> Wave:
        return Wave(np.zeros(round(seconds * self.sample_rate), np.float32), self.sample_rate)

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
        chosen = range(len(features)) if seeds is None else seeds
        return vocode(self.vocoder, self.acoustic.spec, features, chosen)

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

    def save(self, folder: str | os.PathLike[str], *, card: str = "", bits: Bits = 16) -> None:
        """Write a folder that :meth:`load` reads, with the averaged weights only.

        Args:
            folder: The folder.
            card: Model card, in Markdown.
            bits: Bits of a weight: 32, 16 or 8. With 8, the matrices of layers are rounded, and
                the folder is half as large as with 16.

        Raises:
            InputError: If the vocoder is Griffin-Lim, which has no weights.
        """
        folder = Path(folder)
        if not isinstance(self.vocoder, Vocos | SourceFilterVocoder):
            raise InputError("a voice is saved with a trained vocoder: name one")
        if any(isinstance(m, Int8Linear) for m in self.acoustic.modules()):
            raise InputError("int8: a voice with rounded layers only speaks: load it without int8")
        save_release(self.acoustic, folder / ACOUSTIC, bits=bits)
        save_release(self.vocoder, folder / VOCODER, bits=bits)
        write_about(folder, self.about)
        write_card(folder, card)
