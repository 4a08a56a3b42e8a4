"""Dates of either order, months, weekdays and times of day."""

import re
from functools import lru_cache

from oneleap.domains.speech.text.numbers import cardinal, number, ordinal, year
from oneleap.domains.speech.text.rules.base import DASH, Rule, alternatives, stop
from oneleap.domains.speech.text.rules.tables import MONTHS, SHORT_MONTHS, WEEKDAYS

_CAPITAL = (*MONTHS, *SHORT_MONTHS)
_SMALL = tuple(m.lower() for m in _CAPITAL if m not in ("March", "Mar", "May"))
_MONTH = rf"(?:{alternatives((*_CAPITAL, *(m.upper() for m in _CAPITAL), *_SMALL))})"
"""Names of months. Lower case counts too, except for words: they may march 10 miles."""

_SHORT = rf"(?:{alternatives(SHORT_MONTHS)})"
_DAY = rf"(?:{alternatives(WEEKDAYS)})"
_YEAR = r"(?:[12]\d{3})"
_NTH = r"(?i:st|nd|rd|th)?"
_HALF = r"(?:\s?(?P<half>[aApP])\.?\s?[mM]\b\.?)"


def month_name(written: str) -> str:
    """Return the full name of a month, or of a short form of it."""
    capital = written.capitalize()
    return SHORT_MONTHS.get(capital, capital)


def _year(written: str | None) -> str:
    if not written:
        return ""
    digits = re.sub(r"\D", "", written)
    return f", {year(int(digits) if len(digits) == 4 else 2000 + int(digits))}"


def _numeric(y: str, month: int, day: int) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}{_year(y)}"


def date_words(written: str, form: str) -> str | None:
    """Spell a date of numbers in a given order.

    Args:
        written: Numbers with any signs between them.
        form: Order of ``y``, ``m`` and ``d``, such as ``dmy``; by default the year first, or
            else the month first.

    Returns:
        The words, or ``None`` if this is no such date.
    """
    numbers = re.findall(r"\d+", written)
    order = form.lower() or ("ymd" if numbers and len(numbers[0]) == 4 else "mdy")
    if len(numbers) != len(order) or not {"m", "d"} <= set(order) <= set("ymd"):
        return None
    parts = dict(zip(order, numbers, strict=True))
    return _numeric(parts.get("y", ""), int(parts["m"]), int(parts["d"]))


def _year_first(match: re.Match[str]) -> str:
    words = _numeric(match[1], int(match[3]), int(match[4]))
    return f"{words} at " if words and match[0].endswith("T") else words or match[0]


def _slashes(match: re.Match[str], month_first: bool) -> str:
    """Spell ``3/4/2025``. A number over 12 is the day in either order."""
    a, b = int(match[1]), int(match[3])
    month, day = (a, b) if (month_first and a <= 12) or b > 12 else (b, a)
    return _numeric(match[4], month, day) or match[0]


def _short_date(match: re.Match[str], month_first: bool) -> str:
    month, day = (int(match[i]) for i in ((2, 3) if month_first else (3, 2)))
    words = _numeric("", month, day)
    return f"{match[1]}{words}" if words else match[0]


def _points(match: re.Match[str]) -> str:
    return _numeric(match[3], int(match[2]), int(match[1])) or match[0]


def _month_day(match: re.Match[str]) -> str:
    last = f" to {ordinal(int(match[3]))}" if match[3] else ""
    if int(match[2]) > 31:
        return match[0]
    return f"{month_name(match[1])} {ordinal(int(match[2]))}{last}{_year(match[4])}"


def _day_month(match: re.Match[str]) -> str:
    if int(match[2]) > 31 or int(match[2]) == 0:
        return match[0]
    last = f" to {ordinal(int(match[3]))}" if match[3] else ""
    the = match[1] or "the "
    day = f"{the}{ordinal(int(match[2]))}{last}"
    return f"{day} of {month_name(match[4])}{_year(match[5])}{stop(match)}"


def time_words(hour: str, minute: str, second: str | None, half: str | None) -> str:
    """Spell a time of day.

    Args:
        hour: Number from 0 to 24.
        minute: Number from 0 to 59.
        second: Number of seconds, if given.
        half: ``a`` or ``p`` for a.m. or p.m., if given.

    Returns:
        The words, or an empty string if there is no such time.
    """
    h, m = int(hour), int(minute)
    if h > 24 or m > 59:
        return ""
    words = cardinal(h)
    if m:
        words += f" {'oh ' if m < 10 else ''}{cardinal(m)}"
    elif half is None:
        words += " o'clock" if 1 <= h <= 12 else " hundred"
    if second is not None and int(second):
        words += f" and {number(str(int(second)))} seconds"
    return words + (f" {half.upper()} M" if half else "")


