"""The text front end: written text to phonetic sentences."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from oneleap.core.errors import InputError, Notice
from oneleap.domains.audio.english.sentence import english_words, phonemize_english
from oneleap.domains.audio.english.symbols import from_ipa
from oneleap.domains.speech.text.lexicon import INLINE, split_by_lexicon
from oneleap.domains.speech.text.normalize import is_english, normalize_text
from oneleap.domains.speech.text.phonemes import phonemize
from oneleap.domains.speech.text.sentences import PARAGRAPH_END, split_sentences
from oneleap.domains.speech.text.symbols import (
    Phonemizer,
    alphabet,
    canonical_ipa,
    check_symbols,
    default_phonemizer,
    has_sound,
)

_PAUSES = " ,.:;…—-"
_PRIVATE_USE = 0xE000  # first code point for private use
_PRIVATE_USE_COUNT = 0x1900
_LETTERS = re.compile(r"\b[A-Z](?: [A-Z])+\b(?!')")


class Prepared(NamedTuple):
    """A text in words.

    Attributes:
        text: The text. A character of private use stands for each piece of phonetic text.
        given: The pieces of phonetic text, in the alphabet of the model.
    """

    text: str
    given: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The text on one line, with the phonetic pieces in double brackets."""
        marks = {_PRIVATE_USE + i: f"[[{ipa}]]" for i, ipa in enumerate(self.given)}
        return " ".join(self.text.translate(marks).split())


