"""One word to phonemes: the dictionary, endings, spelled letters, and the letter model."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from oneleap.domains.audio.english.context import OWN
from oneleap.domains.audio.english.dictionary import FOLDER, Dictionary, load_dictionary
from oneleap.domains.audio.english.symbols import VOWELS, has_vowel

if TYPE_CHECKING:
    from oneleap.domains.audio.english.letters import LetterModel

_LATIN = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d",
                        "þ": "th", "ı": "i", "Æ": "Ae", "Ø": "O", "Ł": "L"})  # fmt: skip
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu",
    "ξ": "xi", "ο": "omicron", "π": "pi", "ρ": "rho", "σ": "sigma", "ς": "sigma", "τ": "tau",
    "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip
_TAP_AFTER = "AIOWYiuæɑəɛɪɹʊʌ"
_CONTRACTIONS = {"'ll": "əl", "'ve": "əv", "'d": "d", "'re": "əɹ", "'m": "m"}


MAX_WORDS = 4096
"""Words whose readings are kept. Frequent words stay; a service that reads on needs no more."""

MAX_LETTERS = 40
"""Letters of the longest word that is kept."""


@lru_cache(maxsize=2)
def _load_letters(language: str) -> "LetterModel":
    from oneleap.domains.audio.english.letters import LetterModel  # imports numpy

    return LetterModel.load(FOLDER / f"{language}.letters.npz")


def with_stress(phonemes: str, mark: str) -> str:
    """Give phonemes at least the stress ``mark``: secondary if they have none, or primary."""
    if "ˈ" in phonemes or not has_vowel(phonemes):
        return phonemes
    if "ˌ" in phonemes:
        return phonemes.replace("ˌ", mark, 1) if mark == "ˈ" else phonemes
    place = next(i for i, c in enumerate(phonemes) if c in VOWELS)
    return phonemes[:place] + mark + phonemes[place:]


def without_primary(phonemes: str) -> str:
    """Lower the first stress to the second, and drop the second."""
    return phonemes.replace("ˌ", "").replace("ˈ", "ˌ")


@dataclass(frozen=True)
class Words:
    """Reads single words.

    Attributes:
        language: ``en-us`` or ``en-gb``.
    """

    language: str

    @property
    def british(self) -> bool:
        """Whether this is British English."""
        return self.language == "en-gb"

    @property
    def dictionary(self) -> Dictionary:
        """The dictionary of this accent."""
        return load_dictionary(self.language)

    def readings(self, word: str, *, first: bool = False) -> Mapping[str, str]:
        """Return the readings of a word by part of speech; ``DEFAULT`` is always there.

        Args:
            word: The word, in which the case of letters counts: Polish, polish.
            first: Whether it begins a sentence, so that its capital says nothing.
        """
        if len(word) > MAX_LETTERS:
            return _readings.__wrapped__(self, word, first)
        return _readings(self, word, first)

    def spell(self, letters: str) -> str:
        """Read letters by their names as one word, with the first stress on the last letter."""
        names = [self._letter(c) for c in letters]
        return "".join((*map(without_primary, names[:-1]), names[-1]))

    def _letter(self, letter: str) -> str:
        if letter.upper() == "Z":
            return "zˈɛd" if self.british else "zˈi"
        found = self.dictionary.find(letter.upper())
        return found["DEFAULT"] if found else ""

    def _look_up(self, word: str, first: bool) -> Mapping[str, str] | None:
        lower = word.lower()
        forms = [lower, word] if first and not word.isupper() else [word, lower]
        for form in (*forms, lower.capitalize()):
            found = self.dictionary.find(form)
            if found is not None:
                return {**found, **OWN[self.language].get(form, {})}
        return None

    def _derived(self, word: str) -> Mapping[str, str] | None:
        """Read a word by its ending: possessives, plurals, past forms, participles."""
        for ending, said in _CONTRACTIONS.items():
            if word.endswith(ending):
                return self._with_ending(word.removesuffix(ending), said)
        if word.endswith("n't"):
            return self._with_ending(word[:-3], "ᵊnt")
        if word.endswith(("s'", "'")) and len(word) > 2:
            return self.readings(word.removesuffix("'"))
        if word.endswith("in'"):
            return self.readings(f"{word[:-1]}g")
        for ending, stems in split_ending(word):
            for stem in stems:
                found = self._look_up(stem, False) if len(stem) > 1 or ending == "'s" else None
                if found is not None:
                    verb = found.get("VERB", found["DEFAULT"])
                    if ending in ("ed", "ing"):
                        found = {"DEFAULT": verb}
                    made = {t: self.inflect(p, ending) for t, p in found.items()}
                    return made if made["DEFAULT"] else None
        return None

    def inflect(self, stem: str, ending: str) -> str:
        """Add the ending ``s``, ``'s``, ``ed`` or ``ing`` to the phonemes of a stem."""
        if ending == "ed":
            return self._past(stem)
        return self._participle(stem) if ending == "ing" else self._plural(stem)

    def _with_ending(self, stem: str, said: str) -> Mapping[str, str]:
        if self.british and said == "əɹ":
            said = "ə"
        if said == "əv" or said == "d":
            return {t: _join_d(p, said) for t, p in self.readings(stem).items()}
        return {t: p + said for t, p in self.readings(stem).items()}

    def _plural(self, stem: str) -> str:
        if stem[-1:] in tuple("ptkfθ"):
            return f"{stem}s"
        return f"{stem}{self._weak}z" if stem[-1:] in tuple("szʃʒʧʤ") else f"{stem}z"

    def _past(self, stem: str) -> str:
        if stem[-1:] in tuple("pkfθʃsʧ"):
            return f"{stem}t"
        if stem[-1:] == "d":
            return f"{stem}{self._weak}d"
        return f"{self._tapped(stem)}{self._weak}d" if stem[-1:] == "t" else f"{stem}d"

    def _participle(self, stem: str) -> str:
        if self.british and stem[-1:] in ("ə", "ː"):
            return f"{stem}ɹɪŋ" if stem[-2:] != "iː" and stem[-2:] != "uː" else f"{stem}ɪŋ"
        return f"{self._tapped(stem)}ɪŋ"

    @property
    def _weak(self) -> str:
        return "ɪ" if self.british else "ᵻ"

    def _tapped(self, stem: str) -> str:
        tap = not self.british and stem.endswith("t") and stem[-2:-1] in tuple(_TAP_AFTER)
        return f"{stem[:-1]}T" if tap else stem


