"""What all rules share: their form, amounts, and the full stop that may also end a sentence."""

import re
from collections.abc import Callable, Iterable

from oneleap.domains.speech.text.rules.tables import MONTHS, NO_NOUNS, STARTERS, WEEKDAYS

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]
"""A pattern, and the function that writes its matches in words."""

AMOUNT = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)"
"""A number with or without commas and a decimal point."""

DASH = r"[-\u2010-\u2015−]"
"""A hyphen, dash or minus sign."""

SIGHT = 200
"""Number of characters that a rule sees on either side of its match."""

_NO_END = frozenset((*WEEKDAYS.values(), *MONTHS, "I", "I'm", "I've", "I'll"))


def apply(text: str, rules: Iterable[Rule]) -> str:
    """Apply rules, one after the other."""
    for pattern, words in rules:
        text = pattern.sub(words, text)
    return text


def alternatives(words: Iterable[str]) -> str:
    """Return a pattern of any of the words, longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def letters(written: str) -> str:
    """Spell a word: its letters in capitals, with spaces. Other characters are skipped."""
    return " ".join(c.upper() for c in written if c.isalpha())


def text_before(match: re.Match[str]) -> str:
    """Return the text before a match, as much as a rule may look at."""
    return match.string[max(0, match.start() - SIGHT) : match.start()]


def text_after(match: re.Match[str]) -> str:
    """Return the text behind a match, as much as a rule may look at."""
    return match.string[match.end() : match.end() + SIGHT]


def before_noun(match: re.Match[str]) -> bool:
    """Return whether a number with a unit stands before a noun: a 5 km run, a $5 bill."""
    before, after = text_before(match), text_after(match)
    noun = re.match(r"[ -]([a-z][a-z']*)", after)
    article = re.search(r"\b(?:an?|another|each|every)\s$", before, re.IGNORECASE)
    return bool(article and noun and noun[1] not in NO_NOUNS)


def ends_sentence(after: str, *, likely: bool = True) -> bool:
    """Return whether the full stop of an abbreviation also ends a sentence.

    Args:
        after: The text behind the full stop.
        likely: Whether the abbreviation often ends a sentence, as ``etc.`` does. Otherwise the
            next word must be one that often begins a sentence.
    """
    if not after.strip() or re.match(r"[\"')\]]*\s*\n\s*\n|[\"')\]]+\s*$", after):
        return True
    match = re.match(r"[\"')\]]*\s+[\"'(\[]*([A-Z][\w']*)", after)
    if match is None or match[1] in _NO_END:
        return bool(match and match[1] == "I" and not likely)
    return likely or match[1] in STARTERS


def stop(match: re.Match[str], *, likely: bool = True) -> str:
    """Return a full stop if the match ends in one that also ends a sentence."""
    after = text_after(match)
    return "." if match[0].endswith(".") and ends_sentence(after, likely=likely) else ""