@dataclass(frozen=True)
class FrontEnd:
    """Converts written text to phonetic sentences.

    Attributes:
        language: Language, such as ``en-us``, ``en-gb`` or any that espeak-ng knows.
        symbols: Alphabet of the model; by default that of the phonemizer.
        lexicon: IPA by word in lower case. It takes precedence over the phonemizer.
        ipa: Whether the text is phonetic already.
        phonemizer: What converts words to phonemes: ``english`` or ``espeak``. By default, English
            needs no espeak-ng.

    Raises:
        InputError: If the phonemizer does not know the language.
    """

    language: str = "en-us"
    symbols: tuple[str, ...] | None = None
    lexicon: Mapping[str, str] = field(default_factory=dict)
    ipa: bool = False
    phonemizer: Phonemizer | None = None

    def __post_init__(self) -> None:
        if self.phonemizer == "english" and default_phonemizer(self.language) != "english":
            raise InputError(
                f"phonemizer: english reads en-us and en-gb, not '{self.language}': take espeak"
            )

    @property
    def converts_by(self) -> Phonemizer:
        """The phonemizer in use."""
        return self.phonemizer or default_phonemizer(self.language)

    @property
    def alphabet(self) -> tuple[str, ...]:
        """The alphabet in use."""
        return self.symbols or alphabet(self.converts_by)

    def phonetic_sentences(self, text: str, where: str = "text") -> list[str]:
        """Convert a text to phonemes, one string per sentence; see :func:`split_sentences`.

        Sentences without any sound are left out.

        Args:
            text: Text of any length. ``[[...]]`` in it is phonetic.
            where: Origin of the text, for messages.

        Returns:
            The sentences in phonemes.

        Raises:
            InputError: If no sentence has a sound, or a phonetic symbol is unknown.
        """
        return [ipa for found in self.phonetic_paragraphs(text, where) for ipa in found]

    def phonetic_paragraphs(self, text: str, where: str = "text") -> list[list[str]]:
        """Convert a text to phonemes: the sentences of each paragraph.

        Paragraphs are separated by empty lines. Those without any sound are left out. Phonetic
        text is one paragraph.

        Args:
            text: See :meth:`phonetic_sentences`.
            where: See :meth:`phonetic_sentences`.

        Returns:
            The sentences of each paragraph in phonemes.

        Raises:
            InputError: See :meth:`phonetic_sentences`.
        """
        if self.ipa:
            sentences = split_sentences(self.from_ipa(text, where), ipa=True)
            paragraphs = [[ipa for ipa in sentences if has_sound(ipa)]]
        else:
            prepared = self.prepare(text, where)
            parts = PARAGRAPH_END.split(prepared.text)
            paragraphs = [self.convert(prepared._replace(text=part)) for part in parts]
        paragraphs = [found for found in paragraphs if found]
        if not paragraphs:
            shown = " ".join(text.split())[:40]
            reason = f"there is no word in '{shown}'" if shown else "it is empty"
            raise InputError(f"{where}: nothing to say: {reason}")
        return paragraphs

    def from_ipa(self, ipa: str, where: str) -> str:
        """Write IPA in the alphabet of the model.

        Raises:
            InputError: If a symbol is unknown.
        """
        ipa = canonical_ipa(ipa)
        if self.converts_by == "english":
            ipa = from_ipa(ipa, english_words(self.language).british)
        check_symbols(ipa, self.alphabet, where)
        return ipa

    def prepare(self, text: str, where: str = "text") -> Prepared:
        """Write a text in words. What nobody reads aloud is left out, with one notice.

        Raises:
            InputError: If a phonetic symbol is unknown.
        """
        private = range(_PRIVATE_USE, _PRIVATE_USE + _PRIVATE_USE_COUNT)
        text = text.translate(dict.fromkeys({ord(c) for c in text} & set(private)))
        given = tuple(self.from_ipa(m[1], f"{where}, [[{m[1]}]]") for m in INLINE.finditer(text))
        if len(given) > _PRIVATE_USE_COUNT:
            raise InputError(
                f"{where}: {len(given)} pieces of phonetic text, more than {_PRIVATE_USE_COUNT}"
            )
        marks = iter(private)
        marked = INLINE.sub(lambda m: f" {chr(next(marks))} ", text)
        normalized = normalize_text(marked, self.language)
        if normalized.dropped:
            shown = " ".join(normalized.dropped[:10])
            message = f"{where}: cannot be read aloud and is skipped: {shown}"
            warnings.warn(message, Notice, stacklevel=4)
        return Prepared(normalized.text, given)

    def convert(self, prepared: Prepared) -> list[str]:
        """Convert a text in words to phonemes, one string per sentence that has a sound."""
        parts = split_sentences(prepared.text)
        found = [self._sentence(sentence, prepared.given) for sentence in parts]
        return [ipa for ipa in found if has_sound(ipa)]

    @cached_property
    def _lexicon(self) -> Mapping[str, str]:
        if self.converts_by == "espeak":
            return self.lexicon
        british = english_words(self.language).british
        return {word: from_ipa(ipa, british) for word, ipa in self.lexicon.items()}

    def _sentence(self, sentence: str, given: Sequence[str]) -> str:
        if self.converts_by == "english":
            text = phonemize_english(sentence, self.language, self._lexicon, given, _PRIVATE_USE)
        else:
            text = self._by_espeak(sentence, given)
        known = frozenset(self.alphabet)
        text = "".join(c for c in text if c in known)
        return " ".join(text.lstrip(_PAUSES).split())

    def _by_espeak(self, sentence: str, given: Sequence[str]) -> str:
        parts, words = [], ""
        for c in sentence:
            if 0 <= ord(c) - _PRIVATE_USE < len(given):
                parts += [self._words(words), given[ord(c) - _PRIVATE_USE]]
                words = ""
            else:
                words += c
        parts.append(self._words(words))
        return _join(parts)

    def _words(self, words: str) -> str:
        parts = split_by_lexicon(words, self.lexicon)
        cut = len(parts) > 1
        return _join([self._phonemes(w, cut) if ipa is None else ipa for w, ipa in parts])

    def _phonemes(self, words: str, cut: bool) -> str:
        """Convert words by espeak-ng.

        A lone ``a`` that was cut from its neighbors is an article, no letter.
        """
        if is_english(self.language):
            if cut and words.strip().lower() == "a":
                return "ɐ"
            words = _LETTERS.sub(_letters_for_espeak, words)
        return phonemize(words, self.language)


def _letters_for_espeak(match: re.Match[str]) -> str:
    """Write letters in a row so that espeak-ng spells them.

    It takes a lone A for the article and a lone I for the pronoun, and it spells words without
    a vowel by itself.
    """
    letters = match[0].replace(" ", "")
    if not set(letters) & set("AEIOUY"):
        return letters
    return match[0].replace("A", "eigh").replace("I", "eye")


def _join(parts: list[str]) -> str:
    """Join parts with single spaces, but without a space before punctuation."""
    text = ""
    for part in parts:
        clings = part[:1] in set(",.?!;:…)")
        text += part if clings or not text else f" {part}" if part else ""
    return text
