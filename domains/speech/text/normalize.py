"""Text normalization: numbers, dates, money, short forms and signs become words."""

import re
import unicodedata
from typing import NamedTuple

from oneleap.domains.speech.text.numbers import foreign_number
from oneleap.domains.speech.text.rules.base import AMOUNT
from oneleap.domains.speech.text.rules.english import in_words
from oneleap.domains.speech.text.rules.markup import (
    join_lines,
    skipped_characters,
    strip_markdown,
)

_QUOTES = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "–": "—"}
)
_SPACE_BEFORE = re.compile(r"[ \t]+(?=[,.!?;:…)])")
_VULGAR = re.compile(r"(\d?)\s?([¼-¾⅐-⅞])")


class Normalized(NamedTuple):
    """A text in words, and what was left out.

    Attributes:
        text: The text; an empty line separates paragraphs.
        dropped: Characters and marks that nobody reads aloud.
    """

    text: str
    dropped: tuple[str, ...]


def is_english(language: str) -> bool:
    """Return whether a language, such as ``en-us``, is English."""
    return language.partition("-")[0] == "en"


def normalize(text: str, language: str = "en-us") -> str:
    """Write a text in words and keep its punctuation; see :func:`normalize_text`."""
    return normalize_text(text, language).text


def normalize_text(text: str, language: str = "en-us") -> Normalized:
    """Write a text in words and keep its punctuation.

    Markdown, emoji and letters of other scripts are left out. A line end is no end of a
    sentence; an empty line is. In languages other than English only numbers are converted, and
    only if ``num2words`` knows the language; espeak-ng converts most of the rest.

    Args:
        text: The text.
        language: Language, such as ``en-us`` or ``de``. In American English 3/4/2025 is a day in
            March.

    Returns:
        The text in words, and what was left out.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_QUOTES)
    text, marks = strip_markdown(text)
    text = join_lines(text)
    if not is_english(language):
        return Normalized(_tidy(_foreign(text, language)), marks)
    dropped = (*skipped_characters(text), *marks)
    return Normalized(_tidy(in_words(text, month_first=language == "en-us")), dropped)


def _foreign(text: str, language: str) -> str:
    text = unicodedata.normalize("NFKC", _VULGAR.sub(r"\1 \2", text)).replace("...", "…")
    text = re.sub(
        rf"(?<![\w.])[-−]?(?:{AMOUNT})(?![\w])|\d+",
        lambda m: foreign_number(m[0].replace("−", "-"), language),
        text,
    )
    text = re.sub(r"--+", "—", text)
    return "".join(
        c
        for c in text
        if unicodedata.category(c)[0] not in "CS" or c in "\n " or "\ue000" <= c <= "\uf8ff"
    )


def _tidy(text: str) -> str:
    paragraphs = (" ".join(p.split()) for p in re.split(r"\n\s*\n", text))
    return "\n\n".join(_SPACE_BEFORE.sub("", p) for p in paragraphs if p)
