"""Sinsy, the HMM singer: a score to labels, wave and pitch."""

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.lyrics.mora import LONG, VOWELS
from oneleap.domains.singing.lyrics.phonemes import CARRIERS
from oneleap.domains.singing.scores.musicxml_write import write_musicxml
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.hts import read_labels, segment_of
from oneleap.domains.singing.segments.segment import Curve, Segment
from oneleap.domains.singing.segments.timing import shifted
from oneleap.domains.singing.synthetic.retune import aperiodicity, power, synthesised, tuned

STEP_S = 0.005
"""Seconds between two values of f0."""

RATE = 48_000
"""Hz."""

LICENCE = "NIT SONG070 F001, (c) 2004-2015 Nagoya Institute of Technology, CC BY 3.0"
"""Of the voice that pysinsy ships."""

INSTALL = (
    "pip install cython 'setuptools<70' wheel cmake ninja, then "
    "pip install --no-build-isolation pysinsy (it needs a C++ compiler)"
)


COMFORT = (62, 75)
"""Range in which the voice is true and voiced, semitones: D4 to D#5."""


class Take(NamedTuple):
    """A score as Sinsy sings it.

    Attributes:
        segment: The whole song, with durations, notes and f0 every 5 ms.
        wave: At 48 kHz.
    """

    segment: Segment
    wave: Wave


class Sinsy:
    """The singer, with the voice that pysinsy ships.

    Raises:
        InputError: If pysinsy or ``hts_engine`` is missing; the line says how to install them.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports setuptools' old pkg_resources
            try:
                import pysinsy
                from pysinsy.sinsy import Sinsy as Engine
            except ModuleNotFoundError:
                raise InputError(f"pysinsy is not installed: {INSTALL}") from None
        program = shutil.which("hts_engine")
        if program is None:
            raise InputError(
                "hts_engine is not installed: apt install htsengine (Debian, Ubuntu), or build "
                "hts_engine_API from hts-engine.sourceforge.net"
            )
        self._program = program
        self.voice = str(pysinsy.get_default_htsvoice())
        self._engine = Engine()
        with _quiet():
            self._engine.setLanguages("j", pysinsy.get_default_dic_dir())
            self._engine.loadVoices(self.voice)

    def sing(self, score: Score) -> Take:
        """Sing a score with Japanese lyrics in kana, see :meth:`render`.

        Raises:
            InputError: If Sinsy cannot sing it.
        """
        away = comfortable(score)
        return self.render(self.labels(transposed(score, away)), -away)

    def labels(self, score: Score) -> tuple[str, ...]:
        """Lines of the score's labels, with times left open inside notes.

        A slur is handed over as a long vowel: to a note without a lyric the voice has no sound.
        Not to be called from two threads at a time.

        Raises:
            InputError: If Sinsy cannot read it.
        """
        with tempfile.TemporaryDirectory() as name, _quiet():
            path = Path(name, "score.xml")
            write_musicxml(path, prolonged(score))
            self._engine.loadScoreFromMusicXML(str(path))
            lines = tuple(str(line) for line in self._engine.createLabelData(False, 1, 2).getData())
            self._engine.clearScore()
        if not lines:
            raise InputError(f"Sinsy cannot sing '{score.title}'")
        return lines

    def render(self, labels: tuple[str, ...], semitones: int = 0) -> Take:
        """The take of some labels, in another key.

        ``hts_engine``, a process of its own, fills in the times that are open by the voice's
        durations (option ``-vp``), and says spectra and pitch. The pitch is moved onto the notes
        (:func:`retune.tuned`) and to the key, and sounds by WORLD under the same spectra.

        Args:
            labels: Of :meth:`labels`.
            semitones: The take is so much higher than the labels.

        Raises:
            InputError: If ``hts_engine`` fails.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            text = "".join(f"{line}\n" for line in labels)
            (folder / "in.lab").write_text(text, encoding="utf-8")
            command = [self._program, "-m", self.voice, "-vp", str(folder / "in.lab")]
            for option, file in (("-od", "lab"), ("-of", "f0"), ("-om", "mgc"), ("-ol", "lpf")):
                command += [option, str(folder / file)]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode != 0 or not (folder / "lpf").exists():
                said = " ".join(run.stderr.split())[:200]
                raise InputError(f"hts_engine failed: {said or 'it said nothing'}")
            made = read_labels(folder / "lab")
            log_f0, mgc, lpf = (np.fromfile(folder / x, np.float32) for x in ("f0", "mgc", "lpf"))
        frames = len(log_f0)
        f0 = np.where(log_f0 > 0, np.exp(np.maximum(log_f0, 0)), 0.0).astype(np.float64)
        f0 = tuned(f0, made, STEP_S, frozenset(VOWELS)) * 2.0 ** (semitones / 12)
        noise = aperiodicity(lpf.reshape(frames, -1)[0])
        samples = synthesised(f0, power(mgc.reshape(frames, -1)), noise, STEP_S, RATE)
        segment = shifted(segment_of(made, CARRIERS), float(semitones))
        wave = Wave(samples.clip(-1, 1).astype(np.float32), RATE)
        return Take(replace(segment, f0=Curve(f0, STEP_S)), wave)


def prolonged(score: Score) -> Score:
    """A score whose slurs have the lyric of a long vowel."""
    notes = (replace(n, slur=False, lyric=LONG) if n.slur else n for n in score.notes)
    return replace(score, notes=tuple(notes))


def comfortable(score: Score) -> int:
    """Semitones by which a score is moved so that most of its notes are comfortable."""
    pitches = np.array([n.midi for n in score.notes if n.midi is not None])
    low, high = COMFORT

    def strain(shift: int) -> float:
        moved = pitches + shift
        return float((np.maximum(low - moved, 0) + np.maximum(moved - high, 0)).sum())

    return min(range(-24, 25), key=lambda shift: (strain(shift), abs(shift)))


def transposed(score: Score, semitones: int) -> Score:
    """A score in another key.

    Raises:
        InputError: If a note leaves the range of 0 to 127.
    """
    notes = (n if n.midi is None else replace(n, midi=n.midi + semitones) for n in score.notes)
    return replace(score, notes=tuple(notes))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what C++ prints to the streams themselves."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        yield
    finally:
        for stream, old in zip((1, 2), kept, strict=True):
            os.dup2(old, stream)
            os.close(old)
        os.close(nothing)
