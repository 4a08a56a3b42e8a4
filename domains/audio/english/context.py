"""Which reading of a word fits its neighbors: a record, to record; I will read, I have read."""

from collections.abc import Mapping, Sequence

from oneleap.domains.audio.english.word_lists import word_list

_DETERMINERS = word_list("before a noun")
_PREPOSITIONS = word_list("prepositions")
_VERB_BEFORE = word_list("before a verb")
_BE = word_list("forms of be")
_HAVE = word_list("forms of have")
_SINGULAR = word_list("third person")
_OBJECTS = word_list("beginnings of objects")
_AFTER_VERB = word_list("after a verb")
_MODAL = word_list("before an infinitive")
_PAST = word_list("signs of the past")
_PRESENT = word_list("signs of the present")
_ADJECTIVE_BEFORE = word_list("before an adjective")

WORDS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "lead": {"METAL": word_list("near lead the metal")},
    "bass": {"FISH": word_list("near bass the fish")},
    "minute": {"TINY": word_list("near minute that is tiny")},
}
"""Readings that neighboring words decide."""

OWN: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "en-us": {
        "lead": {"METAL": "lˈɛd"},
        "eighth": {"DEFAULT": "ˈAtθ"},
        "minute": {"ADJ": "mˈɪnət", "TINY": "mInˈut"},
        "bass": {"DEFAULT": "bˈAs", "FISH": "bˈæs", "ADJ": "bˈAs"},
    },
    "en-gb": {
        "lead": {"METAL": "lˈɛd"},
        "minute": {"ADJ": "mˈɪnɪt", "TINY": "mInjˈuːt"},
        "bass": {"DEFAULT": "bˈAs", "FISH": "bˈas", "ADJ": "bˈAs"},
    },
}
"""Readings that the dictionary lacks, or has the wrong way round."""


def choose(readings: Mapping[str, str], words: Sequence[str], i: int) -> str:
    """Return the reading that fits.

    Args:
        readings: Phonemes by part of speech; ``DEFAULT`` is always there.
        words: Words of the sentence in small letters; an empty string is a pause.
        i: Index of the word.

    Returns:
        The phonemes.
    """
    word = words[i]
    before, before2 = (words[i - k] if i >= k else "" for k in (1, 2))
    after = words[i + 1] if i + 1 < len(words) else ""
    if "None" in readings:
        return readings["DEFAULT" if after else "None"]
    for tag, near in WORDS.get(word, {}).items():
        if near.intersection((before, before2, after)) - {word}:
            return readings[tag]
    if word == "that":
        return readings["DT" if _stressed_that(before, after) else "DEFAULT"]
    if word == "used":
        return readings["VBD" if after == "to" and before not in _BE else "DEFAULT"]
    if "VBD" in readings:
        past = _is_past(word, words, i, before, before2, after)
        return readings["VBD" if past else "DEFAULT"]
    verb = _is_verb(word, before, before2, after)
    if word in ("live", "lives") and before == "" and after in _AFTER_VERB:
        verb = True
    if "VERB" in readings and verb:
        return readings["VERB"]
    if "ADJ" in readings and "VERB" not in readings and not verb:
        noun_next = after and after not in _PREPOSITIONS | _BE | _MODAL | {"and", "or"}
        article = before in ("a", "an", "the") and noun_next
        is_so = before in _BE and readings["DEFAULT"].endswith("At")  # it is separate
        adjective = article or is_so or (before in _ADJECTIVE_BEFORE and before not in _BE)
        if adjective and word != "close":
            return readings["ADJ"]
    if "ADV" in readings and before not in _DETERMINERS | _PREPOSITIONS and not after:
        return readings["ADV"]
    if "NOUN" in readings and not verb:
        if word.startswith("close"):  # it is close
            noun = after in ("of", "") and before in ("the", "a", "to")
        else:
            noun = before in _DETERMINERS | _PREPOSITIONS or _like_adjective(before)
        return readings["NOUN" if noun else "DEFAULT"]
    return readings["DEFAULT"]


def _like_adjective(word: str) -> bool:
    return word.endswith(("al", "ive", "ous", "ful", "ic", "ish", "less", "able", "'s", "s'"))


def _stressed_that(before: str, after: str) -> bool:
    return not after or not before or before in _PREPOSITIONS or before in _BE or before == "like"


def _is_verb(word: str, before: str, before2: str, after: str) -> bool:
    """Return whether a word is a verb here rather than a noun or an adjective."""
    if before in _MODAL:
        return not (before == "to" and before2 in ("due", "according", "thanks", "access", "next"))
    if before in _SINGULAR:
        return word.endswith(("s", "ed"))
    if before in _VERB_BEFORE:
        return not word.endswith("s") or before in (
            "who",
            "never",
            "always",
            "often",
            "also",
            "then",
        )
    if (
        before in _DETERMINERS
        or before in _PREPOSITIONS
        or before in _BE
        or _like_adjective(before)
    ):
        return False
    if before in ("and", "or", "but") and after in _OBJECTS:
        return True
    if not before:  # an order: Close the door
        return after in _OBJECTS and not word.endswith("s")
    plural = before.endswith("s") and not word.endswith("s")
    return after in _OBJECTS or (plural and (after in _AFTER_VERB or not after))


def _is_past(
    word: str, words: Sequence[str], i: int, before: str, before2: str, after: str
) -> bool:
    """Return whether ``read`` or ``wound`` is a past form here."""
    if before in _MODAL or (before in ("not", "never", "also", "even") and before2 in _MODAL):
        return False
    if (
        before in _HAVE
        or before in _BE
        or (
            before in ("been", "not", "never", "already", "ever", "just") and before2 in _HAVE | _BE
        )
    ):
        return True
    if word == "wound":
        return before in _SINGULAR | {"i", "you", "we", "they", "and", "who"} or after in (
            "up",
            "around",
            "down",
        )
    if before in _DETERMINERS - {"who"} or before in _PREPOSITIONS or not before:
        return False
    if _PRESENT.intersection(words):
        return before in _SINGULAR
    if before in ("you", "we", "they", "people"):
        return bool(_PAST.intersection(words)) or any(w.endswith("ed") for w in words if w != word)
    return True
