"""Speaking a request: OpenAI's ``POST /v1/audio/speech``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from oneleap.core.errors import InputError
from oneleap.domains.audio.loudness import TARGET_LUFS, level, loudness
from oneleap.domains.audio.wave import Wave
from oneleap.domains.serve import fields
from oneleap.domains.serve.errors import RequestError, invalid
from oneleap.domains.serve.formats import Format, available_formats
from oneleap.domains.serve.limits import Limits
from oneleap.domains.speech.voice.delivery import RANGES, Delivery

if TYPE_CHECKING:
    from oneleap.domains.speech.voice.voice import Voice

MODEL = "oneleap"
"""Name of the model that speaks."""

MODELS = (MODEL, "tts-1", "tts-1-hd")
"""Names that are accepted, because clients of OpenAI's servers have them built in."""

STREAMS = ("audio", "sse")
"""Ways to stream: the sound itself, or events with pieces of it."""

KNOWN = (
    *("model", "input", "voice", "response_format", "stream_format", "instructions"),
    *("speaker", "seed", *RANGES),
)
"""Fields of a request."""


@dataclass(frozen=True)
class SpeechRequest:
    """A text to speak, and how.

    Attributes:
        text: The text; SSML if it begins with ``<speak``.
        voice: Name of the voice.
        delivery: How it is spoken.
        format: Format of the reply.
        stream: ``audio``, ``sse``, or empty for a whole reply.
        seed: Seed of the noise.
    """

    text: str
    voice: str
    delivery: Delivery
    format: Format
    stream: str
    seed: int


@runtime_checkable
class Speaker(Protocol):
    """A voice of the server."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of the sound, in Hz."""

    def speak(self, request: SpeechRequest, check: Callable[[], None]) -> Wave:
        """Speak a whole text; the sound is that of ``oneleap speak``.

        Args:
            request: The text, and how it is spoken.
            check: Called before each batch of sentences; what it raises ends the work.

        Raises:
            RequestError: If the text cannot be spoken.
        """

    def stream(
        self, request: SpeechRequest, check: Callable[[], None], send: Callable[[Wave], None]
    ) -> None:
        """Speak a text piece by piece.

        Args:
            request: The text, and how it is spoken.
            check: Called before each piece; what it raises ends the work.
            send: Takes each piece as soon as it is ready.

        Raises:
            RequestError: If the text cannot be spoken.
        """


def parse_speech(
    body: Mapping[str, Any], voices: Mapping[str, Speaker], limits: Limits
) -> SpeechRequest:
    """Read a request.

    Args:
        body: The request in JSON.
        voices: Voices by name.
        limits: The longest text.

    Returns:
        The request.

    Raises:
        RequestError: If a field is missing or wrong.
    """
    fields.check_known(body, KNOWN)
    model = fields.text(body, "model")
    if model not in MODELS or not voices:
        here = f"the model that speaks is '{MODEL}'" if voices else "this server has no voice"
        raise RequestError(
            404, f"model: no '{model[:80]}' that speaks; {here}", "model", "model_not_found"
        )
    text = fields.text(body, "input")
    if len(text) > limits.characters:
        size = f"{len(text)} characters are more than {limits.characters}"
        raise invalid("input", f"{size}: send the text in parts", "string_above_max_length")
    given = body.get("voice")
    if isinstance(given, dict):  # OpenAI's newer form
        given = given.get("id")
    voice = fields.one_of(fields.text({"voice": given}, "voice"), "voice", list(voices))
    if body.get("instructions"):
        raise invalid("instructions", "the voices follow none: leave it out")
    formats = available_formats()
    name = fields.text(body, "response_format", next(iter(formats)))
    chosen = formats[fields.one_of(name, "response_format", list(formats))]
    stream = fields.text(body, "stream_format", "")
    if stream:
        fields.one_of(stream, "stream_format", STREAMS)
        if not chosen.streams:
            can = " or ".join(n for n, form in formats.items() if form.streams)
            raise invalid("stream_format", f"{chosen.name} cannot be streamed: ask for {can}")
    return SpeechRequest(text, voice, _delivery(body), chosen, stream, fields.seed(body))


def _delivery(body: Mapping[str, Any]) -> Delivery:
    """Read how the text is spoken."""
    default, settings = Delivery(), dict[str, Any]()
    for name in RANGES:
        settings[name] = fields.number(body, name, getattr(default, name))
    speaker = None if body.get("speaker") is None else fields.text(body, "speaker")
    try:
        return Delivery(**settings, speaker=speaker)
    except InputError as error:
        raise _refusal(error) from None


def _refusal(error: InputError) -> RequestError:
    """Tell a client about wrong input. The message begins with the field if it is about one."""
    message = " ".join(str(error).split())
    name, colon, rest = message.partition(": ")
    name = {"text": "input"}.get(name, name)
    if colon and name in KNOWN:
        return RequestError(400, f"{name}: {rest}", name, "invalid_value")
    return RequestError(400, message, "input", "invalid_value")


@dataclass(frozen=True)
class ServedVoice:
    """A voice of the server.

    Attributes:
        voice: The voice.
        gain: Factor on the samples of a stream, whose loudness cannot be known before its end.
    """

    voice: "Voice"
    gain: np.float32

    @classmethod
    def load(cls, name: str) -> "ServedVoice":
        """Load a voice, and speak its sample sentence once to measure its loudness.

        Raises:
            InputError: If there is no such voice.
        """
        from oneleap.domains.speech.voice.voice import Voice

        voice = Voice.load(name, int8=True)
        sentence = voice.about.sentence
        if not sentence:
            return cls(voice, np.float32(1))
        found = loudness(voice.speak(sentence))
        return cls(voice, np.float32(10 ** ((TARGET_LUFS - found) / 20)))

    @property
    def sample_rate(self) -> int:
        """See :class:`Speaker`."""
        return self.voice.sample_rate

    def speak(self, request: SpeechRequest, check: Callable[[], None]) -> Wave:
        """See :meth:`Speaker.speak`."""
        try:
            (wave,) = self.voice.speak_all(
                [request.text], request.delivery, seed=request.seed, before_batch=check
            )
        except InputError as error:
            raise _refusal(error) from None
        return level(wave)

    def stream(
        self, request: SpeechRequest, check: Callable[[], None], send: Callable[[Wave], None]
    ) -> None:
        """See :meth:`Speaker.stream`."""
        try:
            for piece in self.voice.stream(request.text, request.delivery, seed=request.seed):
                check()
                samples = (self.gain * piece.samples).clip(-1, 1)
                send(Wave(samples, piece.sample_rate))
        except InputError as error:
            raise _refusal(error) from None
