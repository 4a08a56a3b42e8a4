"""Words in capitals: FBI is spelled, NASA is a word, and STOP is a word that somebody shouts."""

import re

from oneleap.domains.audio.english.dictionary import load_dictionary
from oneleap.domains.audio.english.word_lists import word_list
from oneleap.domains.speech.text.rules.base import Rule, letters

WORDS = word_list("capitals read as words")
"""Words in capitals that are read as words though they are short."""

SPELLED = word_list("capitals that are spelled")
"""Words in capitals that are spelled though they are words in small letters too."""

_VOWELS = frozenset("AEIOUY")


def is_spelled(word: str, shouted: bool) -> bool:
    """Return whether a word in capitals is read letter by letter.

    Args:
        word: Two or more capital letters.
        shouted: Whether the words around it have capitals only, too.
    """
    if word in WORDS:
        return False
    known = load_dictionary("en-us")
    common = word.lower() in known or word.capitalize() in known
    if word in SPELLED:
        return not (shouted and common)
    if shouted and common and len(word) > 1:
        return False
    if not _VOWELS.intersection(word):
        return True
    entry = known.find(word)
    if entry is not None and len(word) > 2:
        return False
    if len(word) == 2:
        return word not in _SHORT
    if common:
        return len(word) == 3 and word.lower() not in _THREE
    return len(word) < 4 or not _pronounceable(word)


_SHORT = word_list("words of two capitals")
_THREE = word_list("words of three capitals")


def _pronounceable(word: str) -> bool:
    """Return whether an unknown word in capitals looks like a word: UNICEF does, HDMI does not."""
    runs = re.findall(r"[^AEIOUY]+", word)
    vowels = re.findall(r"[AEIOUY]+", word)
    return (
        len(word) > 3
        and max(map(len, runs), default=0) < 3
        and max(map(len, vowels)) < 3
        and len(vowels) * 3 >= len(word)
        and not re.match(
            r"[^AEIOUY]{2}", re.sub(r"^(?:[BCDFGKPT][LR]|S[CKLMNPTW]|[CSTWP]H|TW|QU)", "B", word)
        )
        and not word.endswith(("I", "U", "II"))
    )


def _shouted(match: re.Match[str]) -> bool:
    """Return whether the words around a match have capitals only."""
    text = match.string
    before = re.findall(r"[A-Za-z]{2,}|\bI\b", text[max(0, match.start() - 60) : match.start()])[
        -2:
    ]
    after = re.findall(r"[A-Za-z]{2,}|\bI\b", text[match.end() : match.end() + 60])[:2]
    around = [w for w in (*before, *after) if w not in SPELLED and w not in WORDS and w != "I"]
    known = load_dictionary("en-us")
    return all(w.isupper() for w in around) and any(w.lower() in known for w in around)


def _capitals(match: re.Match[str]) -> str:
    word, ending = match[1], match[2] or ""
    if not is_spelled(word, _shouted(match)):
        return match[0]
    return letters(word) + ("'s" if ending else "")


def _joined(match: re.Match[str]) -> str:
    """Spell ``AT&T`` and ``R&D``."""
    parts = [letters(part) if is_spelled(part, False) or len(part) < 3 else part
             for part in re.split(r"\s?&\s?", match[0])]  # fmt: skip
    return " and ".join(parts)


RULES: list[Rule] = [
    (re.compile(r"\b[A-Z]{1,4}(?:&[A-Z]{1,4})+\b"), _joined),
    (re.compile(r"\b[a-z]([A-Z]{2,4})\b(?=\s|[.,;:!?]|$)"),
     lambda m: f"{m[0][0].upper()} {letters(m[1])}"),
    (re.compile(r"\b([A-Z]{2,7})('?s)?\b(?!['’][A-Z])"), _capitals),
]  # fmt: skip
"""Rules of words in capitals."""
