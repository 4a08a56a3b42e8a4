"""Sinsy, an HMM singer: a score to labels, sound and pitch."""

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
from oneleap.domains.singing.lyrics.mora import LONG_VOWEL_MARK, VOWELS
from oneleap.domains.singing.lyrics.phonemizer import SYLLABIC
from oneleap.domains.singing.scores.musicxml_write import write_musicxml
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.hts import read_labels
from oneleap.domains.singing.segments.hts_segments import labels_to_segment
from oneleap.domains.singing.segments.segment import Curve, ScoreSegment
from oneleap.domains.singing.segments.transforms import transpose
from oneleap.domains.singing.synthetic.pitch_correction import correct_pitch
from oneleap.domains.singing.synthetic.synthesis import aperiodicity, power_spectrum, synthesize

STEP_S = 0.005
"""Time between two values of f0, seconds."""

SAMPLE_RATE = 48_000
"""Sample rate of the sound, Hz."""

LICENSE = "NIT SONG070 F001, (c) 2004-2015 Nagoya Institute of Technology, CC BY 3.0"
"""License of the voice in pysinsy."""

INSTALL = (
    "pip install cython 'setuptools<70' wheel cmake ninja, then "
    "pip install --no-build-isolation pysinsy (it needs a C++ compiler)"
)
"""How to install pysinsy."""

COMFORTABLE_RANGE = (62, 75)
"""Range in which the voice is in tune and voiced, semitones: D4 to D#5."""


class Performance(NamedTuple):
    """A score as Sinsy sings it.

    Attributes:
        segment: The whole song, with durations, notes and f0 every 5 ms.
        wave: The sound at 48 kHz.
    """

    segment: ScoreSegment
    wave: Wave


class Sinsy:
    """The singer, with the voice that pysinsy contains.

    Raises:
        InputError: If pysinsy or ``hts_engine`` is missing; the message says how to install it.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pysinsy imports pkg_resources, which warns
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
        with suppress_output():
            self._engine.setLanguages("j", pysinsy.get_default_dic_dir())
            self._engine.loadVoices(self.voice)

    def sing(self, score: Score) -> Performance:
        """Sing a score with Japanese lyrics in kana, in the voice's comfortable range.

        The performance is transposed back to the key of the score; see :meth:`render`.

        Raises:
            InputError: If Sinsy cannot sing the score.
        """
        shift = comfortable_shift(score)
        return self.render(self.labels(transpose_score(score, shift)), -shift)

    def labels(self, score: Score) -> tuple[str, ...]:
        """Convert a score to lines of labels; the times inside notes are still unknown.

        A slur becomes a long vowel, because the voice is silent on a note without a lyric. Two
        threads must not call this method at the same time.

        Raises:
            InputError: If Sinsy cannot read the score.
        """
        with tempfile.TemporaryDirectory() as name, suppress_output():
            path = Path(name, "score.xml")
            write_musicxml(path, slurs_to_long_vowels(score))
            self._engine.loadScoreFromMusicXML(str(path))
            lines = tuple(str(line) for line in self._engine.createLabelData(False, 1, 2).getData())
            self._engine.clearScore()
        if not lines:
            raise InputError(f"Sinsy cannot sing '{score.title}'")
        return lines

    def render(self, labels: tuple[str, ...], semitones: int = 0) -> Performance:
        """Sing labels.

        ``hts_engine``, a separate process, fills in the unknown times by the durations of the voice
        (option ``-vp``) and computes spectra and pitch. Then :func:`correct_pitch` moves the pitch
        to the notes, and WORLD synthesizes the sound from it and the spectra.

        Args:
            labels: Lines from :meth:`labels`.
            semitones: Interval by which the performance is higher than the labels.

        Returns:
            The performance.

        Raises:
            InputError: If ``hts_engine`` fails.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            text = "".join(f"{line}\n" for line in labels)
            (folder / "in.lab").write_text(text, encoding="utf-8")
            arguments = [self._program, "-m", self.voice, "-vp", str(folder / "in.lab")]
            for option, file in (("-od", "lab"), ("-of", "f0"), ("-om", "mgc"), ("-ol", "lpf")):
                arguments += [option, str(folder / file)]
            run = subprocess.run(arguments, capture_output=True, text=True, check=False)
            if run.returncode != 0 or not (folder / "lpf").exists():
                reason = " ".join(run.stderr.split())[:200]
                raise InputError(f"hts_engine failed: {reason or 'it gave no reason'}")
            timed = read_labels(folder / "lab")
            log_f0, mgc, lpf = (np.fromfile(folder / x, np.float32) for x in ("f0", "mgc", "lpf"))
        frames = len(log_f0)
        f0 = np.where(log_f0 > 0, np.exp(np.maximum(log_f0, 0)), 0.0).astype(np.float64)
        f0 = correct_pitch(f0, timed, STEP_S, frozenset(VOWELS)) * 2.0 ** (semitones / 12)
        noise = aperiodicity(lpf.reshape(frames, -1)[0])
        spectra = power_spectrum(mgc.reshape(frames, -1))
        samples = synthesize(f0, spectra, noise, STEP_S, SAMPLE_RATE)
        segment = transpose(labels_to_segment(timed, SYLLABIC), float(semitones))
        wave = Wave(samples.clip(-1, 1).astype(np.float32), SAMPLE_RATE)
        return Performance(replace(segment, f0=Curve(f0, STEP_S)), wave)


def slurs_to_long_vowels(score: Score) -> Score:
    """Replace each slur of a score by a note whose lyric is a long-vowel mark."""
    notes = (replace(n, slur=False, lyric=LONG_VOWEL_MARK) if n.slur else n for n in score.notes)
    return replace(score, notes=tuple(notes))


def comfortable_shift(score: Score) -> int:
    """Interval, in semitones, that brings the notes of a score closest to the comfortable range."""
    pitches = np.array([n.midi for n in score.notes if n.midi is not None])
    low, high = COMFORTABLE_RANGE

    def distance(shift: int) -> float:
        shifted = pitches + shift
        return float((np.maximum(low - shifted, 0) + np.maximum(shifted - high, 0)).sum())

    return min(range(-24, 25), key=lambda shift: (distance(shift), abs(shift)))


def transpose_score(score: Score, semitones: int) -> Score:
    """Move the notes of a score by an interval.

    Args:
        score: The score.
        semitones: Interval; negative is down.

    Returns:
        The score in another key.

    Raises:
        InputError: If a note leaves the range of 0 to 127.
    """
    notes = (n if n.midi is None else replace(n, midi=n.midi + semitones) for n in score.notes)
    return replace(score, notes=tuple(notes))


@contextmanager
def suppress_output() -> Iterator[None]:
    """Discard what C++ code writes to the standard output and error streams."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
        os.dup2(null, 2)
        yield
    finally:
        for stream, descriptor in zip((1, 2), saved, strict=True):
            os.dup2(descriptor, stream)
            os.close(descriptor)
        os.close(null)