@lru_cache(maxsize=MAX_WORDS)
def _readings(words: Words, word: str, first: bool) -> Mapping[str, str]:
    if len(word) == 1 and (word.isupper() or word.lower() not in ("a", "i")) and word.isascii():
        return {"DEFAULT": words._letter(word)}
    found = words._look_up(word, first) or words._derived(word)
    if found is not None:
        return found
    plain = "".join(_GREEK.get(c, c) for c in word.translate(_LATIN))
    plain = "".join(c for c in unicodedata.normalize("NFD", plain) if not unicodedata.combining(c))
    if plain != word:
        return words.readings(plain, first=first)
    bare = "".join(c for c in word.lower() if "a" <= c <= "z")
    if not bare:
        return {"DEFAULT": ""}
    if not set(bare) & set("aeiouy") and len(bare) < 6:
        return {"DEFAULT": words.spell(bare)}
    if word.endswith("'s") and len(bare) > 2:
        return {t: words._plural(p) for t, p in words.readings(word[:-2]).items()}
    # The letter model has seen few regular endings, which the dictionary leaves out.
    for ending, stems in split_ending(bare):
        if len(stems[0]) > 3 and not bare.endswith(("eed", "ees")):
            stem = _load_letters(words.language).read(stems[0][:60])
            return {"DEFAULT": words.inflect(stem, ending)}
    return {"DEFAULT": _load_letters(words.language).read(bare[:60])}


def _join_d(stem: str, said: str) -> str:
    if said == "əv":
        return stem + ("v" if stem[-1:] in tuple("iuAIOWYQː") else "əv")
    return f"{stem}əd" if stem[-1:] in tuple("td") else f"{stem}d"


def split_ending(word: str) -> list[tuple[str, list[str]]]:
    """Return endings of a word, with the stems that it may have."""
    if word.endswith("'s"):
        return [("'s", [word[:-2]])]
    if word.endswith("ies"):
        return [("s", [f"{word[:-3]}y", word[:-1]])]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        hissing = word.endswith(("sses", "shes", "ches", "xes", "zes"))
        stems = [word[:-1], word[:-2]] if word.endswith("es") else [word[:-1]]
        return [("s", stems[::-1] if hissing else stems)]
    if word.endswith("ied"):
        return [("ed", [f"{word[:-3]}y"])]
    if word.endswith("ed") and len(word) > 3:
        return [("ed", [*_by_vowel(word[:-2]), *_undoubled(word[:-2])])]
    if word.endswith("ing") and len(word) > 4:
        return [("ing", [*_by_vowel(word[:-3]), *_undoubled(word[:-3])])]
    return []


def _by_vowel(stem: str) -> list[str]:
    """Return a stem with and without e: with it first after one vowel and one consonant."""
    silent = re.search(r"(?:^|[^aeiou])[aeiou][^aeiouwxy]$|[cgv]$", stem)
    return [f"{stem}e", stem] if silent else [stem, f"{stem}e"]


def _undoubled(stem: str) -> list[str]:
    double = len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] in "bcdgklmnprstvz"
    return [stem[:-1]] if double else []
