"""Text normalization: numbers, money, dates, times, abbreviations and signs become words."""

import re
import unicodedata
from collections.abc import Callable
from functools import partial

from oneleap.domains.speech.text.numbers import (
    DAY_HALVES,
    date_words,
    decade_words,
    money_words,
    number_words,
    ordinal_words,
    phone_words,
    time_words,
    year_words,
)

_QUOTES = str.maketrans(
    {"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "–": "—"}
)

ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor", "st": "saint",
    "prof": "professor", "capt": "captain", "gen": "general", "col": "colonel", "lt": "lieutenant",
    "sgt": "sergeant", "rev": "reverend", "hon": "honorable", "jr": "junior", "sr": "senior",
    "co": "company", "corp": "corporation", "inc": "incorporated", "ltd": "limited",
    "dept": "department", "est": "established", "approx": "approximately", "vs": "versus",
    "etc": "et cetera", "fig": "figure", "vol": "volume", "no": "number", "ave": "avenue",
    "blvd": "boulevard", "rd": "road", "mt": "mount", "ft": "fort", "jan": "january",
    "feb": "february", "mar": "march", "apr": "april", "jun": "june", "jul": "july",
    "aug": "august", "sep": "september", "sept": "september", "oct": "october",
    "nov": "november", "dec": "december",
}  # fmt: skip
"""Abbreviations that end with a full stop, and the words they stand for."""

_BEFORE_NUMBER = {"no", "fig", "vol", "mar", "apr", "jan", "feb", "jun", "jul", "aug", "dec", "oct"}
"""Abbreviations that are expanded only before a number, because most are also words."""

_BEFORE_NAME = {"st", "ft", "mt", "gen", "col", "hon", "est", "co"}
"""Abbreviations that are expanded only before a capital letter."""

UNITS = {
    "%": "percent", "°c": "degrees celsius", "°f": "degrees fahrenheit", "°": "degrees",
    "km/h": "kilometers per hour", "mph": "miles per hour", "m/s": "meters per second",
    "km": "kilometers", "cm": "centimeters", "mm": "millimeters", "kg": "kilograms",
    "mg": "milligrams", "lbs": "pounds", "lb": "pounds", "oz": "ounces", "ml": "milliliters",
    "khz": "kilohertz", "mhz": "megahertz", "ghz": "gigahertz", "hz": "hertz",
    "kb": "kilobytes", "mb": "megabytes", "gb": "gigabytes", "tb": "terabytes", 
    "ms": "milliseconds", "¢": "cents",
}  # fmt: skip
"""Units after a number, and the words they stand for."""

_SIGNS = {
    "&": " and ",
    "@": " at ",
    "+": " plus ",
    "=": " equals ",
    "#": " number ",
    "~": " about ",
    "\u00d7": " times ",
    "÷": " divided by ",
    "±": " plus or minus ",
    "≤": " at most ",
    "≥": " at least ",
    "≈": " about ",
    "≠": " is not ",
    "√": " the square root of ",
    "²": " squared",
    "³": " cubed",
}
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_AMOUNT = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def normalize(text: str, language: str = "en-us") -> str:
    """Write a text in words and keep its punctuation.

    Characters that nobody reads aloud are left out, see :func:`skipped_characters`. In languages
    other than English only numbers are converted, and only if ``num2words`` knows the language.
    espeak-ng, which comes next, converts most of the rest.

    Args:
        text: The text.
        language: Language of espeak-ng, such as ``en-us`` or ``de``. In American English 3/4/2025
            is a day in March.

    Returns:
        The text in words, with the line breaks of the original.
    """
    english = language.partition("-")[0] == "en"
    text = text.translate(_QUOTES)
    # Fractions and exponents come before NFKC, which turns 1½ into 11/2 and 10² into 102.
    text = _FRACTION.sub(_fraction if english else r"\1 \2", text)
    parts = re.split("([²³])", text) if english else [text]
    text = "".join(p if p in ("²", "³") else unicodedata.normalize("NFKC", p) for p in parts)
    text = text.replace("...", "…")
    if english:
        for pattern, replacement in _english(language == "en-us"):
            text = pattern.sub(replacement, text)
        for sign, words in _SIGNS.items():
            text = text.replace(sign, words)
        text = re.sub(r"(?<=\w)/(?=\w)", " slash ", text)
    spell = partial(_number, language=language)
    text = re.sub(rf"(?<![\w.])[-−]?(?:{_AMOUNT})(?![\w])|\d+", spell, text)
    text = re.sub(r"--+", "—", text)
    kept = "".join(
        c
        for c in text
        if (unicodedata.category(c)[0] not in "CS" or c in "\n ") and not _other_script(c, language)
    )
    return "\n".join(" ".join(line.split()) for line in kept.splitlines())


