"""Phonemes of English: the alphabet of Kokoro and misaki, and IPA written in it."""

import re
import unicodedata

START, END = "^", "$"
"""Silence before and after speech, which also gets frames."""

VOWELS = "AIOQWYaeiuæɑɐɒɔəɛɜɪʊʌᵻᵊ"
"""Vowels. Capital letters are diphthongs: A eɪ, I aɪ, O oʊ, Q əʊ, W aʊ, Y ɔɪ."""

CONSONANTS = "bdfhjklmnpstvwzðŋɡɹTʃʒʤʧθ"
"""Consonants. ``T`` is the tap of American English."""

_PHONEME = re.compile(rf"[ˈˌ]?[{VOWELS}]ː?|[^ˈˌ]")

_FROM_IPA = (
    ("t͡ʃ", "ʧ"), ("tʃ", "ʧ"), ("d͡ʒ", "ʤ"), ("dʒ", "ʤ"), ("ˈeɪ", "ˈA"), ("eɪ", "A"), ("aɪ", "I"),
    ("oʊ", "O"), ("əʊ", "Q"), ("aʊ", "W"), ("ɔɪ", "Y"), ("ɝː", "ɜɹ"), ("ɝ", "ɜɹ"), ("ɚ", "əɹ"),
    ("ʍ", "w"), ("n̩", "ᵊn"), ("l̩", "ᵊl"), ("m̩", "ᵊm"), ("ɾ", "T"), ("ʔ", "t"), ("g", "ɡ"),
    ("ɫ", "l"),
)  # fmt: skip

_NEAREST = str.maketrans(
    {
        "r": "ɹ", "ɻ": "ɹ", "ʁ": "ɹ", "ɽ": "ɹ", "x": "k", "χ": "k", "q": "k", "c": "k", "ç": "h",
        "ħ": "h", "ɦ": "h", "ɣ": "ɡ", "y": "u", "ʏ": "ʊ", "ø": "ɜ", "œ": "ɜ", "ɨ": "ɪ", "ɯ": "u",
        "ɤ": "O", "ɵ": "ə", "ɘ": "ə", "ɞ": "ɜ", "ɲ": "nj", "ɳ": "n", "ɴ": "ŋ", "ʎ": "lj", "ɭ": "l",
        "ɬ": "l", "ʋ": "v", "β": "v", "ɸ": "f", "ʂ": "ʃ", "ɕ": "ʃ", "ʐ": "ʒ", "ʑ": "ʒ", "ʈ": "t",
        "ɖ": "d", "ɟ": "ɡ", "ʝ": "j", "ɥ": "w", "ɰ": "w", "ɱ": "m", "ɾ": "T", "ʔ": "t",
    }
)  # fmt: skip
"""The nearest sound of English to each sound that English lacks."""

_AMERICAN = (
    ("ɜː", "ɜɹ"), ("ɜɹɹ", "ɜɹ"), ("əʊ", "O"), ("Q", "O"), ("ɒ", "ɑ"), ("ː", ""), ("a", "æ"),
    ("o", "O"),
)  # fmt: skip
_BRITISH = (("o", "Q"),)


def split_phonemes(phonemes: str) -> list[str]:
    """Split phonemes of a word. The stress of a vowel and its length belong to it."""
    return _PHONEME.findall(phonemes)


def has_vowel(phonemes: str) -> bool:
    """Return whether phonemes contain a vowel."""
    return any(c in VOWELS for c in phonemes)


def from_ipa(ipa: str, british: bool = False) -> str:
    """Write ordinary IPA in this alphabet; phonemes of this alphabet stay as they are.

    Args:
        ipa: Phonetic text, such as ``təˈmɑːtoʊ``.
        british: Whether vowels keep their length, as British English has it.

    Returns:
        The phonemes, such as ``təmˈɑtO``, with each stress mark before its vowel.
    """
    text = unicodedata.normalize("NFD", ipa).replace("c\u0327", "ç")
    for written, ours in (*_FROM_IPA, *(_BRITISH if british else _AMERICAN)):
        text = text.replace(written, ours)
    text = text.translate(_NEAREST).translate(dict.fromkeys(map(ord, "‿͜͡ˑ̯̃ʰʲ̪̥̬̊")))
    # IPA has stress before the syllable, this alphabet before the vowel.
    return " ".join(re.sub(rf"([ˈˌ])([^\W{VOWELS}ˈˌ]+)(?=[{VOWELS}])", r"\2\1", text).split())
