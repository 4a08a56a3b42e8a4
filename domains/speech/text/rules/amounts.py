"""Fractions, ranges, minus, ordinals, decades, years, powers and signs."""

import re
import unicodedata

from oneleap.domains.audio.english.word_lists import word_list
from oneleap.domains.speech.text.numbers import (
    MOST_DIGITS,
    cardinal,
    decade,
    digits,
    number,
    ordinal,
    plural,
    year,
)
from oneleap.domains.speech.text.rules.base import AMOUNT, DASH, Rule, text_after, text_before

VULGAR = re.compile(r"(\d*)\s?([¼-¾⅐-⅞])")
"""A fraction character such as ¾, with the whole number before it."""

SIGNS = {
    "->": " to ", "=>": " to ", "<=": " at most ", ">=": " at least ", "&": " and ",
    "@": " at ", "+": " plus ", "=": " equals ", "#": " number ", "~": " about ",
    "\u00d7": " times ", "÷": " divided by ", "±": " plus or minus ", "≤": " at most ",
    "≥": " at least ", "≈": " about ", "≠": " is not ", "√": " the square root of ",
    "²": " squared", "³": " cubed", "→": " to ", "∞": " infinity ", "§": " section ",
    "©": " copyright ",  "%": " percent ", "°": " degrees ", "‰": " per mille ", "µ": " micro ",
    "<": " less than ", ">": " greater than ", "^": " to the power of ",
}  # fmt: skip
"""Signs that are read aloud wherever they stand."""

_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_FRACTION_WORDS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
_TO_BEFORE = re.compile(
    r"\b(?:pages?|pp?\.?|ages?|aged|years?|chapters?|verses?|sections?|lines?|between|from|rooms?"
    r"|numbers?|nos\.?|grades?|figures?|tables?|items?|questions?|steps?|days?|weeks?|about|score"
    r"|won|lost|lead|win|by|scored?)\s*$",
    re.IGNORECASE,
)
_NOT_PLURAL = word_list("no plurals")


def fraction_words(over: int, under: int) -> str:
    """Spell a fraction: 3 and 4 are three quarters."""
    part = ordinal(under).removeprefix("one ")
    one, many = _FRACTION_WORDS.get(under) or (part, plural(part))
    return f"{cardinal(over)} {one if over == 1 else many}"


def vulgar_fraction(match: re.Match[str]) -> str:
    """Spell a fraction character such as ``1½`` or ``¾``."""
    over, under = map(int, unicodedata.normalize("NFKC", match[2]).split("\u2044"))
    words = fraction_words(over, under)
    return f"{match[1]} and {words}" if match[1] else f" {words}"


def _fraction(match: re.Match[str]) -> str:
    """Spell ``1/2`` and ``2 1/2``; other pairs of numbers are read as a ratio."""
    whole, over, under = match[1], int(match[2]), int(match[3])
    if under == 0 or over >= under or under > 100 or (under in (50,) and over == 50):
        between = " over " if under and over < 1000 and over != under else " "
        both = f"{number(match[2])}{between}{number(match[3])}"
        return f"{whole} {both}" if whole else both
    words = fraction_words(over, under)
    mark = match[4] or ""
    if mark and text_before(match).count('"') % 2 == 0:
        mark = " inches" if whole else " inch"
    return (f"{number(whole)} and {words}" if whole else words) + mark


def _range(match: re.Match[str]) -> str:
    return f"{match[1]} to "


def _spaced(match: re.Match[str]) -> str:
    """Spell a dash with spaces: minus, or ``to`` after a word such as ``pages``."""
    before = text_before(match)
    first, second = match[1].replace(",", ""), match[2].replace(",", "")
    after = text_after(match)
    counted = re.match(r"\s?[A-Za-z%°$]", after) and not re.match(
        r"\s?(?:is|are|equals?|makes?|leaves?|gives?|and|or|plus|minus|times)\b", after
    )
    years = len(first) == len(second) == 4 and 1000 <= int(float(first)) < float(second) < 2100
    span = bool(counted) and float(first) < float(second)
    return (
        f"{match[1]} {'to' if years or span or _TO_BEFORE.search(before) else 'minus'} {match[2]}"
    )


def _years(match: re.Match[str]) -> str:
    last = match[2]
    said = year(int(last)) if len(last) == 4 else _short_year(last)
    return f"{year(int(match[1]))} to {said}"


def _short_year(written: str) -> str:
    return f"oh {cardinal(int(written))}" if written[0] == "0" else cardinal(int(written))


def _decade(match: re.Match[str]) -> str:
    return decade(int(match[1]))


def _ordinal(match: re.Match[str]) -> str:
    plain = match[1].replace(",", "")
    return ordinal(int(plain)) if len(plain) <= MOST_DIGITS else digits(plain)


def _scaled(match: re.Match[str]) -> str:
    """Spell ``2.5k`` and ``5M users``."""
    scales = {"k": "thousand", "m": "million", "b": "billion", "t": "trillion"}
    return f"{number(match[1])} {scales[(match[2] or match[3])[0].lower()]}"


def _year(match: re.Match[str]) -> str:
    """Spell a number of four digits as a year, unless things are counted."""
    after = re.match(r"\s+([a-z]+s)\b", text_after(match))
    counted = after is not None and after[1] not in _NOT_PLURAL
    return number(match[0]) if counted else year(int(match[0]))