def skipped_characters(text: str, language: str = "en-us") -> str:
    """Return the characters that :func:`normalize` leaves out, each once, in order.

    These are signs that nobody reads aloud, such as emoji. In English they are also letters of
    scripts other than Latin and Greek, because espeak-ng would read the names of such letters.
    """
    text = unicodedata.normalize("NFKC", text)
    english = language.partition("-")[0] == "en"
    read = set("".join((*_SIGNS, "°$£€¥¢−-\u2044"))) if english else set()
    skipped = (
        c
        for c in text
        if (unicodedata.category(c) in ("So", "Sk", "Sm", "Sc", "Co", "Cn") and c not in read)
        or _other_script(c, language)
    )
    return "".join(dict.fromkeys(skipped))


def _other_script(c: str, language: str) -> bool:
    if c.isascii() or language.partition("-")[0] != "en" or unicodedata.category(c)[0] not in "LM":
        return False
    known = ("LATIN ", "GREEK ", "COMBINING ", "MODIFIER ", "VARIATION ")
    return not unicodedata.name(c, "").startswith(known)


def _number(match: re.Match[str], language: str) -> str:
    return number_words(match[0].replace("−", "-"), language)


def _english(month_first: bool) -> list[Rule]:
    """Rules of English, in the order in which they apply."""
    date = partial(_date, month_first=month_first)
    flags = re.IGNORECASE
    return [
        (re.compile(r"https?://(?:www\.)?|www\."), lambda m: ""),
        (re.compile(r"(?<=[a-z0-9])\.(?=(?:com|org|net|edu|gov|io)\b)", flags), lambda m: " dot "),
        (re.compile(r"\be\.g\.", flags), lambda m: "for example"),
        (re.compile(r"\bi\.e\.", flags), lambda m: "that is"),
        (
            re.compile(
                rf"([$£€¥])\s?({_AMOUNT})(?:\s?(thousand|million|billion|trillion)\b"
                r"|(bn|tn|[mk])\b)?",
                flags,
            ),
            _money,
        ),
        (
            re.compile(rf"(?<![\d.,])({_AMOUNT})\s?([$£€¥])"),
            lambda m: money_words(m[2], m[1], None),
        ),
        (re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b"), lambda m: date_words(m[1], m[2], m[3])),
        (re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b"), date),
        (
            re.compile(rf"\b({_NAMED})\.?\s+(\d{{1,2}})(?i:st|nd|rd|th)?(,?\s+\d{{4}})?\b"),
            _month_day,
        ),
        (re.compile(r"\b(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s?([ap])\.?m\b\.?)?", flags), _time),
        (
            re.compile(r"\b(\d{1,2})\s?([ap])\.?m\b\.?", flags),
            lambda m: f"{m[1]} {DAY_HALVES[m[2].lower()]}{_stop(m)}",
        ),
        (re.compile(r"\b(?:[A-Za-z]\.){2,}(?=\W|$)"), _initials),
        (re.compile(r"\b([A-HJ-Z])\.(?=\s+[A-Z])"), lambda m: m[1]),  # initial of a name
        (re.compile(r"\b([A-Za-z]+)\.(?=(\s*)(\S?))"), _abbreviation),
        (re.compile(r"\b(\d[\d,]*)(?:st|nd|rd|th)\b", flags), lambda m: ordinal_words(m[1])),
        (
            re.compile(rf"(?<![\d.,])(1)\s?({_UNITS})(?![A-Za-z])", flags),
            lambda m: "1 " + re.sub("s(?= |$)", "", UNITS[m[2].lower()], count=1),
        ),
        (
            re.compile(rf"(?<=\d)\s?({_UNITS})(?![A-Za-z])", flags),
            lambda m: f" {UNITS[m[1].lower()]}",
        ),
        (re.compile(r"\b(?:\d{3}-)?\d{3}-\d{4}\b"), lambda m: phone_words(m[0])),
        (re.compile(r"(?<=\d)\s[-−]\s(?=[\d.,]+\s*=)"), lambda m: " minus "),
        (re.compile(r"(?<=\d)\s?[-—]\s?(?=\d)"), lambda m: " to "),
        (re.compile(r"\b(1[1-9]|20)\d\ds\b"), lambda m: decade_words(m[0])),
        (
            re.compile(r"(?<![\d,.$-])\b(?:1[1-9]|20)\d\d\b(?![,.]?\d|-)"),
            lambda m: year_words(m[0]),
        ),
    ]


_SHORT = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"
_LOWER = (
    (f"{_MONTHS}|{_SHORT}".lower()).replace("march|", "").replace("may|", "").replace("mar|", "")
)
_NAMED = f"{_MONTHS}|{_SHORT}|{f'{_MONTHS}|{_SHORT}'.upper()}|{_LOWER}"
"""Names of months. Lower case counts too, except for words: they may march 10 miles."""

_FRACTION = re.compile(r"(\d?)\s?([¼-¾⅐-⅞])")
_UNITS = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))


