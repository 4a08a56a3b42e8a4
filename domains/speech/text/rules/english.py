"""All rules of English, in their order."""

import re
import unicodedata

from oneleap.domains.speech.text.rules import (
    acronyms,
    addresses,
    amounts,
    codes,
    dates,
    money,
    names,
    units,
)
from oneleap.domains.speech.text.rules.base import apply
from oneleap.domains.speech.text.rules.markup import HIDDEN, other_script

_HIDDEN = dict.fromkeys(map(ord, HIDDEN))
_POWERS = re.compile("([⁰¹²³⁴⁵⁶⁷⁸⁹⁻′″°]+)")


def in_words(text: str, month_first: bool) -> str:
    """Write English text in words and keep its punctuation.

    Args:
        text: The text, in paragraphs without Markdown.
        month_first: Whether 3/4/2025 is a day in March, as in America, or in April.
    """
    # Fractions and exponents come before NFKC, which turns 1½ into 11/2 and 10² into 102.
    text = amounts.VULGAR.sub(amounts.vulgar_fraction, text.translate(_HIDDEN))
    parts = _POWERS.split(text)
    text = "".join(p if i % 2 else unicodedata.normalize("NFKC", p) for i, p in enumerate(parts))
    text = text.replace("...", "…").replace("℃", "°C").replace("℉", "°F")
    for rules in (
        addresses.RULES, names.RULES[:1], money.RULES, dates.rules(month_first), codes.RULES,
        amounts.EARLY, amounts.DECADES, amounts.RANGES, units.RULES, names.RULES[1:],
        amounts.LATE, codes.MIXED, acronyms.RULES,
    ):  # fmt: skip
        text = apply(text, rules)
    for sign, words in amounts.SIGNS.items():
        text = text.replace(sign, words)
    text = re.sub(r"(?<=\w)/(?=\w)", " slash ", text)
    text = apply(text, [amounts.NUMBER])
    text = re.sub(r"\s?--+\s?", " — ", text)
    text = re.sub(r"(?<=\s)\*(?=\s|[.,;:!?]|$)", "asterisk", text)
    text = re.sub(r"[*_~^|\\`<>={}]+", " ", text)
    return "".join(c for c in text if _kept(c))


def _kept(c: str) -> bool:
    kept = unicodedata.category(c)[0] not in "CS" or c in "\n " or "\ue000" <= c <= "\uf8ff"
    return kept and not other_script(c)
