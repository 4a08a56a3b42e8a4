"""Formats of sound in replies."""

import io
import struct
from dataclasses import dataclass

import numpy as np

from oneleap.domains.audio.wave import Wave, wav_bytes

UNKNOWN_SIZE = 0xFFFFFFFF
"""Size in the header of a WAV file whose length is not known yet."""


@dataclass(frozen=True)
class Format:
    """A format of sound.

    Attributes:
        name: Its name in requests.
        media_type: Its type in HTTP; ``{rate}`` stands for the sample rate.
        soundfile: Its name in soundfile.
        streams: Whether a sound can be sent before its length is known.
    """

    name: str
    media_type: str
    soundfile: str
    streams: bool

    def encode(self, wave: Wave) -> bytes:
        """Return a whole sound in this format, with 16 bits where there is a choice."""
        if self.name == "pcm":
            return pcm(wave)
        if self.name == "wav":
            return wav_bytes(wave)
        import soundfile

        buffer = io.BytesIO()
        samples = np.frombuffer(pcm(wave), "<i2")  # soundfile would round for FLAC, not for WAV
        soundfile.write(buffer, samples, wave.sample_rate, format=self.soundfile)
        return buffer.getvalue()

    def header(self, sample_rate: int) -> bytes:
        """Return what begins a stream in this format."""
        if self.name != "wav":
            return b""
        form = struct.pack("<HHIIHH", 1, 1, sample_rate, 2 * sample_rate, 2, 16)
        size = struct.pack("<I", UNKNOWN_SIZE)
        return b"RIFF" + size + b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + size


FORMATS = {
    "mp3": Format("mp3", "audio/mpeg", "MP3", False),
    "flac": Format("flac", "audio/flac", "FLAC", False),
    "wav": Format("wav", "audio/wav", "WAV", True),
    "pcm": Format("pcm", "audio/pcm;rate={rate};channels=1;bits=16", "RAW", True),
}
"""Formats by name. The first that this machine can write is the default, as OpenAI's is mp3."""


def available_formats() -> dict[str, Format]:
    """Return the formats that this machine's soundfile can write, by name."""
    import soundfile

    known = soundfile.available_formats()
    return {name: form for name, form in FORMATS.items() if form.soundfile in known}


def pcm(wave: Wave) -> bytes:
    """Return the samples as 16-bit integers, the lowest byte first."""
    import soundfile

    raw, buffer = {"format": "RAW", "subtype": "PCM_16", "endian": "LITTLE"}, io.BytesIO()
    soundfile.write(buffer, wave.samples.clip(-1, 1), wave.sample_rate, **raw)
    return buffer.getvalue()
