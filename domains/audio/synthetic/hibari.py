"""The teacher hibari, a small distillate of Kokoro-82M's voice af_heart (Apache-2.0)."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.audio.english.symbols import END, START
from oneleap.domains.audio.synthetic.teachers import (
    UNIT_S,
    Spoken,
    check_files,
    pitch_each_5ms,
    session,
)
from oneleap.domains.audio.wave import Wave

PACKAGE = "hibari-tts==0.2.1"
MODEL_SHA256 = "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8"
RATE, HOP, BINS = 24_000, 300, 601
DURATIONS = "/Clip_output_0"
"""Inner value of the graph: duration of each phoneme in units of 25 ms."""

FEWEST, MOST = 3, 400
"""Tokens of the shortest and of the longest text for one call."""

FAINTEST = -20.0
"""Smallest log amplitude that is kept."""


class Hibari:
    """The voice ``heart`` of hibari-tts, with durations, pitch and spectral parts.

    Its frames are centered on multiples of the hop. The sound is delayed by half a hop, so that
    they become the frames of :func:`oneleap.domains.audio.stft.stft` without ``center``.

    Args:
        parts: Whether spectral parts are kept.

    Raises:
        InputError: Another version of hibari-tts is installed.
    """

    license = (
        "hibari-tts 0.2.1 (Maureese Williams, Apache-2.0), distilled from Kokoro-82M, voice "
        "af_heart (hexgrad, Apache-2.0). Kokoro's author states that it was trained on permissive "
        "and non-copyrighted recordings and on synthetic audio of closed systems."
    )

    def __init__(self, parts: bool = False) -> None:
        self.parts = parts
        self.session = session(graph(), outputs=(DURATIONS,))
        from hibari import Hibari as Speaker

        self.speaker: Any = Speaker(threads=1)

    def say(self, text: str, seed: int) -> Spoken | None:
        """See :class:`Teacher`; the seed is that of the noise."""
        spoken = " ".join(self.speaker.phonemize(text))
        phonemes = [c for c in spoken if c in self.speaker.vocab]
        if not FEWEST <= len(phonemes) + 2 <= MOST:
            return None
        feeds = {
            "ids": np.array([self.speaker.ids(phonemes)], np.int64),
            "speed": np.ones(1, np.float32),
        }
        *spectra, f0, units = self.session.run(None, feeds)
        return Spoken(
            self.sound([x[0] for x in spectra], f0[0], seed),
            (START, *phonemes, END),
            tuple(UNIT_S * float(x) for x in units.ravel()),
            pitch_each_5ms(f0[0], first_s=HOP / RATE),
            as_parts([x[0] for x in spectra]) if self.parts else None,
        )

    def sound(self, spectra: list[NDArray[np.float32]], f0: NDArray[np.float32], seed: int) -> Wave:
        """Synthesize the graph's spectra.

        Args:
            spectra: Five spectra, (bins, frames) each.
            f0: Pitch of each frame in Hz, 0 in unvoiced frames.
            seed: Seed of the noise.

        Returns:
            The sound, delayed by half a hop.
        """
        from hibari import dsp

        rng = np.random.default_rng(seed)
        samples = dsp.synth(*(x.copy() for x in spectra), f0, rng)
        delayed = np.concatenate([np.zeros(HOP // 2, np.float32), samples[: -(HOP // 2)]])
        return Wave(delayed.astype(np.float32), RATE)


def graph() -> bytes:
    """The network of the package, after a check of its version.

    Raises:
        InputError: Another version of hibari-tts is installed.
    """
    model = Path(str(files("hibari") / "assets" / "hibari.onnx"))
    check_files({model: MODEL_SHA256}, PACKAGE)
    return model.read_bytes()


def as_parts(spectra: list[NDArray[np.float32]]) -> NDArray[np.float16]:
    """The graph's five spectra (bins, frames) as parts (frames, 5, bins) of our vocoder."""
    harmonic, turn, noise, rest, phase = (x.T for x in spectra)
    wrapped = np.remainder(phase + np.pi, 2 * np.pi) - np.pi
    logs = [np.maximum(x, FAINTEST) for x in (harmonic, noise, rest)]
    rows = np.stack([logs[0], np.pi * np.tanh(turn), logs[1], logs[2], wrapped], 1)
    parts: NDArray[np.float16] = rows.astype(np.float16)
    return parts
