"""From text to what a model reads: sentences in phonetic text."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from oneleap.core.errors import InputError, Notice
from oneleap.domains.speech.text.lexicon import INLINE, known_parts
from oneleap.domains.speech.text.normalise import dropped, normalise
from oneleap.domains.speech.text.phonemes import phonemes
from oneleap.domains.speech.text.sentences import sentences
from oneleap.domains.speech.text.symbols import SYMBOLS, canonical, is_said, refuse_unknown

_PAUSES = " ,.:;…—-"
_FIRST = 0xE000
_MOST = 0x1900  # code points for private use


@dataclass(frozen=True)
class FrontEnd:
    """Reads text aloud, on paper.

    Attributes:
        language: Of espeak-ng.
        symbols: Those that the model knows.
        lexicon: Pronunciations by word in small letters, before which espeak-ng is not asked.
        ipa: Text is phonetic already.
    """

    language: str = "en-us"
    symbols: tuple[str, ...] = SYMBOLS
    lexicon: Mapping[str, str] = field(default_factory=dict)
    ipa: bool = False

    def sentences(self, text: str, where: str = "text") -> list[str]:
        """Phonetic text of each part that has any sound, see :func:`sentences`.

        Args:
            text: Of any length; ``[[...]]`` in it is phonetic.
            where: Named by messages.

        Raises:
            InputError: If there is nothing to say, or a phonetic symbol is unknown.
        """
        if self.ipa:
            refuse_unknown(canonical(text), self.symbols, where)
            found = [canonical(part) for part in sentences(text, ipa=True)]
        else:
            found = self._read(text, where)
        found = [said for said in found if is_said(said)]
        if not found:
            shown = " ".join(text.split())[:40]
            what = "it is empty" if not shown else f"there is no word in '{shown}'"
            raise InputError(f"{where}: nothing to say: {what}")
        return found

    def _read(self, text: str, where: str) -> list[str]:
        lost = dropped(INLINE.sub("", text), self.language)
        if lost:
            warnings.warn(f"{where}: not read out: {' '.join(lost[:10])}", Notice, stacklevel=4)
        given: list[str] = []
        for match in INLINE.finditer(text):
            said = canonical(match[1])
            refuse_unknown(said, self.symbols, f"{where}, [[{match[1]}]]")
            given.append(said)
        if len(given) > _MOST:
            raise InputError(f"{where}: {len(given)} pieces of phonetic text, more than {_MOST}")
        # Each piece of phonetic text is one letter of private use until the words are read.
        plain = [normalise(part, self.language) for part in INLINE.split(text)[::2]]
        marked = plain[0]
        for i, part in enumerate(plain[1:]):
            space = " " if part[:1].isalnum() else ""
            marked = f"{marked} {chr(_FIRST + i)}{space}{part}"
        return [self._said(sentence, given) for sentence in sentences(marked)]

    def _said(self, sentence: str, given: list[str]) -> str:
        said, words = [], ""
        for c in sentence:
            if 0 <= ord(c) - _FIRST < len(given):
                said += [self._words(words), given[ord(c) - _FIRST]]
                words = ""
            else:
                words += c
        said.append(self._words(words))
        known = frozenset(self.symbols)
        text = "".join(c for c in _spaced(said) if c in known)
        return " ".join(text.lstrip(_PAUSES).split())

    def _words(self, words: str) -> str:
        parts = known_parts(words, self.lexicon)
        cut = len(parts) > 1
        return _spaced([self._phonemes(w, cut) if s is None else s for w, s in parts])

    def _phonemes(self, words: str, cut: bool) -> str:
        """Of words, which may be cut from their neighbours: an article is then no letter."""
        if cut and words.strip().lower() == "a" and self.language.startswith("en"):
            return "ɐ"
        return phonemes(words, self.language)


def _spaced(parts: list[str]) -> str:
    """One space between, none before a mark that clings to the word before it."""
    text = ""
    for part in parts:
        clings = part[:1] in set(",.?!;:…)")
        text += part if clings or not text else f" {part}" if part else ""
    return text
