"""A singer: models of durations, pitch, spectrograms and sound that sing a score together."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.hub.pretrained import CARD
from oneleap.core.hub.quantization import Bits
from oneleap.core.sampling.samplers import with_steps
from oneleap.core.training.release import save_release
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.mel import check_compatible
from oneleap.domains.audio.pitch import interpolate_unvoiced
from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.data.batches import score_batch, score_features
from oneleap.domains.singing.models.acoustic import AcousticModel
from oneleap.domains.singing.models.curves import CurveModel, hertz
from oneleap.domains.singing.models.durations import DurationModel
from oneleap.domains.singing.segments.manner import DEFAULT_MANNER, Manner
from oneleap.domains.singing.segments.movement import glide_difference, manner_of, manner_offsets
from oneleap.domains.singing.segments.phonemes import spell, spell_phonemes
from oneleap.domains.singing.segments.segment import ScoreSegment, Segment
from oneleap.domains.singing.segments.timing import check_length, lead_in
from oneleap.domains.singing.segments.transforms import change_tempo, transpose
from oneleap.domains.singing.spec import SingingBatch
from oneleap.domains.singing.voice.loading import (
    ACOUSTIC,
    DEFAULT,
    DURATIONS,
    PITCH,
    VARIANCE,
    VOCODER,
    find_singer,
    load_part,
)
from oneleap.domains.singing.voice.song import Song, song_phrases, with_dynamics
from oneleap.domains.singing.voice.song_range import fit_range
from oneleap.domains.singing.voice.vocoding import (
    SongVocoder,
    check_vocoder,
    load_vocoder,
    vocode,
)

TEMPO_RANGE = (0.25, 4.0)
"""Lowest and highest tempo factor."""


@dataclass(frozen=True, eq=False)
class Singer:
    """Turns scores into sound.

    >>> singer = Singer.load("song070")  # doctest: +SKIP
    >>> singer.sing(segments).save("song.wav")  # doctest: +SKIP

    Attributes:
        acoustic: Model of spectrograms, given durations and pitch.
        durations: Model of phoneme durations.
        pitch: Model of pitch relative to the notes.
        vocoder: Model of sound, given spectrograms and pitch.
        variance: Model of energy and breathiness, if the acoustic model is conditioned on them.
    """

    acoustic: AcousticModel
    durations: DurationModel
    pitch: CurveModel
    vocoder: SongVocoder
    variance: CurveModel | None = None

    @classmethod
    def load(
        cls, name: str | os.PathLike[str] = DEFAULT, *, device: str | torch.device = "cpu"
    ) -> "Singer":
        """Load a shipped singer by name, or a singer from a folder.

        Raises:
            InputError: There is no such singer, or its models cannot be combined.
        """
        folder = find_singer(name)
        variance = folder / VARIANCE
        return cls.from_parts(
            load_part(folder, ACOUSTIC, AcousticModel).to(device),
            load_part(folder, DURATIONS, DurationModel).to(device),
            load_part(folder, PITCH, CurveModel).to(device),
            load_vocoder(folder).to(device),
            load_part(variance, VARIANCE, CurveModel).to(device) if variance.is_dir() else None,
        )

    @classmethod
    def from_parts(
        cls,
        acoustic: AcousticModel,
        durations: DurationModel,
        pitch: CurveModel,
        vocoder: SongVocoder,
        variance: CurveModel | None = None,
    ) -> "Singer":
        """Combine models to a singer; see the attributes of the class for the arguments.

        Args:
            acoustic: Acoustic model.
            durations: Duration model. It may know more phonemes: those of the acoustic model with
                marks of stress and of the place in the word.
            pitch: Curve model of pitch.
            vocoder: Vocoder.
            variance: Curve model of energy and breathiness, or ``None``.

        Returns:
            The singer.

        Raises:
            InputError: The models cannot be combined.
        """
        check_compatible(acoustic.spec.mel, vocoder.spec, "acoustic model", "vocoder")
        check_vocoder(acoustic.spec, vocoder)
        parts: list[DurationModel | CurveModel] = [
            durations,
            pitch,
            *([variance] if variance else []),
        ]
        for part in parts:
            name = type(part).__name__
            check_compatible(acoustic.spec.mel, part.spec.mel, "acoustic model", name)
            known, own = acoustic.spec.phonemes, part.spec.phonemes
            finer = set(known) <= set(own) and all(spell(p, known) in known for p in own)
            if own != known and not (part is durations and finer):
                raise InputError(
                    f"{name} has other phonemes than the acoustic model: train both on the same "
                    "data"
                )
        if pitch.names != ("pitch",):
            raise InputError(f"the pitch model generates {', '.join(pitch.names)}, not pitch")
        generated = () if variance is None else variance.names
        if missing := set(acoustic.curves) - set(generated):
            raise InputError(
                f"the acoustic model is conditioned on {min(missing)}: add a variance model"
            )
        return cls(acoustic, durations, pitch, vocoder, variance)

    @property
    def sample_rate(self) -> int:
        """Sample rate in Hz."""
        return self.acoustic.spec.mel.sample_rate

    def sing(
        self,
        song: Song,
        *,
        steps: int | None = None,
        key: float = 0.0,
        tempo: float = 1.0,
        dynamics: float = 1.0,
        fold_octaves: bool = False,
        seed: int = 0,
        manner: Manner = DEFAULT_MANNER,
    ) -> Wave:
        """Sing a score, each phrase at its time, with silence between them.

        The sound starts with the first beat of the score. If the first note starts there with a
        consonant, the sound starts earlier, see :func:`segments.timing.lead_in`. Phoneme durations
        and pitch that a phrase already has are kept.

        Args:
            song: File of a score, or a score, with lyrics in the singer's language; or phrases with
                words and notes. See :func:`read_segments` for the choices that a file leaves.
            steps: Steps of the acoustic model's sampler; by default its own number, which is 1
                for students.
            key: Semitones by which the song is transposed.
            tempo: Tempo factor; 2 is twice as fast.
            dynamics: Share of the score's dynamics that is applied, as a gain: 0 for none.
            fold_octaves: Whether notes out of range are moved by octaves.
            seed: Seed of the noise. Equal seeds give equal sound.
            manner: Vibrato, glides and scoops of phrases without a pitch curve of their own.

        Returns:
            The sound of the whole song.

        Raises:
            InputError: There are no phrases, the voice lacks a phoneme, a note is out of range, or
                an argument is invalid.
        """
        if not 0 <= dynamics <= 1:
            raise InputError(f"dynamics: must be from 0 to 1, not {dynamics:g}")
        segments = song_phrases(song, self.acoustic.spec.language)
        if not segments:
            raise InputError("nothing to sing: the score has no phrases")
        phrases = self.prepare(segments, key, tempo, fold_octaves=fold_octaves)
        rate = self.sample_rate
        early = lead_in(phrases)
        total_s = early + max(s.offset + s.seconds for s in phrases)
        sound = np.zeros(round(total_s * rate) + 1, np.float32)
        for i, segment in enumerate(phrases):
            wave = self.sing_phrase(segment, steps, seed + i, manner)
            samples = with_dynamics(wave, segment, dynamics)
            first = round((early + segment.offset) * rate)
            samples, first = samples[max(0, -first) :], max(0, first)
            part = sound[first : first + len(samples)]
            part += samples[: len(part)]
        return Wave(sound, rate)

    def prepare(
        self,
        segments: Sequence[Segment],
        key: float,
        tempo: float,
        *,
        fold_octaves: bool = False,
    ) -> list[ScoreSegment]:
        """Transpose phrases, change their tempo, and check that this voice can sing them.

        Args:
            segments: Phrases with words and notes.
            key: Semitones by which they are transposed.
            tempo: Tempo factor.
            fold_octaves: Whether notes out of range are moved by octaves.

        Returns:
            The phrases as the voice will sing them.

        Raises:
            InputError: The voice cannot sing a phrase. The message names it.
        """
        low, high = TEMPO_RANGE
        if not low <= tempo <= high:
            raise InputError(f"tempo: must be a factor from {low:g} to {high:g}, not {tempo:g}")
        spec, found = self.acoustic.spec, list[ScoreSegment]()
        for i, segment in enumerate(segments):
            try:
                known = self.durations.spec.phonemes
                score = spell_phonemes(ScoreSegment.from_segment(segment), known)
                found.append(change_tempo(transpose(score, key), tempo))
            except InputError as error:
                raise InputError(f"phrase {i + 1}: {error}") from None
        check_length(found)
        found = fit_range(found, spec, key, fold_octaves=fold_octaves)
        for i, moved in enumerate(found):
            try:
                score_features(moved, spec)  # checks phonemes
            except InputError as error:
                raise InputError(f"phrase {i + 1}: {error}") from None
        return found

    @torch.inference_mode()
    def sing_phrase(
        self,
        segment: ScoreSegment,
        steps: int | None,
        seed: int,
        manner: Manner = DEFAULT_MANNER,
    ) -> Wave:
        """Sing one phrase.

        Args:
            segment: The phrase.
            steps: Steps of the acoustic model's sampler, or ``None``.
            seed: Seed of the noise.
            manner: Vibrato, glides and scoops.

        Returns:
            The sound of the phrase.
        """
        batch = self.predict_durations(segment)
        f0 = self.predict_f0(batch, segment, seed, manner)
        mel = self.predict_mel(batch._replace(f0=f0), steps, seed)
        return Wave(self.vocode(mel, f0, seed), self.sample_rate)

    def predict_durations(self, segment: ScoreSegment) -> SingingBatch:
        """A phrase as a batch, with the phrase's own durations or predicted ones."""
        timed = segment if segment.ph_dur else self.durations.add_durations(segment)
        batch = score_batch(timed, self.acoustic.spec)
        return SingingBatch(*(x.to(self.acoustic.device) for x in batch))

    def predict_f0(
        self,
        batch: SingingBatch,
        segment: ScoreSegment,
        seed: int,
        manner: Manner = DEFAULT_MANNER,
    ) -> Float[Tensor, "1 n"]:
        """Pitch of each frame in Hz: the phrase's own, or the prediction with a manner.

        Args:
            batch: The phrase as a batch.
            segment: The phrase.
            seed: Seed of the noise.
            manner: Vibrato, glides and scoops.

        Returns:
            Pitch in Hz.
        """
        n = batch.base_pitch.shape[1]
        middle = (np.arange(n) + 0.5) / self.acoustic.spec.mel.frame_rate
        if segment.f0 is not None:
            known = replace(segment.f0, values=interpolate_unvoiced(segment.f0.values)).at(middle)
            return torch.from_numpy(known).float().to(batch.base_pitch).unsqueeze(0)
        noise = self._noise(self.pitch, n, seed)
        offset = self.pitch.generate(self.pitch.curve_batch(batch), noise)
        own = manner_of(segment, manner)
        moved = manner_offsets(segment, own, middle)
        moved += glide_difference(segment, own, middle)
        return hertz(batch.base_pitch + offset[:, 0] + torch.from_numpy(moved).to(offset))

    def predict_mel(
        self, batch: SingingBatch, steps: int | None, seed: int
    ) -> Float[Tensor, "1 c n"]:
        """Normalized spectrogram of a phrase, and its voicing if that is generated.

        Args:
            batch: The phrase with durations and pitch.
            steps: Steps of the acoustic model's sampler, or ``None``.
            seed: Seed of the noise.

        Returns:
            The channels.
        """
        if self.variance is not None:
            noise = self._noise(self.variance, batch.base_pitch.shape[1], seed)
            curves = self.variance.generate(self.variance.curve_batch(batch), noise)
            batch = batch._replace(**dict(zip(self.variance.names, curves.unbind(1), strict=True)))
        frames = self.acoustic.frame_batch(batch)
        noise = torch.randn(frames.x.shape, generator=step_generator(seed, 0)).to(frames.x)
        sampler = with_steps(self.acoustic.sampler, steps)
        more_noise = step_generator(seed, 1, 0, frames.x.device)
        return self.acoustic.generate(frames, noise, sampler, more_noise)[0]

    def vocode(
        self, mel: Float[Tensor, "1 c n"], f0: Float[Tensor, "1 n"], seed: int
    ) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """Samples of a phrase.

        Args:
            mel: Normalized spectrogram, and voicing if that is generated.
            f0: Pitch of each frame in Hz.
            seed: Seed of the noise.

        Returns:
            Samples in [-1, 1].
        """

        def draw(zeros: Tensor) -> Tensor:
            return torch.randn(zeros.shape, generator=step_generator(seed, 2)).to(zeros)

        found = vocode(self.vocoder, self.acoustic.spec, mel, f0, draw)[0]
        samples: np.ndarray[tuple[int], np.dtype[np.float32]] = found.cpu().numpy()
        return samples

    def _noise(self, model: CurveModel, n: int, seed: int) -> Float[Tensor, "1 c n"]:
        size = (1, len(model.names) * model.bins, n)
        return torch.randn(size, generator=step_generator(seed, 3)).to(model.device)

    def save(
        self, folder: str | os.PathLike[str], *, card: str | None = None, bits: Bits = 16
    ) -> None:
        """Save the averaged weights of all models, and a card.

        Args:
            folder: Folder to write.
            card: Markdown text that names the singer and the license.
            bits: Bits of a weight: 32, 16 or 8.
        """
        folder = Path(folder)
        parts = {
            ACOUSTIC: self.acoustic,
            PITCH: self.pitch,
            VOCODER: self.vocoder,
            DURATIONS: self.durations,
            VARIANCE: self.variance,
        }
        for name, model in parts.items():
            if model is not None:
                save_release(model, folder / name, bits=bits)
        if card is not None:
            with atomic_write(folder / CARD) as path:
                path.write_text(card, encoding="utf-8")