def _time(match: re.Match[str]) -> str:
    words = time_words(match[1], match[2], match[3], match["half"])
    return f"{words}{stop(match)}" if words else match[0]


@lru_cache(maxsize=2)
def rules(month_first: bool) -> list[Rule]:
    """Return the rules of dates and times, in the order in which they apply.

    Args:
        month_first: Whether 3/4/2025 is a day in March, as in America, or in April.
    """
    return [
        (re.compile(r"\b(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:T(?=\d\d:)|\b(?![-/.]?\d))"),
         _year_first),
        (re.compile(r"\b(\d{1,2})([/-])(\d{1,2})\2(\d{4}|\d{2})\b(?![-/]\d)"),
         lambda m: _slashes(m, month_first)),
        (re.compile(r"\b((?:[Oo]n|[Bb]y|[Ss]ince|[Uu]ntil|[Bb]efore|[Aa]fter|[Dd]ue)\s)"
                    r"(\d{1,2})/(\d{1,2})(?![/\d])"), lambda m: _short_date(m, month_first)),
        (re.compile(rf"\b(\d{{1,2}})\.(\d{{1,2}})\.({_YEAR})\b"), _points),
        (re.compile(rf"\b({_DAY})\.?(?=,?\s+(?:{_MONTH}|\d{{1,2}}\b)|\s?{DASH}\s?{_DAY}\b)"),
         lambda m: WEEKDAYS[m[1]]),
        (re.compile(rf"(?<=day)\s?{DASH}\s?({_DAY})\b\.?"), lambda m: f" to {WEEKDAYS[m[1]]}"),
        (re.compile(rf"\b({_MONTH})\.?\s?{DASH}\s?({_MONTH})\b(?:\.(?!\s*$))?"),
         lambda m: f"{month_name(m[1])} to {month_name(m[2])}"),
        (re.compile(rf"\b({_MONTH})\.?\s+(\d{{1,2}}){_NTH}(?:\s?{DASH}\s?(\d{{1,2}}){_NTH})?"
                    rf"((?:,\s*|\s+){_YEAR}(?!\w))?(?![\d:]|,\d)\b"), _month_day),
        (re.compile(rf"\b([Tt]he\s+)?(\d{{1,2}}){_NTH}(?:\s?{DASH}\s?(\d{{1,2}}){_NTH})?"
                    rf"[\s-]+(?:of\s+)?({_MONTH})\b(?:(?<!\w\w\w\w\w)\.)?"
                    rf"((?:,\s*|[\s-]+){_YEAR}(?!\w))?"), _day_month),
        (re.compile(rf"\b({_SHORT})\.?(?=,?\s+{_YEAR}\b)"), lambda m: month_name(m[1])),
        (re.compile(rf"(?<=\b[Ii]n )({_SHORT})\b(?!')(?:\.(?=\s+[a-z0-9]))?"),
         lambda m: month_name(m[1])),
        (re.compile(rf"\b(?<!\.)(\d{{1,2}}):(\d{{2}})(?::(\d{{2}}))?(?:\.\d+)?{_HALF}?(?:Z|h)?"
                    r"(?![\d:])"),
         _time),
        (re.compile(rf"\b(\d{{1,2}})(?:\s?([ap])\.?m\.?)?\s?(?:{DASH}|\bto\b)\s?"
                    rf"(?=\d{{1,2}}\s?[ap]\.?m\b)", re.IGNORECASE),
         lambda m: cardinal(int(m[1])) + (f" {m[2].upper()} M" if m[2] else "") + " to "),
        (re.compile(rf"\b(\d{{1,2}}){_HALF}"),
         lambda m: f"{cardinal(int(m[1]))} {m['half'].upper()} M{stop(m)}"),
        (re.compile(r"\b([ap])\.m\b\.?", re.IGNORECASE), lambda m: f"{m[1].upper()} M{stop(m)}"),
        (re.compile(r"\b(\d{1,3}):(\d{1,2})\b(?!:)"),
         lambda m: f"{cardinal(int(m[1]))} to {cardinal(int(m[2]))}"),
    ]  # fmt: skip
