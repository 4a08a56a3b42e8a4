"""The alphabet of an acoustic model: IPA letters, marks and punctuation, and their token ids."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from oneleap.core.errors import InputError, suggest
from oneleap.domains.audio.english import symbols as english
from oneleap.domains.audio.english.symbols import END, START

PAD = "_"
"""Padding of a batch."""

PUNCTUATION = ",.?!;:…—-'\"()"
"""Punctuation that the model sees, because it can be heard in pauses and melody."""

_LETTERS = "abcdefghijklmnopqrstuvwxyzæçðøħŋœǀǁǂǃβθχᵻ" + "".join(map(chr, range(0x250, 0x2B0)))
_VOWELS = "aeiouyæøœɐɑɒɔɘəɚɛɜɝɞɤɨɪ\u026fɵɶʉʊʌ\u028fᵻ"
_MARKS = "ˈˌːˑʰʱʲʷʼʴˠˤ˞̩̯̪̃̊12345"  # the digits are tones
_STRESSED = tuple(mark + vowel for mark in "ˈˌ" for vowel in _VOWELS)
SYMBOLS: tuple[str, ...] = (PAD, START, END, " ", *PUNCTUATION, *_LETTERS, *_MARKS, *_STRESSED)
"""The alphabet of espeak-ng's IPA. A saved model keeps the alphabet it was trained with.

A stressed vowel is one symbol. If the stress mark were a symbol of its own, the alignment would
give it most frames of the vowel.
"""

KOKORO_SYMBOLS: tuple[str, ...] = (
    *(PAD, START, END, " "),
    *';:,.!?—…"()“”',
    *"AIOQTWYabdefhijklmnpstuvwzæðŋɐɑɒɔəɛɜɡɪɹɾʃʊʌʒ\u0294ʤʧθᵊᵻː",
    *"ˈˌ",
)
"""The alphabet of English in Kokoro's transcription: A, I, O, Q, W and Y are diphthongs."""

Phonemizer = Literal["english", "espeak"]
"""What converts words to phonemes: our dictionary and rules of English, or espeak-ng."""


def default_phonemizer(language: str) -> Phonemizer:
    """Return what converts words of a language. English needs nothing that is under the GPL."""
    return "english" if language in ("en", "en-us", "en-gb") else "espeak"


def alphabet(phonemizer: Phonemizer) -> tuple[str, ...]:
    """Return the alphabet of a phonemizer."""
    return KOKORO_SYMBOLS if phonemizer == "english" else SYMBOLS


_SAME = {"g": "ɡ", "͡": "", "͜": "", "ʦ": "ts", "\u2011": "-", "–": "—", "“": '"', "”": '"', "’": "'"}
"""Different spellings of the same symbol."""

SOUNDS = frozenset(_LETTERS + english.VOWELS + english.CONSONANTS)
"""Symbols that have a sound without other symbols."""


def canonical_ipa(ipa: str) -> str:
    """Give each sound one spelling: marks apart from letters, single spaces, one form of g."""
    apart = unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç")
    return " ".join("".join(_SAME.get(c, c) for c in apart).split())


def has_sound(ipa: str) -> bool:
    """Return whether a phonetic text has at least one letter that sounds."""
    return not SOUNDS.isdisjoint(ipa)


def check_symbols(ipa: str, symbols: Sequence[str], where: str) -> None:
    """Check that a model knows all symbols of a phonetic text.

    Args:
        ipa: Phonetic text, see :func:`canonical_ipa`.
        symbols: Alphabet of the model.
        where: Origin of the text, for the message.

    Raises:
        InputError: If a symbol is unknown. The message names the first one.
    """
    known = frozenset(symbols) - {PAD, START, END}
    for place, symbol in enumerate(ipa):
        if symbol not in known:
            name = unicodedata.name(symbol, "unnamed")
            raise InputError(
                f"{where}: '{symbol}' ({name}, character {place + 1}) is no symbol of this model"
                f"{suggest(symbol, known)}"
            )


def token_ids(ipa: str, symbols: Sequence[str]) -> list[int]:
    """Convert phonetic text to token ids, with the start and the end symbol around them.

    At each place the longest symbol that fits is taken. Unknown characters are skipped.
    """
    index = {symbol: i for i, symbol in enumerate(symbols)}
    longest_first = sorted(symbols, key=len, reverse=True)
    found = re.findall("|".join(map(re.escape, longest_first)), ipa)
    return [index[symbol] for symbol in (START, *found, END)]
