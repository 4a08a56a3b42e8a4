"""Tunes of our own, by chance and a few rules: their melody, form and dynamics are known exactly.

They are no art. They teach a small model what the controls of a piece are about, and they are
the truth that a control is measured against.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BEATS = 4
"""In a bar."""

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
"""Semitones above the tonic."""

FORMS = ("AABA", "ABA", "AAB", "ABAB", "ABAC", "ABCA")

PROGRESSIONS = ((0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 5, 3), (5, 3, 0, 4), (0, 3, 0, 4), (1, 4, 0, 0))
"""Degrees of the scale, a bar each."""

RHYTHMS = (
    (1.0, 1.0, 1.0, 1.0),
    (0.5, 0.5, 1.0, 0.5, 0.5, 1.0),
    (1.5, 0.5, 1.0, 1.0),
    (2.0, 1.0, 1.0),
    (1.0, 0.5, 0.5, 2.0),
    (0.5, 0.5, 0.5, 0.5, 1.0, 1.0),
    (3.0, 1.0),
)
"""Beats of the melody's notes in a bar."""

FAMILIES = {
    "piano": (0,),
    "mallets": (10, 11, 12),
    "organ": (19, 21),
    "guitar": (24, 25),
    "strings": (40, 48),
    "choir": (52, 53),
    "brass": (56, 60, 61),
    "reeds": (65, 68, 71),
    "flutes": (73, 74, 79),
    "synth": (80, 81),
}
"""General MIDI programs of the melody."""

CHORDS, BASSES = (0, 4, 19, 24, 46, 48, 52, 89), (32, 33, 38, 43, 58)
"""General MIDI programs of the accompaniment."""

DRUMS = 9
"""General MIDI's channel of percussion, from 0."""

SOFTEST_DB = -20.0


class Note(NamedTuple):
    """One note.

    Attributes:
        start: Beats from the beginning.
        length: Beats.
        pitch: MIDI number; middle C is 60.
        velocity: 1 to 127.
    """

    start: float
    length: float
    pitch: int
    velocity: int


class Part(NamedTuple):
    """What one instrument plays.

    Attributes:
        name: ``melody A``, ``chords A``, ``bass B``, ``drums``: the role and the section.
        channel: From 0.
        program: Of General MIDI, from 0.
        notes: In order.
    """

    name: str
    channel: int
    program: int
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Tune:
    """A piece.

    Attributes:
        tempo: Beats a minute.
        tonic: Pitch class, C is 0.
        mode: ``major`` or ``minor``.
        form: A letter for each section; the same letter is the same music.
        bars: Of each section.
        parts: Of the instruments.
        dynamics: Loudness below the loudest, dB, at each beat of the piece and at its end.
        tags: Words that describe it.
    """

    tempo: float
    tonic: int
    mode: str
    form: str
    bars: int
    parts: tuple[Part, ...]
    dynamics: tuple[float, ...]
    tags: tuple[str, ...]

    @property
    def beats(self) -> int:
        """Of the whole piece."""
        return len(self.form) * self.bars * BEATS

    @property
    def seconds(self) -> float:
        """How long it is, without the last notes' decay."""
        return self.beats * 60 / self.tempo

    @property
    def starts(self) -> tuple[float, ...]:
        """Seconds at which the sections begin."""
        return tuple(k * self.bars * BEATS * 60 / self.tempo for k in range(len(self.form)))


class Section(NamedTuple):
    """The music of one letter: notes count from its own beginning."""

    melody: tuple[Note, ...]
    chords: tuple[Note, ...]
    bass: tuple[Note, ...]
    drums: tuple[Note, ...]
    programs: tuple[int, int, int]
    family: str


