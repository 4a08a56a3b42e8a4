"""The text front end: written text to phonetic sentences."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from oneleap.core.errors import InputError, Notice
from oneleap.domains.speech.text.lexicon import INLINE, split_by_lexicon
from oneleap.domains.speech.text.normalize import normalize, skipped_characters
from oneleap.domains.speech.text.phonemes import phonemize
from oneleap.domains.speech.text.sentences import split_sentences
from oneleap.domains.speech.text.symbols import SYMBOLS, canonical_ipa, check_symbols, has_sound

_PAUSES = " ,.:;…—-"
_PRIVATE_USE = 0xE000  # first code point for private use
_PRIVATE_USE_COUNT = 0x1900


@dataclass(frozen=True)
class FrontEnd:
    """Converts written text to phonetic sentences.

    Attributes:
        language: Language of espeak-ng, such as ``en-us``.
        symbols: Alphabet of the model.
        lexicon: IPA by word in lower case. It takes precedence over espeak-ng.
        ipa: Whether the text is phonetic already.
    """

    language: str = "en-us"
    symbols: tuple[str, ...] = SYMBOLS
    lexicon: Mapping[str, str] = field(default_factory=dict)
    ipa: bool = False

    def phonetic_sentences(self, text: str, where: str = "text") -> list[str]:
        """Convert a text to IPA, one string per sentence; see :func:`split_sentences`.

        Sentences without any sound are left out.

        Args:
            text: Text of any length. ``[[...]]`` in it is phonetic.
            where: Origin of the text, for messages.

        Returns:
            The sentences in IPA.

        Raises:
            InputError: If no sentence has a sound, or a phonetic symbol is unknown.
        """
        if self.ipa:
            check_symbols(canonical_ipa(text), self.symbols, where)
            found = [canonical_ipa(part) for part in split_sentences(text, ipa=True)]
        else:
            found = self._convert(text, where)
        found = [ipa for ipa in found if has_sound(ipa)]
        if not found:
            shown = " ".join(text.split())[:40]
            reason = f"there is no word in '{shown}'" if shown else "it is empty"
            raise InputError(f"{where}: nothing to say: {reason}")
        return found

    def _convert(self, text: str, where: str) -> list[str]:
        skipped = skipped_characters(INLINE.sub("", text), self.language)
        if skipped:
            message = f"{where}: cannot be read aloud and is skipped: {' '.join(skipped[:10])}"
            warnings.warn(message, Notice, stacklevel=4)
        given: list[str] = []
        for match in INLINE.finditer(text):
            ipa = canonical_ipa(match[1])
            check_symbols(ipa, self.symbols, f"{where}, [[{match[1]}]]")
            given.append(ipa)
        if len(given) > _PRIVATE_USE_COUNT:
            raise InputError(
                f"{where}: {len(given)} pieces of phonetic text, more than {_PRIVATE_USE_COUNT}"
            )
        # A character of private use stands for each piece of phonetic text until the words
        # around it are converted.
        plain = [normalize(part, self.language) for part in INLINE.split(text)[::2]]
        marked = plain[0]
        for i, part in enumerate(plain[1:]):
            space = " " if part[:1].isalnum() else ""
            marked = f"{marked} {chr(_PRIVATE_USE + i)}{space}{part}"
        return [self._sentence(sentence, given) for sentence in split_sentences(marked)]

    def _sentence(self, sentence: str, given: list[str]) -> str:
        parts, words = [], ""
        for c in sentence:
            if 0 <= ord(c) - _PRIVATE_USE < len(given):
                parts += [self._words(words), given[ord(c) - _PRIVATE_USE]]
                words = ""
            else:
                words += c
        parts.append(self._words(words))
        known = frozenset(self.symbols)
        text = "".join(c for c in _join(parts) if c in known)
        return " ".join(text.lstrip(_PAUSES).split())

    def _words(self, words: str) -> str:
        parts = split_by_lexicon(words, self.lexicon)
        cut = len(parts) > 1
        return _join([self._phonemes(w, cut) if ipa is None else ipa for w, ipa in parts])

    def _phonemes(self, words: str, cut: bool) -> str:
        """Convert words. A lone ``a`` that was cut from its neighbors is an article, no letter."""
        if cut and words.strip().lower() == "a" and self.language.startswith("en"):
            return "ɐ"
        return phonemize(words, self.language)


def _join(parts: list[str]) -> str:
    """Join parts with single spaces, but without a space before punctuation."""
    text = ""
    for part in parts:
        clings = part[:1] in set(",.?!;:…)")
        text += part if clings or not text else f" {part}" if part else ""
    return text
