"""Words to sounds, by espeak-ng."""

import logging
import re
from functools import lru_cache
from typing import Any

from oneleap.core.errors import InputError, nearest
from oneleap.domains.speech.text.symbols import PUNCTUATION, canonical

_MARKS = re.compile(rf"\s*([{re.escape(PUNCTUATION.replace(chr(39), '').replace('-', ''))}]+)\s*")

_HEARD = str.maketrans({"(": ",", ")": ",", '"': None, " ": None})
"""Brackets are heard as pauses, quotation marks not at all."""


@lru_cache(maxsize=8)
def _backend(language: str) -> Any:
    """espeak-ng, as it comes with a wheel: nothing needs to be installed on the system.

    Raises:
        InputError: If it does not speak the language.
    """
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    known = EspeakBackend.supported_languages()
    if language not in known:
        raise InputError(f"language: espeak-ng has no '{language}'{nearest(language, known)}")
    silent = logging.getLogger("oneleap.espeak")
    silent.setLevel(logging.CRITICAL)
    return EspeakBackend(
        language,
        with_stress=True,
        language_switch="remove-flags",
        words_mismatch="ignore",
        logger=silent,
    )


@lru_cache(maxsize=20_000)
def _said(words: str, language: str) -> str:
    if not any(c.isalnum() for c in words):
        return ""
    return canonical(_backend(language).phonemize([words], strip=True)[0])


def phonemes(text: str, language: str) -> str:
    """Phonetic text of a sentence, its punctuation kept, by one call for each phrase.

    Raises:
        InputError: If espeak-ng does not speak the language.
    """
    out: list[str] = []
    pieces = _MARKS.split(text)
    for words, marks in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        said = _said(" ".join(words.split()), language)
        pause = "".join(dict.fromkeys(marks.translate(_HEARD)))
        out.append(said + pause)
    return " ".join(part for part in out if part)
