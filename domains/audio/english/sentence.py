"""A sentence in words to phonemes: weak forms, homographs, spelled letters, hyphens and pauses."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from oneleap.domains.audio.english.context import choose
from oneleap.domains.audio.english.symbols import CONSONANTS, VOWELS, has_vowel
from oneleap.domains.audio.english.word_lists import word_list
from oneleap.domains.audio.english.words import Words, with_stress, without_primary

_TOKEN = re.compile(
    r"[\ue000-\uf8ff]|'?[^\W\d_\ue000-\uf8ff]+(?:'[^\W\d_]+)*'?|(?<=\w)-(?=\w)|[,.?!;:…—()\"]|\s-+\s"
)
_PAUSES = {"(": ",", ")": ",", '"': ""}
_APOSTROPHES = word_list("words with an apostrophe first")


@dataclass
class _Token:
    """A word, a mark, or given phonemes.

    Attributes:
        text: The word or the mark.
        said: Its phonemes, once they are known.
        word: Whether it is a word.
        joined: Whether a hyphen binds it to the word before.
    """

    text: str
    said: str = ""
    word: bool = True
    joined: bool = False


def phonemize_english(
    sentence: str,
    language: str,
    lexicon: Mapping[str, str] | None = None,
    given: Sequence[str] = (),
    first_private: int = 0xE000,
) -> str:
    """Convert a sentence in words to phonemes, and keep its punctuation.

    Args:
        sentence: The sentence, as :func:`normalize` writes it.
        language: ``en-us`` or ``en-gb``; other kinds of English are read as one of them.
        lexicon: The user's own pronunciations, by word in small letters.
        given: Phonemes that characters of private use stand for.
        first_private: Code point of the character of the first of them.

    Returns:
        The phonemes, in the alphabet of :mod:`symbols`.
    """
    words = english_words(language)
    tokens = _keep_hyphens(_tokens(sentence, given, first_private), words)
    tokens = _merge_letters(tokens, words)
    lower = [t.text.lower() if t.word else "" for t in tokens]
    vowel_next: bool | None = None
    for i in range(len(tokens) - 1, -1, -1):
        token = tokens[i]
        if token.word and not token.said:
            token.said = (lexicon or {}).get(lower[i]) or _read(words, tokens, lower, i, vowel_next)
        vowel_next = _begins_with_vowel(token.said, vowel_next) if token.word else None
    return _join(tokens)


def _keep_hyphens(tokens: list[_Token], words: Words) -> list[_Token]:
    """Make one word of a word with hyphens that the dictionary has, such as e-mail."""
    kept = list[_Token]()
    for token in tokens:
        if token.joined and kept and not token.said and not kept[-1].said:
            whole = f"{kept[-1].text}-{token.text}"
            close = kept[-1].text + token.text
            for form in (whole, whole.lower(), close.lower()):
                found = (
                    words.dictionary.find(form) if len(kept[-1].text) < 5 or "-" in form else None
                )
                if found:
                    kept[-1].said, kept[-1].text = found["DEFAULT"], whole
                    break
            else:
                kept.append(token)
        else:
            kept.append(token)
    return kept


@lru_cache(maxsize=2)
def english_words(language: str) -> Words:
    """Return the reader of words of an accent: American, unless it is British."""
    american = language in ("en", "en-us") or language.startswith("en-us")
    return Words("en-us" if american else "en-gb")


def _tokens(sentence: str, given: Sequence[str], first_private: int) -> list[_Token]:
    tokens = list[_Token]()
    joined = False
    for match in _TOKEN.finditer(sentence):
        text = match[0]
        if text == "-":
            joined = bool(tokens) and tokens[-1].word
            continue
        place = ord(text[0]) - first_private
        if 0 <= place < len(given):
            tokens.append(_Token(text, given[place]))
        elif text[0] >= "\ue000" and not text[0].isalpha():
            continue
        elif text[0].isalpha() or text[0] == "'":
            word = text if text.lower() in _APOSTROPHES else text.lstrip("'")
            if word.endswith("'") and not word.lower().endswith(("s'", "in'", "'n'")):
                word = word.rstrip("'")
            if word.strip("'"):
                tokens.append(_Token(word, joined=joined))
        else:
            mark = _PAUSES.get(text, "—" if text.strip("- ") == "" else text)
            if mark:
                tokens.append(_Token(mark, mark, word=False))
        joined = False
    return tokens


def _merge_letters(tokens: list[_Token], words: Words) -> list[_Token]:
    """Make one word of letters in a row: F B I."""
    merged, i = list[_Token](), 0
    while i < len(tokens):
        n = 0
        while i + n < len(tokens) and _is_letter(tokens[i + n]):
            n += 1
        plain = "".join(t.text for t in tokens[i : i + n])
        after = tokens[i + n] if i + n < len(tokens) else None
        if n == 1 and plain in ("I", "A"):
            n = 0
        elif n > 1 and plain[-1] == "I" and after is not None and after.word and n == 2:
            n -= 1  # A I think
            plain = plain[:-1]
        if n == 0 or (n == 1 and after is None and not plain):
            merged.append(tokens[i])
            i += 1
            continue
        i += n
        ending = (
            re.fullmatch(r"([A-Z])'s", after.text) if after is not None and after.word else None
        )
        said = words.spell(plain + ending[1] if ending else plain)
        if ending:
            said += "z"
            i += 1
        merged.append(_Token(plain, said, joined=tokens[i - 1].joined and n == 1))
    return merged


def _is_letter(token: _Token) -> bool:
    return token.word and not token.said and len(token.text) == 1 and "A" <= token.text <= "Z"


def _read(
    words: Words, tokens: Sequence[_Token], lower: Sequence[str], i: int, vowel_next: bool | None
) -> str:
    """Read one word in its sentence."""
    text, word = tokens[i].text, lower[i]
    first = i == 0 or not any(t.word for t in tokens[:i])
    weak = _function_word(text, word, tokens, lower, i, vowel_next)
    said = weak or choose(words.readings(text, first=first), lower, i)
    if word == "to" and words.british and vowel_next is None:
        said = "tuː"
    if word in ("a", "an", "the", "to") or not text[0].isupper():
        return said
    return with_stress(said, "ˈ" if len(text) > 1 and text.isupper() else "ˌ")


def _function_word(
    text: str,
    word: str,
    tokens: Sequence[_Token],
    lower: Sequence[str],
    i: int,
    vowel_next: bool | None,
) -> str | None:
    """Read a word whose form depends on what follows, or return ``None``."""
    if word == "a":
        return "ˈA" if text == "A" and is_letter_name(tokens, i) else "ɐ"
    if word == "an":
        return "ɐn"
    if word == "the":
        return "ði" if vowel_next else "ðə"
    if word == "to":
        return "tu" if vowel_next is None else "tʊ" if vowel_next else "tə"
    if word == "i":
        return "ˌI"
    if word == "in":
        return "ˈɪn" if vowel_next is None else "ɪn"
    if word == "am" and lower[i - 1 : i] == ["i"] and vowel_next is not None:
        return "ɐm"
    return None


def is_letter_name(tokens: Sequence[_Token], i: int) -> bool:
    """Return whether a capital A is the letter, not the article: plan A, vitamin A is good."""
    before = tokens[i - 1] if i else None
    after = tokens[i + 1] if i + 1 < len(tokens) else None
    if after is None or not after.word:
        return True
    if before is None or not before.word:
        return after.text in ("is", "was", "and", "or", "has", "comes", "stands")
    return after.text[:1].islower()


def _begins_with_vowel(said: str, otherwise: bool | None) -> bool | None:
    for c in said:
        if c in VOWELS:
            return True
        if c in CONSONANTS:
            return False
    return otherwise


def _join(tokens: Sequence[_Token]) -> str:
    """Join words with spaces, and words with hyphens to one word with one first stress."""
    text = ""
    for i, token in enumerate(tokens):
        if not token.word:
            if text and text[-1] not in ",;:—" and not (text[-1] in ".?!…" and token.said in ",;:"):
                text += token.said
            elif text and token.said in ".?!…":
                text = text.rstrip(",;:—") + token.said
            continue
        said = token.said
        bound = i + 1 < len(tokens) and tokens[i + 1].word and tokens[i + 1].joined
        if bound and has_vowel(said):
            said = without_primary(said)
        text += said if token.joined or not text else f" {said}" if said else ""
    return text
