"""Which reading of a word fits its neighbors: a record, to record; I will read, I have read."""

from collections.abc import Mapping, Sequence

_DETERMINERS = frozenset(
    [
        "a",
        "an",
        "the",
        "this",
        "that",
        "these",
        "those",
        "my",
        "your",
        "his",
        "her",
        "its",
        "our",
        "their",
        "some",
        "any",
        "no",
        "each",
        "every",
        "another",
        "which",
        "whose",
        "what",
        "both",
        "all",
        "many",
        "few",
        "several",
        "other",
        "such",
        "first",
        "second",
        "third",
        "last",
        "next",
        "new",
        "old",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "good",
        "great",
        "big",
        "small",
        "little",
        "long",
        "whole",
        "same",
        "public",
        "local",
        "national",
        "human",
        "real",
        "major",
        "main",
        "special",
        "early",
        "late",
        "high",
        "low",
        "young",
        "final",
        "total",
        "more",
        "most",
        "less",
        "own",
        "very",
        "single",
        "world",
        "music",
        "sound",
        "food",
        "safe",
        "home",
        "live",
        "world's",
    ]
)
_PREPOSITIONS = frozenset(
    [
        "of",
        "in",
        "on",
        "at",
        "for",
        "with",
        "from",
        "by",
        "about",
        "into",
        "without",
        "under",
        "over",
        "between",
        "through",
        "during",
        "against",
        "after",
        "before",
        "behind",
        "near",
        "across",
        "per",
        "via",
        "upon",
        "within",
    ]
)
_VERB_BEFORE = frozenset(
    [
        "to",
        "will",
        "would",
        "can",
        "could",
        "should",
        "must",
        "may",
        "might",
        "shall",
        "do",
        "does",
        "did",
        "don't",
        "doesn't",
        "didn't",
        "won't",
        "can't",
        "cannot",
        "couldn't",
        "wouldn't",
        "shouldn't",
        "let's",
        "please",
        "i",
        "you",
        "we",
        "they",
        "who",
        "not",
        "never",
        "always",
        "often",
        "usually",
        "sometimes",
        "also",
        "then",
        "now",
        "really",
        "just",
        "still",
        "i'll",
        "you'll",
        "he'll",
        "she'll",
        "it'll",
        "we'll",
        "they'll",
        "i'd",
        "you'd",
        "we'd",
        "they'd",
        "help",
        "helps",
        "helped",
        "make",
        "makes",
        "made",
        "let",
        "and/or",
        "better",
        "people",
        "everyone",
        "men",
        "women",
        "children",
        "citizens",
        "voters",
        "students",
    ]
)
_BE = frozenset(
    [
        "be",
        "am",
        "is",
        "are",
        "was",
        "were",
        "been",
        "being",
        "i'm",
        "you're",
        "he's",
        "she's",
        "it's",
        "we're",
        "they're",
        "that's",
        "isn't",
        "aren't",
        "wasn't",
        "weren't",
        "get",
        "gets",
        "got",
        "getting",
    ]
)
_HAVE = frozenset(
    [
        "have",
        "has",
        "had",
        "having",
        "i've",
        "you've",
        "we've",
        "they've",
        "haven't",
        "hasn't",
        "hadn't",
        "he'd",
        "she'd",
        "i'd",
        "they'd",
        "we'd",
        "you'd",
    ]
)
_SINGULAR = frozenset(["he", "she", "it"])
_OBJECTS = frozenset(
    [
        "a",
        "an",
        "the",
        "this",
        "that",
        "these",
        "those",
        "my",
        "your",
        "his",
        "her",
        "its",
        "our",
        "their",
        "me",
        "you",
        "him",
        "us",
        "them",
        "it",
        "all",
        "some",
        "every",
        "each",
    ]
)
_AFTER_VERB = frozenset(
    [
        "in",
        "on",
        "at",
        "near",
        "with",
        "here",
        "there",
        "by",
        "together",
        "alone",
        "under",
        "up",
        "down",
        "to",
        "for",
        "from",
        "as",
    ]
)
_MODAL = frozenset(
    [
        "to",
        "will",
        "would",
        "can",
        "could",
        "should",
        "must",
        "may",
        "might",
        "shall",
        "do",
        "does",
        "did",
        "don't",
        "doesn't",
        "didn't",
        "won't",
        "can't",
        "cannot",
        "couldn't",
        "wouldn't",
        "shouldn't",
        "let's",
        "please",
        "let",
        "i'll",
        "you'll",
        "he'll",
        "she'll",
        "it'll",
        "we'll",
        "they'll",
    ]
)
_PAST = frozenset(
    [
        "yesterday",
        "ago",
        "last",
        "was",
        "were",
        "had",
        "did",
        "earlier",
        "once",
        "when",
        "then",
        "said",
        "told",
    ]
)
_PRESENT = frozenset(["every", "always", "usually", "often", "sometimes", "now", "today", "daily"])
_ADJECTIVE_BEFORE = frozenset(
    [
        "a",
        "an",
        "the",
        "very",
        "so",
        "too",
        "more",
        "most",
        "less",
        "least",
        "how",
        "quite",
        "rather",
        "as",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "seem",
        "seems",
        "seemed",
        "look",
        "looks",
        "looked",
        "remain",
        "remains",
        "became",
        "become",
    ]
)

WORDS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "lead": {"METAL": frozenset(["pipe", "pipes", "paint", "poisoning", "acid", "pencil", "levels", "bullet", "bullets", "glass", "crystal", "battery", "batteries", "free", "weight", "weights", "lining", "of", "contains", "containing", "molten", "toxic", "heavy", "pure", "liquid", "copper", "iron", "zinc", "mercury", "tin"])},
    "bass": {"FISH": frozenset(["fish", "fishing", "sea", "caught", "catch", "largemouth", "smallmouth", "striped", "grilled", "lake", "river"])},
}  # fmt: skip
"""Readings that neighboring words decide."""

OWN: Mapping[str, Mapping[str, str]] = {
    "lead": {"METAL": "lˈɛd"},
    "bass": {"DEFAULT": "bˈAs", "FISH": "bˈæs", "ADJ": "bˈAs"},
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
    after, after2 = (words[i + k] if i + k < len(words) else "" for k in (1, 2))
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
        adjective = before in _ADJECTIVE_BEFORE or (before.endswith("ly") and not verb)
        if adjective and not (word == "close"):
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
