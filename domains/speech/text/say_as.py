"""SSML's ``say-as``: text that is read as letters, digits, a number, a date or a time."""

import re

from oneleap.domains.speech.text.numbers import cardinal, digits, number, ordinal
from oneleap.domains.speech.text.rules.base import letters
from oneleap.domains.speech.text.rules.codes import groups
from oneleap.domains.speech.text.rules.dates import date_words


def say_as(text: str, kind: str, form: str = "") -> str | None:
    """Write a text in words as SSML's ``interpret-as`` says.

    Args:
        text: The text.
        kind: The value of ``interpret-as``.
        form: The value of ``format``, such as ``dmy`` for a date.

    Returns:
        The text in words, or as it is where the ordinary rules read it; ``None`` if the kind is
        unknown.
    """
    plain = text.replace(",", "").replace(" ", "")
    whole = re.fullmatch(r"-?\d{1,15}", plain)
    if kind in ("characters", "spell-out", "verbatim", "letters"):
        return spell(text)
    if kind in ("digits", "number:digits"):
        return digits(text) or text
    if kind == "telephone":
        return groups(text) or text
    if kind in ("cardinal", "number"):
        return cardinal(int(plain)) if whole else number(plain) if _is_number(plain) else text
    if kind == "ordinal":
        return ordinal(int(plain)) if whole and not plain.startswith("-") else text
    if kind == "date":
        return date_words(text, form) or text
    known = ("time", "fraction", "unit", "currency", "address", "name", "net", "measure")
    return text if kind in known else "" if kind in ("expletive", "bleep") else None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d*\.?\d+", text) is not None


def spell(text: str) -> str:
    """Spell a text letter by letter, digit by digit, with the names of its signs."""
    names = {".": "dot", "-": "dash", "_": "underscore", "@": "at", "/": "slash", "&": "and",
             "#": "hash", "+": "plus", "*": "star"}  # fmt: skip
    said = [digits(c) or names.get(c) or letters(c) for c in text]
    return " ".join(word for word in said if word)
