"""SSML: speech with marks for pauses, rate, pitch, volume, emphasis and pronunciation.

A part of W3C's Speech Synthesis Markup Language 1.1: ``speak``, ``p``, ``s``, ``break``,
``say-as``, ``phoneme``, ``prosody``, ``emphasis`` and ``sub``. Other elements are read as if they
were not there, with one notice. Entities beyond XML's own five and document types are refused.
"""

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from xml.parsers import expat

from oneleap.core.errors import InputError, Notice
from oneleap.domains.speech.text.say_as import say_as
from oneleap.domains.speech.text.sentences import PARAGRAPH, PAUSE_S

MAX_BYTES = 4 * 2**20
"""Largest size of an SSML text, 4 MiB: a long book has about 1 MiB."""

MAX_DEPTH = 64
"""Greatest depth of nested elements."""

MAX_PAUSE_S = 60.0
"""Longest pause of one ``break``."""

STRENGTHS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2}
RATES = {"x-slow": 0.5, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.7}
PITCHES = {"x-low": -6.0, "low": -3.0, "medium": 0.0, "default": 0.0, "high": 3.0, "x-high": 6.0}
VOLUMES = {"silent": -120.0, "x-soft": -12.0, "soft": -6.0, "medium": 0.0, "default": 0.0,
           "loud": 6.0, "x-loud": 9.0}  # fmt: skip
EMPHASIS = {"strong": (0.85, 2.0, 3.0), "moderate": (0.92, 1.0, 1.5), "none": (1.0, 0.0, 0.0),
            "reduced": (1.1, -1.0, -2.0)}  # fmt: skip
"""Rate, pitch in semitones and volume in dB of each level of emphasis."""

_SILENT = frozenset(("mark", "meta", "metadata", "lexicon", "desc", "title", "audio-desc"))
_PLAIN = frozenset(("speak", "p", "s", "w", "token", "paragraph", "sentence"))


@dataclass(frozen=True)
class Prosody:
    """How a piece of text is spoken.

    Attributes:
        rate: Factor of the tempo.
        pitch: Change of pitch, in semitones.
        volume: Change of volume, in dB.
    """

    rate: float = 1.0
    pitch: float = 0.0
    volume: float = 0.0


@dataclass(frozen=True)
class Piece:
    """A piece of text that is spoken in one manner.

    Attributes:
        text: The text. ``[[...]]`` in it is phonetic. It may be empty.
        prosody: How it is spoken.
        pause_s: Silence after it, in seconds; ``None`` where the text runs on.
    """

    text: str
    prosody: Prosody = field(default_factory=Prosody)
    pause_s: float | None = None


def is_ssml(text: str) -> bool:
    """Return whether a text is SSML: its first element is ``speak``."""
    return bool(re.match(r"\s*(?:<\?xml[^>]*\?>\s*)?<speak[\s>/]", text))


def parse_ssml(text: str, where: str = "text", pause_s: float = PAUSE_S) -> list[Piece]:
    """Read SSML.

    Args:
        text: The SSML, with the element ``speak`` around it.
        where: Origin of the text, for messages.
        pause_s: Silence after a sentence in seconds; after a paragraph it is longer.

    Returns:
        Pieces of text, in order.

    Raises:
        InputError: If the text is no XML, is too large, declares a document type, or an attribute
            is wrong.
    """
    if len(text.encode()) > MAX_BYTES:
        raise InputError(f"{where}: has more than {MAX_BYTES // 2**20} MiB of SSML")
    reader = _Reader(where, pause_s)
    parser = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(text.strip(), True)
    except expat.ExpatError as error:
        raise InputError(f"{where}: is not SSML ({error})") from None
    if reader.unknown:
        names = ", ".join(sorted(reader.unknown))
        message = f"{where}: elements that are not supported are read as plain text: {names}"
        warnings.warn(message, Notice, stacklevel=2)
    reader.flush(None)
    return reader.pieces


