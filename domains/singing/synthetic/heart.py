"""The speaking voice heart made to sing: its network gets durations and pitch of a score."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.audio.synthetic.hibari import DURATIONS, FAINTEST, HOP, RATE, Hibari, graph
from oneleap.domains.audio.synthetic.teachers import LOWEST_HZ, UNIT_S, pitch_each_5ms
from oneleap.domains.audio.wave import Wave, concatenate
from oneleap.domains.singing.lyrics.english import ENGLISH_VOWELS, Phone, read_lyrics
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.manner import Manner, sung_pitch
from oneleap.domains.singing.segments.pitch import midi_to_hz
from oneleap.domains.singing.segments.segment import SILENCE, Curve, ScoreSegment

PITCH_INPUT, DURATION_INPUT = "f0_in", "durations_in"
"""Names of the inputs that are added to the graph."""

CONSONANT_SHARE = 0.6
"""Largest share of a note that its consonants take."""

CONSONANT_STRETCH = 2.0
"""Durations of sung consonants, as a multiple of those of speech. Of the words of twenty songs
whisper-base heard 6.4 % wrong with 1.5, and 3.5 % with 2."""

LONGEST_VOWEL = 1.0
"""Duration that the network gives a vowel at most, as a multiple of that in speech. It lets longer
ones fade."""

VOICED_HZ = 4000.0
"""Frequency up to which the remainder of a held vowel counts as voice, above it as noise."""

EDGE = 1 / 3
"""Share of a vowel at either end that keeps its speed when the vowel is stretched."""

MARKS = " ˈˌ"
"""Tokens between phonemes, which keep the durations of speech."""

LEAD_S, TAIL_S = 0.3, 0.25
"""Silence before and after a phrase, in seconds, at least; consonants before the first note are
taken from it."""

SPACE, END_MARK = " ", "."

FRAMES_PER_UNIT = 2
"""Frames of 12.5 ms in a unit of 25 ms."""


@dataclass(frozen=True)
class SungNote:
    """A note of a phrase.

    Attributes:
        phones: Phonemes that are sung on it; none if the vowel before goes on.
        midi: Pitch in semitones.
        seconds: Length in seconds.
    """

    phones: tuple[Phone, ...]
    midi: float
    seconds: float


@dataclass(frozen=True)
class _Layout:
    """Durations of a phrase.

    Attributes:
        text: Letters for the network.
        units: Duration of each token of the network, in units of 25 ms.
        fed: Duration that the network is given; shorter in long vowels.
        phoneme: Number of the phoneme of each token; -1 before the first, -2 after the last.
        vowels: Whether each token belongs to a vowel.
        onsets: Unit at which each note starts, and the unit at which the last note ends.
    """

    text: str
    units: NDArray[np.int64]
    fed: NDArray[np.int64]
    phoneme: NDArray[np.int64]
    vowels: NDArray[np.bool_]
    onsets: NDArray[np.int64]


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
            self._graph = _with_inputs(graph())
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
        layout = self._lay_out(notes)
        frames = FRAMES_PER_UNIT * int(layout.units.sum())
        midi = [note.midi for note in notes]
        starts = layout.onsets * UNIT_S
        wanted = midi_to_hz(sung_pitch(midi, starts, frames, HOP / RATE, manner, rng))
        ids = self._ids(layout.text)
        source = stretch(layout)
        nearest = np.rint(source).astype(np.int64)
        compressed = np.interp(np.arange(FRAMES_PER_UNIT * layout.fed.sum()), source, wanted)
        voiced = (self._run(ids, layout.fed, compressed, ("f0",))[0][0] > LOWEST_HZ)[nearest]
        voiced |= np.repeat(layout.vowels, FRAMES_PER_UNIT * layout.units)
        f0 = np.where(voiced, wanted, 0.0).astype(np.float32)
        fed_f0 = np.interp(np.arange(len(compressed)), source, wanted)
        fed_f0[np.setdiff1d(np.arange(len(compressed)), nearest[voiced])] = 0.0
        names = ("lh", "theta", "ln", "lr", "phi")
        parts = self._run(ids, layout.fed, fed_f0, names)
        spectra = hold([x[0] for x in parts], source)
        seed = int(rng.integers(2**31))
        wave = self._speaker.sound(spectra, f0, seed)
        curve = Curve(pitch_each_5ms(f0, first_s=HOP / RATE).astype(np.float64), 0.005)
        return _segment(notes, layout, curve), wave

    def sing_score(
        self,
        score: Score,
        rng: np.random.Generator,
        manner: Manner = Manner(),  # noqa: B008
    ) -> tuple[ScoreSegment, Wave]:
        """Sing a score with English lyrics; its phrases are separated by rests.

        Args:
            score: The score.
            rng: Source of the drift of the pitch and of the noise.
            manner: Vibrato, glides and scoops.

        Returns:
            The whole song as one segment without pitch, and the sound.
        """
        sung = [i for i, note in enumerate(score.notes) if note.midi is not None]
        read = read_lyrics([score.notes[i].lyric for i in sung])
        phones = dict(zip(sung, read, strict=True))
        parts, waves, phrase = list[ScoreSegment](), list[Wave](), list[SungNote]()
        beat = Fraction(0)
        for i, note in enumerate(score.notes):
            seconds = score.time_at(beat + note.beats) - score.time_at(beat)
            beat += note.beats
            if note.midi is not None:
                phrase.append(SungNote(tuple(phones[i]), note.midi, seconds))
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

    def _lay_out(self, notes: Sequence[SungNote]) -> _Layout:
        phones = [phone for note in notes for phone in note.phones]
        vocabulary = self._speaker.speaker.vocab
        letters = [
            (c, i - (c == SPACE))  # the gap before a word belongs to the phoneme before
            for i, phone in enumerate(phones)
            for c in phone.written
            if c in vocabulary
        ][phones[0].written[0] == SPACE :]
        text = "".join(c for c, _ in letters) + END_MARK
        natural = self._natural(text)
        owner = np.array([-1, *(i for _, i in letters), -2, -2])
        mark = np.array([False, *(c in MARKS for c, _ in letters), False, False])
        spoken = np.bincount(owner[1:-2], natural[1:-2], len(phones))
        lead = round(LEAD_S / UNIT_S)
        beats = np.cumsum([0.0, *(note.seconds for note in notes)]) / UNIT_S
        onsets = lead + np.rint(beats).astype(np.int64)
        first = onsets[[k for k, note in enumerate(notes) if note.phones]]
        starts = np.append(first, onsets[-1])
        beats_at = nuclei(notes)
        names = [p.name for p in phones]
        sung = fit_consonants(names, beats_at, CONSONANT_STRETCH * spoken, starts)
        units = np.zeros(len(owner), np.int64)
        for i, total in enumerate(sung.tolist()):
            units[owner == i] = _share(total, natural[owner == i], mark[owner == i])
        units[0] = max(1, starts[0] - sung[: beats_at[0]].sum())
        tail = round(TAIL_S / UNIT_S)
        units[-2:] = tail // 2, tail - tail // 2
        vowel = np.array([i >= 0 and names[i] in ENGLISH_VOWELS for i in owner])
        most = np.maximum(np.rint(LONGEST_VOWEL * natural), 4).astype(np.int64)
        fed = np.where(vowel, np.minimum(units, most), units)
        return _Layout(text, units, fed, owner, vowel, onsets)


def stretch(layout: _Layout) -> NDArray[np.float64]:
    """Frame of the network's output that each frame of the song takes.

    Tokens that the network was given in full are taken as they are. The middle of the others is
    stretched.

    Args:
        layout: Durations.

    Returns:
        Positions in the output, (frames,), from 0 on and rising.
    """
    found, first = list[NDArray[np.float64]](), 0.0
    for units, fed in zip(
        FRAMES_PER_UNIT * layout.units, FRAMES_PER_UNIT * layout.fed, strict=True
    ):
        edge = int(EDGE * fed)
        corners = (0, edge, units - edge, units)
        found.append(first + np.interp(np.arange(units), corners, (0, edge, fed - edge, fed)))
        first += fed
    last = FRAMES_PER_UNIT * layout.fed.sum() - 1
    return np.minimum(np.concatenate(found), last)


def hold(
    spectra: Sequence[NDArray[np.float32]], source: NDArray[np.float64]
) -> list[NDArray[np.float32]]:
    """Spectra at the frames of the song.

    Logarithms of amplitudes are interpolated. Where frames are stretched, the phases of the
    remainder would repeat and buzz. There it becomes a part of the harmonics, and above 4 kHz of
    the noise, with equal power.

    Args:
        spectra: The network's log amplitude and phase of the harmonics, log amplitude of the noise,
            log amplitude and phase of the remainder, (bins, frames) each.
        source: Frame of each frame of the song; see :func:`stretch`.

    Returns:
        The five spectra, (bins, frames of the song).
    """
    low = source.astype(np.int64)
    high, share = np.minimum(low + 1, spectra[0].shape[1] - 1), (source - low).astype(np.float32)
    harmonic, turn, noise, rest = (
        x[:, low] * (1 - share) + x[:, high] * share for x in spectra[:4]
    )
    held = np.gradient(source) < 0.75
    voice = round(VOICED_HZ * len(rest) / (RATE / 2))
    for part, bins in ((harmonic, slice(voice)), (noise, slice(voice, None))):
        part[bins, held] = 0.5 * np.logaddexp(2 * part[bins, held], 2 * rest[bins, held])
    rest[:, held] = FAINTEST
    phase = spectra[4][:, np.rint(source).astype(np.int64)]
    return [x.astype(np.float32) for x in (harmonic, turn, noise, rest, phase)]


def _share(total: int, natural: NDArray[np.int64], mark: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Units of the tokens of a phoneme: marks keep theirs, up to half; letters share the rest."""
    found: NDArray[np.int64] = np.where(mark, natural, 0)
    if found.sum() > total // 2:
        found = found * (total // 2) // found.sum()
    letters = np.flatnonzero(~mark)
    ends = np.linspace(0, total - found.sum(), len(letters) + 1).round()
    found[letters] = np.diff(ends).astype(np.int64)
    return found


def nuclei(notes: Sequence[SungNote]) -> list[int]:
    """Number of the phoneme on the beat of each note that has phonemes: its first vowel."""
    found, first = list[int](), 0
    for note in notes:
        if note.phones:
            vowels = [i for i, p in enumerate(note.phones) if p.name in ENGLISH_VOWELS]
            found.append(first + (vowels[0] if vowels else 0))
        first += len(note.phones)
    return found


def fit_consonants(
    names: Sequence[str],
    beats: Sequence[int],
    spoken: NDArray[np.floating[Any]],
    starts: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Durations of sung phonemes: consonants keep theirs, and vowels take the rest of the note.

    Args:
        names: Phonemes in ARPABET.
        beats: Numbers of the phonemes that are on the beat of a note.
        spoken: Duration of each phoneme in speech, in units.
        starts: Unit at which each of those notes starts, and the end of the last one.

    Returns:
        Duration of each phoneme in units. Consonants before the first beat end at ``starts[0]``.
    """
    units: NDArray[np.int64] = np.maximum(np.rint(spoken), 1).astype(np.int64)
    held = np.array([name in ENGLISH_VOWELS for name in names])
    held[list(beats)] = True
    ends = [*beats[1:], len(names)]
    for one, stop, start, end in zip(beats, ends, starts[:-1], starts[1:], strict=True):
        own, vowel = units[one:stop], held[one:stop]
        most, spent = int(CONSONANT_SHARE * (end - start)), int(own[~vowel].sum())
        if spent > most:
            own[~vowel] = np.maximum(1, own[~vowel] * most // spent)
        rest = end - start - own[~vowel].sum()
        shares = np.diff(np.linspace(0, rest, vowel.sum() + 1).round()).astype(np.int64)
        own[vowel] = np.maximum(1, shares)
    return units


def _segment(notes: Sequence[SungNote], layout: _Layout, f0: Curve) -> ScoreSegment:
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


def _with_inputs(model_bytes: bytes) -> Any:
    """Session of the graph with durations and pitch as inputs."""
    import onnx
    import onnxruntime

    model = onnx.load_from_string(model_bytes)
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            if name == DURATIONS:
                node.input[i] = DURATION_INPUT
            elif name == "f0":
                node.input[i] = PITCH_INPUT
    for name in (DURATION_INPUT, PITCH_INPUT):
        info = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        model.graph.input.append(info)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