def _fraction(match: re.Match[str]) -> str:
    """Spell a fraction character such as ``1½`` or ``¾``."""
    over, under = unicodedata.normalize("NFKC", match[2]).split("\u2044")
    part = {"2": "half", "4": "quarter"}.get(under) or ordinal_words(under)
    words = f"{number_words(over, 'en')} {part}{'s' if over != '1' else ''}"
    return f"{match[1]} and {words}" if match[1] else f" {words}"


def _stop(match: re.Match[str]) -> str:
    """Return the full stop of an abbreviation if it also ends a sentence."""
    after = match.string[match.end() :]
    return "." if match[0].endswith(".") and re.match(r"\s*$|\s+[\"'(]?[A-Z]", after) else ""


def _initials(match: re.Match[str]) -> str:
    """Spell initials such as ``U.S.A.``. The last full stop may also end the sentence."""
    letters = " ".join(match[0].replace(".", "").upper()).replace("A", "eigh")
    return letters + ("." if match.end() == len(match.string) else "")


def _abbreviation(match: re.Match[str]) -> str:
    short, after = match[1].lower(), match[3]
    if short not in ABBREVIATIONS:
        return match[0]
    if short in _BEFORE_NUMBER and not after.isdigit():
        return match[0]
    if short in _BEFORE_NAME and not after.isupper():
        return match[0]
    return ABBREVIATIONS[short] + ("" if after else ".")


def _money(match: re.Match[str]) -> str:
    short = {"bn": "billion", "tn": "trillion", "m": "million", "k": "thousand"}
    return money_words(match[1], match[2], match[3] or short.get((match[4] or "").lower()))


def _date(match: re.Match[str], month_first: bool) -> str:
    month, day = (match[1], match[2]) if month_first else (match[2], match[1])
    return date_words(match[3], month, day) or match[0]


def _month_day(match: re.Match[str]) -> str:
    month = ABBREVIATIONS.get(match[1].lower(), match[1])
    year = f", {year_words(match[3].strip(' ,'))}" if match[3] else ""
    return f"{month} {ordinal_words(match[2])}{year}"


def _time(match: re.Match[str]) -> str:
    words = time_words(match[1], match[2], match[3], match[4])
    return f"{words}{_stop(match)}" if words else match[0]
