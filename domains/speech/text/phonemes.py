"""Words to IPA with espeak-ng."""

import logging
import re
from functools import lru_cache
from threading import Lock
from typing import Any

from oneleap.core.errors import InputError, suggest
from oneleap.domains.speech.text.symbols import PUNCTUATION, canonical_ipa

_MARKS = re.compile(rf"\s*([{re.escape(PUNCTUATION.replace(chr(39), '').replace('-', ''))}]+)\s*")

_SPOKEN_MARKS = str.maketrans({"(": ",", ")": ",", '"': None, " ": None})
"""Brackets are spoken as pauses. Quotation marks are not spoken."""

_ESPEAK = Lock()
"""espeak-ng is one library with one current language: threads call it in turn."""

MAX_PHRASES = 1024
"""Phrases whose phonemes are kept. A service that reads ever new text would fill more in vain."""


@lru_cache(maxsize=8)
def _backend(language: str) -> Any:
    """Load the espeak-ng library of the Python wheel, so that the system needs no installation.

    Raises:
        InputError: If espeak-ng does not know the language.
    """
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    known = EspeakBackend.supported_languages()
    if language not in known:
        raise InputError(f"language: espeak-ng has no '{language}'{suggest(language, known)}")
    silent = logging.getLogger("oneleap.espeak")
    silent.setLevel(logging.CRITICAL)
    return EspeakBackend(
        language,
        with_stress=True,
        language_switch="remove-flags",
        words_mismatch="ignore",
        logger=silent,
    )


@lru_cache(maxsize=MAX_PHRASES)
def _phrase(words: str, language: str) -> str:
    if not any(c.isalnum() for c in words):
        return ""
    with _ESPEAK:
        found = _backend(language).phonemize([words], strip=True)[0]
    return canonical_ipa(found)


def phonemize(text: str, language: str) -> str:
    """Convert a sentence to IPA and keep its punctuation, with one call of espeak-ng per phrase.

    Raises:
        InputError: If espeak-ng does not know the language.
    """
    out: list[str] = []
    pieces = _MARKS.split(text)
    for words, marks in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        ipa = _phrase(" ".join(words.split()), language)
        pause = "".join(dict.fromkeys(marks.translate(_SPOKEN_MARKS)))
        out.append(ipa + pause)
    return " ".join(part for part in out if part)
