"""Roman numerals, abbreviations, initials and words that are spelled."""

import re

from oneleap.domains.audio.english.word_lists import word_list
from oneleap.domains.speech.text.numbers import cardinal, ordinal, roman
from oneleap.domains.speech.text.rules.base import (
    Rule,
    alternatives,
    ends_sentence,
    letters,
    stop,
    text_after,
    text_before,
)
from oneleap.domains.speech.text.rules.tables import (
    ALWAYS,
    BEFORE_NUMBER,
    MAY_END,
    NUMBERED,
    PHRASES,
    REIGNS,
    RULERS,
    SHORT_MONTHS,
    STARTERS,
    STREETS,
    TITLES,
)

_PRONOUN_I = re.compile(rf"\s+(?:{alternatives(word_list('pronoun I before'))})\b|'")


def _roman(match: re.Match[str]) -> str:
    """Spell a Roman numeral after a name or a noun: World War II, Henry VIII."""
    name, numeral = match[1], match[2]
    value = roman(numeral)
    before = re.findall(r"[\w']+", text_before(match))
    ruler = name in REIGNS or (bool(before) and before[-1] in RULERS and name[0].isupper())
    if name == "mark" and before[-1:] == ["question"]:  # from an address
        return match[0]
    numbered = name.lower().rstrip("s") in NUMBERED or name.lower() in NUMBERED
    after = text_after(match)
    if value is None or (numeral.islower() and not numbered):
        return match[0]
    if len(numeral) == 1 and numeral.islower():
        return match[0]
    if len(numeral) == 1:
        strong = numbered or (ruler and numeral in ("I", "V", "X"))
        first = not before or re.search(r"[.!?]\s+$", text_before(match))
        sure = ruler and (first or before[-1] in RULERS)
        if numeral == "I" and (not name[0].isupper() or (_PRONOUN_I.match(after) and not sure)):
            return match[0]
        if not strong:
            return match[0]
    elif value > 49 and not numbered and (len(numeral) < 4 or value < 1000):
        return match[0]
    if re.match(r"(?:th|st|nd|rd)?\s+(?:century|centuries|dynasty)", after):
        return match[0]
    return f"{name} {f'the {ordinal(value)}' if ruler and not numbered else cardinal(value)}"


def _century(match: re.Match[str]) -> str:
    value = roman(match[1])
    return f"{ordinal(value)} {match[2]}" if value else match[0]


def _heading(match: re.Match[str]) -> str:
    value = roman(match[1])
    return f"{cardinal(value)}." if value else match[0]


def _initials(match: re.Match[str]) -> str:
    """Spell initials such as ``U.S.A.``. The last full stop may also end the sentence."""
    return letters(match[0]) + stop(match, likely=False)


def _case(words: str, written: str) -> str:
    return (words[:1].upper() if written[:1].isupper() else words[:1].lower()) + words[1:]


def _abbreviation(match: re.Match[str]) -> str:
    """Write a short form with a full stop in words, and keep a full stop that ends a sentence."""
    written = match[1]
    short, before, after = (
        written.lower(),
        text_before(match),
        text_after(match),
    )
    next_number = re.match(r"\s*#?\s?(?:\d|(?:[IVX]{2,}|[ivx]{2,}|[VX])\b)", after)
    name_next = re.match(r"\s+[A-Z]", after)
    if written in SHORT_MONTHS and (next_number or not ends_sentence(after)):
        return SHORT_MONTHS[written]
    if (
        short in BEFORE_NUMBER
        and next_number
        and (written[0].islower() or short not in ("c", "p", "v", "al", "art"))
    ):
        return _case(BEFORE_NUMBER[short], written) if short != "al" else match[0]
    street = re.search(r"(?:\d(?:st|nd|rd|th)?|\b[A-Z][\w']+|\b[NSEW]\.?)\s+$", before)
    numbered = re.search(
        r"\d+\s+(?:[NSEW]\.?\s+)?(?:[A-Z][\w']*\s+|\d+(?:st|nd|rd|th)\s+){1,3}$", before
    )
    if (
        short in STREETS
        and written[0].isupper()
        and street
        and (numbered or not name_next or ends_sentence(after, likely=False))
    ):
        return STREETS[short] + ("." if ends_sentence(after, likely=numbered is None) else "")
    if short in TITLES and written[0].isupper() and name_next:
        return TITLES[short]
    if (short in ALWAYS and short not in ("fig", "vol", "min", "max", "temp", "admin")) or (
        short in ("min", "max") and not ends_sentence(after)
    ):
        return _case(ALWAYS[short], written) + ("." if not after.strip() else "")
    if short in MAY_END and (
        short not in ("co", "est", "ed", "al", "mo")
        or written[0].isupper()
        or not ends_sentence(after)
    ):
        end = "." if ends_sentence(after, likely=short == "etc") else ""
        return MAY_END[short] + end
    return match[0]


def _spelled(match: re.Match[str]) -> str:
    return letters(match[0]) + ("." if ends_sentence(text_after(match), likely=False) else "")


_PHRASE = alternatives(PHRASES)

RULES: list[Rule] = [
    (re.compile(rf"(?<!\w)(?:{_PHRASE})(?![\w])", re.IGNORECASE),
     lambda m: PHRASES.get(m[0]) or PHRASES.get(m[0].lower()) or m[0]),
    (re.compile(r"\b([A-Z]\w+)\s+v\.?\s+(?=[A-Z])"), lambda m: f"{m[1]} versus "),
    (re.compile(r"\bvs\b\.?"), lambda m: "versus"),
    (re.compile(r"(?<![\w.])(?:[A-Z]\.\s){2,}[A-Z]\.(?!\w)(?!\s[A-Z][a-z])"), _spelled),
    (re.compile(r"(?<![\w.])(?:[A-Za-z]\.){2,}(?=\W|$)"), _initials),
    (re.compile(r"(?<![\w.])(?<![A-Z] )(?<!\d )([A-HJ-Z]|I(?=\.\s+[A-Z]\.))\.(?=\s+([A-Z]\w*))"),
     lambda m: m[0] if m[2] in STARTERS and len(m[2]) > 1 else m[1]),  # initial of a name
    (re.compile(r"\b([IVXLCDM]+)(?:th|st|nd|rd)?\s+(century|centuries|dynasty)\b"), _century),
    (re.compile(r"(?:^|(?<=\n))\s*([IVXLC]{1,6})\.(?=\s+[A-Z])"), _heading),
    (re.compile(r"\b(Mr|Mrs|Ms|Dr|Prof|St|Mt)(?=\s+[A-Z][a-z])"), lambda m: TITLES[m[1].lower()]),
    (re.compile(r"(?<=\s[A-Z])([A-Za-z]*[a-z] )(Jr|Sr)\b(?!\.)"),
     lambda m: m[1] + MAY_END[m[2].lower()]),
    (re.compile(r"(?<![\w.])([A-Za-z]{1,6})\.(?!\w)"), _abbreviation),
    (re.compile(r"\b([A-Za-z][\w']*)\s+([IVXLCDM]+|[ivxl]+)\b(?![-&]|'[a-rt-z]|\.[A-Z])"), _roman),
]  # fmt: skip
"""Rules of names and abbreviations, in the order in which they apply."""
