"""The speaking voice heart made to sing: its network gets durations and pitch of a score."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.audio.synthetic.hibari import DURATIONS, HOP, RATE, Hibari, graph
from oneleap.domains.audio.synthetic.teachers import LOWEST_HZ, UNIT_S, pitch_each_5ms, session
from oneleap.domains.audio.wave import Wave, concatenate
from oneleap.domains.singing.lyrics.english import read_lyrics
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.manner import Manner
from oneleap.domains.singing.segments.movement import sung_pitch
from oneleap.domains.singing.segments.pitch import midi_to_hz
from oneleap.domains.singing.segments.segment import SILENCE, Curve, ScoreSegment
from oneleap.domains.singing.synthetic.heart_timing import Layout, SungNote, lay_out, nuclei
from oneleap.domains.singing.synthetic.held_spectra import FRAMES_PER_UNIT, hold, stretch

PITCH_INPUT, DURATION_INPUT = "f0_in", "durations_in"
"""Names of the inputs that are added to the graph."""


class HeartSinger:
    """The voice ``heart`` of hibari-tts (Apache-2.0), which sings English.

    The network predicts spectra from phonemes, their durations and pitch. Here durations and pitch
    come from a score. Consonants have twice the durations of speech, up to 60 % of a note, and
    vowels take the rest. The network decides which frames are voiced, besides those of vowels.

    Raises:
        InputError: hibari-tts is missing, or has another version.
    """

    license = Hibari.license

    def __init__(self) -> None:
        try:
            self._speaker = Hibari()
            self._graph = session(graph(), inputs={DURATIONS: DURATION_INPUT, "f0": PITCH_INPUT})
        except ModuleNotFoundError as error:
            raise InputError(
                f"{error.name} is not installed: pip install 'oneleap[singing-data]'"
            ) from None

    def sing(
        self, notes: Sequence[SungNote], manner: Manner, rng: np.random.Generator
    ) -> tuple[ScoreSegment, Wave]:
        """Sing a phrase.

        Args:
            notes: Its notes; the first has phonemes.
            manner: Vibrato, glides and scoops.
            rng: Source of the drift of the pitch and of the noise.

        Returns:
            The phrase with durations, notes and pitch every 5 ms, and the sound at 24 kHz.
        """
        layout = lay_out(notes, self._speaker.speaker.vocab, self._natural)
        frames = FRAMES_PER_UNIT * int(layout.units.sum())
        midi = [note.midi for note in notes]
        starts = layout.onsets * UNIT_S
        wanted = midi_to_hz(sung_pitch(midi, starts, frames, HOP / RATE, manner, rng))
        ids = self._ids(layout.text)
        source = stretch(layout)
        nearest = np.rint(source).astype(np.int64)
        spoken = np.interp(np.arange(FRAMES_PER_UNIT * layout.fed.sum()), source, wanted)
        voiced = (self._run(ids, layout.fed, spoken, ("f0",))[0][0] > LOWEST_HZ)[nearest]
        voiced |= np.repeat(layout.vowels, FRAMES_PER_UNIT * layout.units)
        f0 = np.where(voiced, wanted, 0.0).astype(np.float32)
        heard = np.zeros(len(spoken), bool)
        heard[nearest[voiced]] = True
        names = ("lh", "theta", "ln", "lr", "phi")
        parts = self._run(ids, layout.fed, spoken * heard, names)
        spectra = hold([x[0] for x in parts], source)
        seed = int(rng.integers(2**31))
        wave = self._speaker.sound(spectra, f0, seed)
        curve = Curve(pitch_each_5ms(f0, first_s=HOP / RATE).astype(np.float64), 0.005)
        return _segment(notes, layout, curve), wave

    def sing_score(
        self,
        score: Score,
        rng: np.random.Generator,
        manner: Manner = Manner(),  # noqa: B008  (frozen)
    ) -> tuple[ScoreSegment, Wave]:
        """Sing a score with English lyrics; its phrases are separated by rests.

        Args:
            score: The score.
            rng: Source of the drift of the pitch and of the noise.
            manner: Vibrato, glides and scoops.

        Returns:
            The whole song as one segment without pitch, and the sound.
        """
        sung = [i for i, note in enumerate(score.notes) if note.midi is not None and not note.slur]
        read = read_lyrics([score.notes[i].lyric + "-" * score.notes[i].hyphen for i in sung])
        phones = dict(zip(sung, read, strict=True))
        parts, waves, phrase = list[ScoreSegment](), list[Wave](), list[SungNote]()
        beat = Fraction(0)
        for i, note in enumerate(score.notes):
            seconds = score.time_at(beat + note.beats) - score.time_at(beat)
            beat += note.beats
            if note.midi is not None:
                phrase.append(SungNote(tuple(phones.get(i, ())), note.midi, seconds))
            if phrase and (note.midi is None or i + 1 == len(score.notes)):
                segment, wave = self.sing(phrase, manner, rng)
                parts.append(segment)
                waves.append(wave)
                phrase = []
        return _join(parts), concatenate(waves, 0.0)

    def _ids(self, text: str) -> NDArray[np.int64]:
        speaker = self._speaker.speaker
        return np.array([speaker.ids([c for c in text if c in speaker.vocab])], np.int64)

    def _run(
        self,
        ids: NDArray[np.int64],
        units: NDArray[np.int64],
        f0: NDArray[np.floating[Any]],
        outputs: tuple[str, ...],
    ) -> list[NDArray[np.float32]]:
        feeds = {
            "ids": ids,
            "speed": np.ones(1, np.float32),
            DURATION_INPUT: units.astype(np.float32),
            PITCH_INPUT: f0.astype(np.float32)[None],
        }
        found: list[NDArray[np.float32]] = self._graph.run(list(outputs), feeds)
        return found

    def _natural(self, text: str) -> NDArray[np.int64]:
        """Durations of a spoken text in units, one for each token."""
        feeds = {"ids": self._ids(text), "speed": np.ones(1, np.float32)}
        found = self._speaker.session.run([DURATIONS], feeds)[0]
        units: NDArray[np.int64] = np.rint(found).astype(np.int64)
        return units


def _segment(notes: Sequence[SungNote], layout: Layout, f0: Curve) -> ScoreSegment:
    phones = [phone for note in notes for phone in note.phones]
    units = np.bincount(layout.phoneme[1:-2], layout.units[1:-2], len(phones))
    beats = nuclei(notes)
    counts = np.diff([*beats, len(phones)])
    lengths = np.diff(layout.onsets)
    tail = int(layout.units[-2:].sum())
    return ScoreSegment(
        ph_seq=(SILENCE, *(phone.name for phone in phones), SILENCE),
        ph_num=(1 + beats[0], *(int(n) for n in counts), 1),
        ph_dur=tuple(float(n) * UNIT_S for n in (layout.units[0], *units, tail)),
        note_midi=(None, *(note.midi for note in notes), None),
        note_dur=tuple(float(n) * UNIT_S for n in (layout.onsets[0], *lengths, tail)),
        note_slur=(False, *(not note.phones for note in notes), False),
        f0=f0,
    )


def _join(parts: Sequence[ScoreSegment]) -> ScoreSegment:
    """One segment of consecutive ones."""
    return ScoreSegment(
        ph_seq=tuple(x for part in parts for x in part.ph_seq),
        ph_num=tuple(x for part in parts for x in part.ph_num),
        ph_dur=tuple(x for part in parts for x in part.ph_dur),
        note_midi=tuple(x for part in parts for x in part.note_midi),
        note_dur=tuple(x for part in parts for x in part.note_dur),
        note_slur=tuple(x for part in parts for x in part.note_slur),
    )
