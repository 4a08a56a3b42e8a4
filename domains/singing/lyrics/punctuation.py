"""Lyrics as score files write them, without punctuation, quotation marks and line breaks."""

import re
import unicodedata
from typing import NamedTuple

_SENTENCE_ENDS = tuple(".。!?;…‥")
_KEPT = frozenset("'&%#@")
_DROPPED_CATEGORIES = frozenset(("Ps", "Pe", "Pi", "Pf", "Po", "So", "Cc", "Cf", "Cn", "Co"))
_VERSE_NUMBER = re.compile(r"\s*[0-9]{1,2}\s*[.):]\s*(?=\S)")
_ELISION = re.compile(r"(?<=\w)[_‿]+(?=\w)")
_APOSTROPHES = re.compile("[’‘´`\u02bc\uff07]")
_HYPHENS = ("-", "\u2010", "\u2011", "=")
_EDGES = "".join((" \t\r\n\u3000'–—_/\\", *_HYPHENS))


class Lyric(NamedTuple):
    """The lyric of a note as it is sung.

    Attributes:
        text: Syllables, separated by spaces; empty if there was only punctuation.
        hyphen: Whether the word goes on with the next lyric.
        breath: Whether a sentence ends here, after which a singer breathes.
    """

    text: str
    hyphen: bool = False
    breath: bool = False


def clean_lyric(raw: str) -> Lyric:
    """Separate a lyric from its punctuation.

    Quotation marks, brackets, commas, symbols and the number of a verse are dropped. The end of a
    sentence becomes a breath. Elisions become spaces, and an apostrophe inside a word is kept.
    """
    text = _APOSTROPHES.sub("'", _VERSE_NUMBER.sub("", raw, count=1))
    text = _ELISION.sub(" ", text)
    bare = "".join("" if _is_dropped(c) else c for c in text)
    last = next((c for c in reversed(text) if _is_sung(c) or _is_sentence_end(c)), "")
    hyphen = bare.rstrip().endswith(_HYPHENS)
    bare = " ".join(bare.strip(_EDGES).split())
    return Lyric(bare, hyphen and bool(bare), _is_sentence_end(last) and bool(bare))


def _is_dropped(c: str) -> bool:
    if c in "\t\r\n":
        return False
    return unicodedata.category(c) in _DROPPED_CATEGORIES and c not in _KEPT


def _is_sung(c: str) -> bool:
    return unicodedata.category(c)[0] in "LMN"


def _is_sentence_end(c: str) -> bool:
    return bool(c) and unicodedata.normalize("NFKC", c).startswith(_SENTENCE_ENDS)
