"""A singer: durations, pitch, spectrogram and sound of a score, each by a model of its own."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub.pretrained import CARD
from oneleap.core.sampling.samplers import with_steps
from oneleap.core.training.release import save_release
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.data.pitched import carried_on
from oneleap.domains.audio.mel import refuse_mismatch
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.data.batches import refuse_range, row, unsung
from oneleap.domains.singing.models.acoustic import Acoustic
from oneleap.domains.singing.models.curves import Curves, hertz
from oneleap.domains.singing.models.durations import Durations
from oneleap.domains.singing.segments.segment import ScoreSegment, Segment
from oneleap.domains.singing.segments.transforms import change_tempo, transpose
from oneleap.domains.singing.spec import Songs
from oneleap.domains.singing.voice import loading as store

TEMPO = (0.25, 4.0)
"""Least and greatest factor of speed."""

LONGEST_S = 4 * 3600.0
"""Of a song, seconds."""


@dataclass(frozen=True, eq=False)
class Singer:
    """Sings.

    >>> singer = Singer.load("song070")  # doctest: +SKIP
    >>> singer.sing(segments).save("song.wav")  # doctest: +SKIP

    Attributes:
        acoustic: Timed and pitched score to spectrograms.
        durations: How long phonemes last within their words.
        pitch: How pitch moves about the notes.
        vocoder: Spectrograms and pitch to sound.
        variance: Energy and breathiness, where the acoustic model heeds them.
    """

    acoustic: Acoustic
    durations: Durations
    pitch: Curves
    vocoder: NSF
    variance: Curves | None = None

    @classmethod
    def load(
        cls, name: str | os.PathLike[str] = store.DEFAULT, *, device: str | torch.device = "cpu"
    ) -> "Singer":
        """Load a singer: one that ships, by its name, or a folder.

        Raises:
            InputError: If there is no such singer, or its parts do not fit.
        """
        folder = store.find(name)
        variance = folder / store.VARIANCE
        return cls.of(
            store.load_part(folder, store.ACOUSTIC, Acoustic).to(device),
            store.load_part(folder, store.DURATIONS, Durations).to(device),
            store.load_part(folder, store.PITCH, Curves).to(device),
            store.load_part(folder, store.VOCODER, NSF).to(device),
            store.load_part(variance, store.VARIANCE, Curves).to(device)
            if variance.is_dir()
            else None,
        )

    @classmethod
    def of(
        cls,
        acoustic: Acoustic,
        durations: Durations,
        pitch: Curves,
        vocoder: NSF,
        variance: Curves | None = None,
    ) -> "Singer":
        """A singer of these parts.

        Raises:
            InputError: If they do not fit together.
        """
        refuse_mismatch(acoustic.spec.mel, vocoder.spec, "acoustic model", "vocoder")
        parts: list[Durations | Curves] = [durations, pitch, *([variance] if variance else [])]
        for part in parts:
            who = type(part).__name__
            refuse_mismatch(acoustic.spec.mel, part.spec.mel, "acoustic model", who)
            if part.spec.phonemes != acoustic.spec.phonemes:
                raise InputError(f"{who} has other phonemes than the acoustic model: train both")
        if pitch.names != ("pitch",):
            raise InputError(f"the pitch model makes {', '.join(pitch.names)}")
        made = () if variance is None else variance.names
        if missing := set(acoustic.curves) - set(made):
            raise InputError(f"the acoustic model heeds {min(missing)}: give a variance model too")
        return cls(acoustic, durations, pitch, vocoder, variance)

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.acoustic.spec.mel.sample_rate

    def sing(
        self,
        segments: Sequence[Segment],
        *,
        steps: int | None = None,
        key: float = 0.0,
        tempo: float = 1.0,
        seed: int = 0,
    ) -> Wave:
        """Sing a score: its phrases, each from its offset on; silence between.

        What a segment says of durations of phonemes and of pitch is kept; the rest is made.

        Args:
            segments: With words and notes.
            steps: Of the acoustic model's sampler; its own number if left out, 1 for students.
            key: Semitones by which all is moved.
            tempo: 2 is twice as fast.
            seed: Of the noise; the same seed sings the same.

        Raises:
            InputError: If there is nothing to sing, a phoneme is unknown to this voice, a note is
                out of its range, or an argument is.
        """
        if not segments:
            raise InputError("nothing to sing: the score has no phrases")
        moved = self.moved(segments, key, tempo)
        rate = self.sample_rate
        early = -min(0.0, *(s.offset for s in moved))  # a phrase may begin before the song does
        lasts = early + max(s.offset + s.seconds for s in moved)
        if lasts > LONGEST_S:
            raise InputError(f"a song of {lasts / 3600:.3g} hours: up to {LONGEST_S / 3600:.0f}")
        sound = np.zeros(round(lasts * rate) + 1, np.float32)
        for i, segment in enumerate(moved):
            wave = self.phrase(segment, steps, seed + i)
            first = round((early + segment.offset) * rate)
            part = sound[first : first + len(wave.samples)]
            part += wave.samples[: len(part)]
        return Wave(sound, rate)

    def moved(self, segments: Sequence[Segment], key: float, tempo: float) -> list[ScoreSegment]:
        """Phrases in another key and tempo, all of which this voice can sing.

        Raises:
            InputError: If it cannot; the message names the phrase.
        """
        if not TEMPO[0] <= tempo <= TEMPO[1]:
            raise InputError(f"tempo: a factor from {TEMPO[0]:g} to {TEMPO[1]:g}, not {tempo:g}")
        found = []
        for i, segment in enumerate(segments):
            try:
                score = ScoreSegment.from_segment(segment)
                moved = change_tempo(transpose(score, key), tempo)
                refuse_range(moved, self.acoustic.spec, key)
                row(moved, self.acoustic.spec)  # phonemes, words, notes
            except InputError as error:
                raise InputError(f"phrase {i + 1}: {error}") from None
            found.append(moved)
        return found

    @torch.inference_mode()
    def phrase(self, segment: Segment, steps: int | None, seed: int) -> Wave:
        """The sound of one phrase."""
        songs = self.timed(segment)
        f0 = self.pitched(songs, segment, seed)
        mel = self.spectrogram(songs._replace(f0=f0), steps, seed)
        return Wave(self.sound(mel, f0, seed), self.sample_rate)

    def timed(self, segment: Segment) -> Songs:
        """The numbers of a phrase, its phonemes timed."""
        return self.batch(segment if segment.ph_dur else self.durations.timed(segment))

    def batch(self, segment: Segment) -> Songs:
        """A phrase as a batch of one; what was never recorded is zeros."""
        songs = unsung(segment, self.acoustic.spec)
        return Songs(*(x.to(self.acoustic.device) for x in songs))

    def pitched(self, songs: Songs, segment: Segment, seed: int) -> Float[Tensor, "1 n"]:
        """Pitch of each frame, Hz: the segment's own, or the model's."""
        n = songs.base.shape[1]
        if segment.f0 is not None:
            middle = (np.arange(n) + 0.5) / self.acoustic.spec.mel.frame_rate
            known = replace(segment.f0, values=carried_on(segment.f0.values)).at(middle)
            return torch.from_numpy(known).float().to(songs.base).unsqueeze(0)
        off = self.pitch.generate(self.pitch.sheet(songs), self._noise(self.pitch, n, seed))
        return hertz(songs.base + off[:, 0])

    def spectrogram(self, songs: Songs, steps: int | None, seed: int) -> Float[Tensor, "1 mels n"]:
        """The normalised spectrogram of a phrase that is timed and pitched."""
        if self.variance is not None:
            n = songs.base.shape[1]
            noise = self._noise(self.variance, n, seed)
            made = self.variance.generate(self.variance.sheet(songs), noise)
            songs = songs._replace(**dict(zip(self.variance.names, made.unbind(1), strict=True)))
        batch = self.acoustic.framed(songs)
        noise = torch.randn(batch.x.shape, generator=step_generator(seed, 0)).to(batch.x)
        sampler = with_steps(self.acoustic.sampler, steps)
        again = step_generator(seed, 1, 0, batch.x.device)
        return self.acoustic.generate(batch, noise, sampler, again)[0]

    def sound(
        self, mel: Float[Tensor, "1 mels n"], f0: Float[Tensor, "1 n"], seed: int
    ) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """Samples of a spectrogram."""
        n = mel.shape[2] * self.acoustic.spec.mel.hop
        noise = torch.randn(1, n, generator=step_generator(seed, 2)).to(mel)
        samples: np.ndarray[tuple[int], np.dtype[np.float32]]
        samples = self.vocoder(mel, f0, noise)[0].cpu().numpy()
        return samples

    def _noise(self, model: Curves, n: int, seed: int) -> Float[Tensor, "1 c n"]:
        size = (1, len(model.names) * model.bins, n)
        return torch.randn(size, generator=step_generator(seed, 3)).to(model.device)

    def save(
        self, folder: str | os.PathLike[str], *, card: str | None = None, half: bool = True
    ) -> None:
        """Write all parts, the averages alone, and a card.

        Args:
            folder: To write.
            card: Markdown: who sings, and under what licence.
            half: Keep 16 bits of each weight.
        """
        folder = Path(folder)
        parts = {
            store.ACOUSTIC: self.acoustic,
            store.PITCH: self.pitch,
            store.VOCODER: self.vocoder,
            store.DURATIONS: self.durations,
            store.VARIANCE: self.variance,
        }
        for name, model in parts.items():
            if model is not None:
                save_release(model, folder / name, half=half)
        if card is not None:
            with replacing(folder / CARD) as path:
                path.write_text(card, encoding="utf-8")
