"""What an acoustic model reads: letters of the phonetic alphabet, marks, punctuation."""

import re
import unicodedata
from collections.abc import Sequence

from oneleap.core.errors import InputError, nearest

PAD, START, END = "_", "^", "$"
"""Padding of a batch; the silence before and after speech, which the aligner gives its frames."""

PUNCTUATION = ",.?!;:…—-'\"()"
"""Kept, for it is heard: as pauses and as melody."""

_LETTERS = "abcdefghijklmnopqrstuvwxyzæçðøħŋœǀǁǂǃβθχᵻ" + "".join(map(chr, range(0x250, 0x2B0)))
_VOWELS = "aeiouyæøœɐɑɒɔɘəɚɛɜɝɞɤɨɪ\u026fɵɶʉʊʌ\u028fᵻ"
_MARKS = "ˈˌːˑʰʱʲʷʼʴˠˤ˞̩̯̪̃̊12345"  # the digits are tones
_STRESSED = tuple(mark + vowel for mark in "ˈˌ" for vowel in _VOWELS)
SYMBOLS: tuple[str, ...] = (PAD, START, END, " ", *PUNCTUATION, *_LETTERS, *_MARKS, *_STRESSED)
"""The alphabet of a new model; each model keeps its own.

A stressed vowel is one symbol: alignment would give a mark of its own most of the vowel's frames.
"""

_SAME = {"g": "ɡ", "͡": "", "͜": "", "ʦ": "ts", "\u2011": "-", "–": "—", "“": '"', "”": '"', "’": "'"}
"""Two ways to write one thing."""

SOUNDS = frozenset(_LETTERS)
"""Symbols that are a sound of their own."""


def canonical(ipa: str) -> str:
    """One way of writing for each sound: marks apart from their letters, one space, one g."""
    apart = unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç")
    return " ".join("".join(_SAME.get(c, c) for c in apart).split())


def is_said(ipa: str) -> bool:
    """Whether there is any sound in it."""
    return not SOUNDS.isdisjoint(ipa)


def refuse_unknown(ipa: str, symbols: Sequence[str], where: str) -> None:
    """Refuse phonetic text that a model cannot read.

    Raises:
        InputError: Naming the first symbol that is unknown.
    """
    known = frozenset(symbols) - {PAD, START, END}
    for place, symbol in enumerate(ipa):
        if symbol not in known:
            name = unicodedata.name(symbol, "unnamed")
            raise InputError(
                f"{where}: '{symbol}' ({name}, place {place + 1}) is no symbol of this model"
                f"{nearest(symbol, known)}"
            )


def ids(ipa: str, symbols: Sequence[str]) -> list[int]:
    """Numbers of the symbols, the longest that fit, between start and end; unknown ones are out."""
    index = {symbol: i for i, symbol in enumerate(symbols)}
    longest_first = sorted(symbols, key=len, reverse=True)
    found = re.findall("|".join(map(re.escape, longest_first)), ipa)
    return [index[symbol] for symbol in (START, *found, END)]