def _power(match: re.Match[str]) -> str:
    written = (match[2] or match[3].translate(_SUPERSCRIPT)).strip("()")
    words = {"2": "squared", "3": "cubed"}.get(written)
    return f"{match[1]} {words or f'to the power of {number(written)}'}"


def _scientific(match: re.Match[str]) -> str:
    return f"{number(match[1])} times ten to the power of {number(match[2].lstrip('+'))}"


_YEAR_PAIR = r"(?<![\d,.$/-])((?:1[1-9]|20)\d\d)"

EARLY: list[Rule] = [
    (re.compile(rf"(?<!\w)({AMOUNT})[eE]([-+]?\d{{1,3}})\b"), _scientific),
    (re.compile(r"(?<!\w)\+/-"), lambda m: "±"),
    (
        re.compile(
            r"(?<![\d.,])[1-9]\d{0,2}(?: \d{3}){2,}(?![\d,]|\.\d)"
            r"|(?<![\d.,])[1-9]\d{0,2}(?: 000)+(?!\d)"
        ),
        lambda m: m[0].replace(" ", ""),
    ),
    (
        re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:\.\d{3}){2,}(?![\d.])"),
        lambda m: m[0].replace(".", ""),
    ),
    (
        re.compile(
            r"(?<![\d.,])(\d+),(\d{1,2})(?=\s?(?:million|billion|percent|%|°C|k?m\b|k?g\b))"
        ),
        lambda m: f"{m[1]}.{m[2]}",
    ),
    (
        re.compile(
            r"(?<![\w.,/])(?:(\d+)(?:\s|-))?(\d{1,4})[/\u2044](\d{1,4})(?![\d/]|[.,]\d)"
            r"(?:ths?|rds?|nds?)?(\s?[\"″])?"
        ),
        _fraction,
    ),
    (
        re.compile(
            rf"{_YEAR_PAIR}\s?[-\u2010-\u2015−]\s?((?:1[1-9]|20)\d\d|\d\d)(?![\w/-]|[.,]\d)"
        ),
        _years,
    ),
]
"""Rules of numbers that apply before units."""

RANGES: list[Rule] = [
    (re.compile(rf"(?<![\w.,])({AMOUNT})\s+{DASH}\s+({AMOUNT})(?![\w.,]*\d)"), _spaced),
    (
        re.compile(rf"(?<![\w.])({AMOUNT}(?:\s?%|st|nd|rd|th)?){DASH}(?=(?:{AMOUNT})(?!\d|-\d))"),
        _range,
    ),
    (re.compile(r"(?<=\d)\s[-\u2010-\u2015]\s(?=\d)|(?<=\d)\u2014(?=\d)"), lambda m: " to "),
]
"""Rules of ranges, which apply after telephone numbers and before units."""

DECADES: list[Rule] = [
    (re.compile(r"(?<=\ds)\s?[-/]\s?(?='?\d0s\b)"), lambda m: " to the "),
    (re.compile(r"(?<!\w)'(\d0)'?s\b"), _decade),
    (re.compile(r"\b((?:1\d|20)\d0)'?s\b"), _decade),
    (re.compile(r"\b((?:[Tt]he|[Mm]y|[Hh]is|[Hh]er|[Tt]heir|[Yy]our|[Oo]ur|(?:early|late|mid)[- ]?"
                r"|and|or|to)\s?)([2-9]0)'?s\b(?!-)"),
     lambda m: f"{m[1]}{decade(int(m[2]))}"),
]  # fmt: skip
"""Rules of decades, which apply before seconds."""

LATE: list[Rule] = [
    (re.compile(r"(\w|\))(?:\^(\(?-?\d+\)?)|([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+))"), _power),
    (re.compile(rf"(?<![\w.])({AMOUNT})(?:(k|mn|bn|tn)\b|(M|B|K)(?=\s[a-z]|\+))"), _scaled),
    (re.compile(r"(?<!\w)'(\d\d)\b(?!')"), lambda m: _short_year(m[1])),
    (re.compile(r"\b(\d+)s\b"), lambda m: plural(number(m[1]))),
    (re.compile(r"\b(\d[\d,]*)(?:st|nd|rd|th)\b", re.IGNORECASE), _ordinal),
    (re.compile(rf"{_YEAR_PAIR}\b(?![,.]?\d|-\d|%)"), _year),
    (re.compile(r"#\s?(?=\d)"), lambda m: "number "),
    (re.compile(r"(?<=\d)\s?\*\s?(?=\d)"), lambda m: " times "),
    (re.compile(rf"(?<![\w.,]){DASH}(?=\d|\.\d)|(?<=[=(+*/÷×]\s){DASH}(?=\d)"), lambda m: "minus "),
]  # fmt: skip
"""Rules of numbers that apply after units."""


def _spell(match: re.Match[str]) -> str:
    """Spell a number, with spaces where letters touch it."""
    before = " " if text_before(match)[-1:].isalnum() else ""
    after = " " if text_after(match)[:1].isalnum() else ""
    return f"{before}{number(match[0])}{after}"


NUMBER: Rule = (re.compile(rf"(?<![\w.])(?:{AMOUNT})(?!\w)|\d+"), _spell)
"""The rule of numbers that no other rule has read."""