class _Reader:
    """Collects the pieces of an SSML text, element by element."""

    def __init__(self, where: str, pause_s: float) -> None:
        self.where, self.pause_s = where, pause_s
        self.pieces: list[Piece] = []
        self.unknown: set[str] = set()
        self._text: list[str] = []
        self._prosody = [Prosody()]
        self._open: list[tuple[str, Mapping[str, str]]] = []
        self._replaced = 0  # depth inside an element whose text is replaced

    def refuse(self, *_: object) -> None:
        """Refuse a document type, which could declare entities."""
        raise InputError(f"{self.where}: declares a document type, which SSML does not need")

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        name = name.rpartition(":")[2]
        self._open.append((name, attributes))
        if len(self._open) > MAX_DEPTH:
            raise InputError(f"{self.where}: elements are nested deeper than {MAX_DEPTH}")
        if len(self._open) == 1 and name != "speak":
            raise InputError(f"{self.where}: SSML begins with <speak>, not <{name}>")
        if self._replaced or name in _SILENT or name in ("sub", "phoneme", "say-as"):
            self._replaced += 1
            if (name in ("sub", "phoneme", "say-as") and self._replaced == 1) or (
                name in _SILENT and self._replaced == 1
            ):
                self._kept, self._text = self._text, []
        elif name == "break":
            self.flush(self._break(attributes))
        elif name == "prosody":
            self.flush(None)
            self._prosody.append(self._changed(attributes))
        elif name == "emphasis":
            self.flush(None)
            level = self._one_of("emphasis level", attributes.get("level", "moderate"), EMPHASIS)
            rate, pitch, volume = EMPHASIS[level]
            now = self._prosody[-1]
            changed = Prosody(now.rate * rate, now.pitch + pitch, now.volume + volume)
            self._prosody.append(changed)
        elif name in ("p", "s", "paragraph", "sentence"):
            self.flush(None)
        elif name not in _PLAIN:
            self.unknown.add(name)

    def end(self, _: str) -> None:
        """End an element."""
        name, attributes = self._open.pop()
        if self._replaced:
            self._replaced -= 1
            if not self._replaced:
                inside = " ".join("".join(self._text).split())
                self._text = [*self._kept, self._replacement(name, attributes, inside)]
        elif name in ("prosody", "emphasis"):
            self.flush(None)
            self._prosody.pop()
        elif name in ("p", "paragraph"):
            self.flush(PARAGRAPH * self.pause_s)
        elif name in ("s", "sentence"):
            self.flush(self.pause_s)

    def characters(self, text: str) -> None:
        """Add text."""
        self._text.append(text)

    def flush(self, pause_s: float | None) -> None:
        """End a piece."""
        text, self._text = " ".join("".join(self._text).split()), []
        if text:
            self.pieces.append(Piece(text, self._prosody[-1], pause_s))
        elif pause_s is not None:
            last = self.pieces[-1] if self.pieces else None
            if last is None:
                self.pieces.append(Piece("", self._prosody[-1], pause_s))
            else:
                self.pieces[-1] = replace(last, pause_s=max(pause_s, last.pause_s or 0.0))

    def _replacement(self, name: str, attributes: Mapping[str, str], inside: str) -> str:
        if name == "sub":
            return self._needed("sub", "alias", attributes)
        if name == "phoneme":
            kind = attributes.get("alphabet", "ipa")
            if kind.lower() not in ("ipa", "x-ipa", ""):
                raise InputError(f"{self.where}: phoneme alphabet: ipa is read, not '{kind}'")
            return f" [[{self._needed('phoneme', 'ph', attributes)}]] "
        if name == "say-as":
            kind = self._needed("say-as", "interpret-as", attributes)
            said = say_as(inside, kind, attributes.get("format", ""))
            if said is None:
                raise InputError(f"{self.where}: say-as interpret-as: '{kind}' is not known")
            return said
        return ""

    def _needed(self, element: str, name: str, attributes: Mapping[str, str]) -> str:
        value = attributes.get(name, "").strip()
        if not value:
            raise InputError(f"{self.where}: <{element}> needs {name}='...'")
        return value

    def _one_of(self, what: str, value: str, known: Mapping[str, object]) -> str:
        if value not in known:
            raise InputError(f"{self.where}: {what}: '{value}' is none of {', '.join(known)}")
        return value

    def _break(self, attributes: Mapping[str, str]) -> float:
        if "time" not in attributes:
            strength = attributes.get("strength", "medium")
            return STRENGTHS[self._one_of("break strength", strength, STRENGTHS)]
        match = re.fullmatch(r"\+?(\d*\.?\d+)\s*(ms|s)", attributes["time"].strip())
        if match is None:
            raise InputError(
                f"{self.where}: break time: expected such as 500ms or 1.5s, "
                f"got '{attributes['time']}'"
            )
        seconds = float(match[1]) / (1000 if match[2] == "ms" else 1)
        if seconds > MAX_PAUSE_S:
            raise InputError(f"{self.where}: break time: at most {MAX_PAUSE_S:g} s")
        return seconds

    def _changed(self, attributes: Mapping[str, str]) -> Prosody:
        """Return the present prosody, changed by the attributes of an element ``prosody``."""
        now = self._prosody[-1]
        rate, pitch, volume = now.rate, now.pitch, now.volume
        if "rate" in attributes:
            rate *= self._rate(attributes["rate"].strip())
        if "pitch" in attributes:
            pitch += self._pitch(attributes["pitch"].strip())
        if "volume" in attributes:
            volume += self._volume(attributes["volume"].strip())
        return Prosody(min(max(rate, 0.2), 5.0), min(max(pitch, -24.0), 24.0), volume)

    def _rate(self, value: str) -> float:
        if value in RATES:
            return RATES[value]
        match = re.fullmatch(r"([-+]?)(\d*\.?\d+)(%?)", value)
        if match is not None:
            number = float(match[2]) / (100 if match[3] else 1)
            factor = 1 + number if match[1] == "+" else 1 - number if match[1] == "-" else number
            if factor > 0:
                return factor
        raise InputError(f"{self.where}: prosody rate: '{value}' is no rate; such as 90% or slow")

    def _pitch(self, value: str) -> float:
        if value in PITCHES:
            return PITCHES[value]
        match = re.fullmatch(r"([-+]?\d*\.?\d+)(st|%)", value)
        if match is not None and match[2] == "st":
            return float(match[1])
        if match is not None and float(match[1]) > -100:
            return 12 * math.log2(1 + float(match[1]) / 100)
        raise InputError(
            f"{self.where}: prosody pitch: '{value}' is no change of pitch; such as +2st or high"
        )

    def _volume(self, value: str) -> float:
        if value in VOLUMES:
            return VOLUMES[value]
        match = re.fullmatch(r"([-+]?\d*\.?\d+)\s*(dB|%)?", value)
        if match is not None and match[2] == "dB":
            return float(match[1])
        if match is not None:
            number = float(match[1])
            share = 1 + number / 100 if value[0] in "+-" else number / 100
            return 20 * math.log10(share) if share > 0 else VOLUMES["silent"]
        raise InputError(
            f"{self.where}: prosody volume: '{value}' is no volume; such as +6dB or loud"
        )