def compose_tune(seed: int, seconds: float = 30.0) -> Tune:
    """A tune of about so many seconds; the same seed is the same tune.

    Half of the tunes change their sections within a few seconds, so that a short clip of them has
    a form; the others are made of sections of four bars.
    """
    rng = np.random.default_rng((seed, 7))
    tempo = float(rng.integers(76, 150))
    mode, tonic = str(rng.choice(list(SCALES))), int(rng.integers(12))
    bars = int(rng.choice([1, 1, 2, 4]))
    once = str(rng.choice(FORMS))
    count = max(len(once), round(seconds * tempo / 60 / BEATS / bars))
    form = (once * (count // len(once) + 1))[:count]
    families = rng.permutation(list(FAMILIES))
    with_drums = bool(rng.random() < 0.5)
    sections = {
        letter: _section(rng, bars, tonic, mode, str(family), with_drums)
        for letter, family in zip(sorted(set(form)), families, strict=False)
    }
    pace = "slow" if tempo < 95 else "fast" if tempo > 125 else "moderate"
    drums = "drums" if with_drums else "no-drums"
    tags = (mode, pace, drums, sections["A"].family)
    parts = tuple(_parts(sections, form, bars))
    dynamics = tuple(_dynamics(rng, count * bars * BEATS).tolist())
    return Tune(tempo, tonic, mode, form, bars, parts, dynamics, tags)


def _parts(sections: dict[str, Section], form: str, bars: int) -> list[Part]:
    """Each letter has instruments of its own; all share the drums."""
    parts, channels = [], (c for c in range(16) if c != DRUMS)
    for letter, section in sections.items():
        at = [k * bars * BEATS for k, name in enumerate(form) if name == letter]
        roles = zip(("melody", "chords", "bass"), section[:3], section.programs, strict=True)
        for role, notes, program in roles:
            channel = next(channels)
            if notes:
                parts.append(Part(f"{role} {letter}", channel, program, _moved(notes, at)))
    drums = [
        note
        for k, letter in enumerate(form)
        for note in _moved(sections[letter].drums, [k * bars * BEATS])
    ]
    return [*parts, Part("drums", DRUMS, 0, tuple(drums))] if drums else parts


def _moved(notes: tuple[Note, ...], at: list[int]) -> tuple[Note, ...]:
    return tuple(note._replace(start=float(note.start + first)) for first in at for note in notes)


def _section(
    rng: np.random.Generator, bars: int, tonic: int, mode: str, family: str, drums: bool
) -> Section:
    progression = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    degrees = [progression[k % len(progression)] for k in range(bars)]
    full = bool(rng.random() < 0.75)
    programs = tuple(int(rng.choice(of)) for of in (FAMILIES[family], CHORDS, BASSES))
    return Section(
        _melody(rng, degrees, tonic, mode),
        _chords(rng, degrees, tonic, mode) if full else (),
        _bass(degrees, tonic, mode) if full or rng.random() < 0.5 else (),
        _drums(rng, bars) if drums else (),
        (programs[0], programs[1], programs[2]),
        family,
    )


def pitch(degree: int, tonic: int, mode: str, low: int) -> int:
    """The pitch of a degree of the scale, degree 0 being the first tonic from ``low`` upwards."""
    octave, step = divmod(degree, len(SCALES[mode]))
    return low + (tonic - low) % 12 + 12 * octave + SCALES[mode][step]


def _melody(
    rng: np.random.Generator, degrees: list[int], tonic: int, mode: str
) -> tuple[Note, ...]:
    """A walk over the scale, a note of the chord at the beginning of each bar."""
    rhythm, notes = RHYTHMS[rng.integers(len(RHYTHMS))], list[Note]()
    at = int(rng.integers(2, 9))
    for bar, chord in enumerate(degrees):
        if rng.random() < 0.3:
            rhythm = RHYTHMS[rng.integers(len(RHYTHMS))]
        beat = 0.0
        for k, length in enumerate(rhythm):
            if k == 0:
                tones = [chord + third + 7 * octave for third in (0, 2, 4) for octave in (0, 1)]
                at = min(tones, key=lambda tone: abs(tone - at))
            else:
                at = int(np.clip(at + rng.choice([-2, -1, -1, 0, 1, 1, 2]), 0, 12))
            if rng.random() > 0.06:
                sounded = pitch(at, tonic, mode, 60)
                velocity = int(rng.integers(95, 118))
                notes.append(Note(bar * BEATS + beat, 0.95 * length, sounded, velocity))
            beat += length
    return tuple(notes)


def _chords(
    rng: np.random.Generator, degrees: list[int], tonic: int, mode: str
) -> tuple[Note, ...]:
    """Triads below middle C: held, or broken into eighths."""
    broken, notes = bool(rng.random() < 0.5), list[Note]()
    for bar, chord in enumerate(degrees):
        tones = [48 + (pitch(chord + third, tonic, mode, 36) % 12) for third in (0, 2, 4)]
        if broken:
            order = [sorted(tones)[k] for k in (0, 1, 2, 1)] * 2
            notes += [Note(bar * BEATS + k / 2, 0.5, p, 62) for k, p in enumerate(order)]
        else:
            notes += [Note(bar * BEATS, BEATS * 0.98, p, 58) for p in sorted(tones)]
    return tuple(notes)


def _bass(degrees: list[int], tonic: int, mode: str) -> tuple[Note, ...]:
    """The root, twice a bar."""
    roots = [36 + pitch(chord, tonic, mode, 36) % 12 for chord in degrees]
    return tuple(
        Note(bar * BEATS + beat, 1.9, root, 72) for bar, root in enumerate(roots) for beat in (0, 2)
    )


def _drums(rng: np.random.Generator, bars: int) -> tuple[Note, ...]:
    """Bass drum, snare and hi-hat of General MIDI: 36, 38, 42."""
    eighths = bool(rng.random() < 0.5)
    notes = list[Note]()
    for bar in range(bars):
        first = bar * BEATS
        notes += [Note(first + beat, 0.25, 36, 84) for beat in (0, 2)]
        notes += [Note(first + beat, 0.25, 38, 74) for beat in (1, 3)]
        notes += [Note(first + k / 2, 0.25, 42, 52) for k in range(0, 8, 1 if eighths else 2)]
    return tuple(sorted(notes))


def _dynamics(rng: np.random.Generator, beats: int) -> NDArray[np.float64]:
    """Straight lines in dB between levels some beats apart; a third of the pieces are level."""
    times = np.arange(beats + 1)
    if rng.random() < 1 / 3:
        return np.full(beats + 1, float(rng.uniform(-8, 0)))
    knots = np.cumsum([0, *rng.choice([4, 6, 8, 12, 16], size=beats // 4 + 2)])
    levels = rng.uniform(SOFTEST_DB, 0.0, len(knots))
    return np.asarray(np.interp(times, knots, levels))
