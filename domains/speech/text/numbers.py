"""Numbers in words: English by our own rules, other languages by num2words if it is installed."""

import re

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ("", "thousand", "million", "billion", "trillion")

_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
}  # fmt: skip

MOST_DIGITS = 15
"""Number of digits up to which a number is read as a whole; longer ones are read by digits."""


def cardinal(n: int) -> str:
    """Spell a whole number below 10 to the power of 15: 101 is one hundred and one."""
    if n < 0:
        return f"minus {cardinal(-n)}"
    if n < 1000:
        return _below_thousand(n)
    parts = []
    for power in range(len(SCALES) - 1, 0, -1):
        count, n = divmod(n, 1000**power)
        if count:
            parts.append(f"{_below_thousand(count)} {SCALES[power]}")
    if n:
        parts.append(f"and {_below_thousand(n)}" if n < 100 else _below_thousand(n))
    return " ".join(parts)


def _below_thousand(n: int) -> str:
    hundreds, rest = divmod(n, 100)
    words = [f"{ONES[hundreds]} hundred"] if hundreds else []
    if rest or not words:
        small = ONES[rest] if rest < 20 else f"{TENS[rest // 10]} {ONES[rest % 10]}"
        words.append(small.removesuffix(" zero") if rest >= 20 else small)
    return " and ".join(words)


def ordinal(n: int) -> str:
    """Spell an ordinal number: 21 is twenty first."""
    head, space, last = cardinal(n).rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return f"{head}{space}{last}"


def year(n: int) -> str:
    """Spell a year: 1984 is nineteen eighty four."""
    century, rest = divmod(n, 100)
    if n < 1000 or n > 9999 or (century % 10 == 0 and rest < 10):
        return cardinal(n)
    last = "hundred" if not rest else f"oh {ONES[rest]}" if rest < 10 else cardinal(rest)
    return f"{cardinal(century)} {last}"


def plural(words: str) -> str:
    """Return the plural of the last word of a number: twenty, twenties; six, sixes."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith(("x", "ss")) else f"{words}s"


def decade(n: int) -> str:
    """Spell a decade: 1990 is nineteen nineties, 80 is eighties."""
    return plural(year(n) if n > 99 else cardinal(n))


def digits(written: str) -> str:
    """Spell each digit of a text; other characters are skipped."""
    return " ".join(ONES[int(d)] for d in written if d.isdecimal())


def number(written: str) -> str:
    """Spell a number such as ``-1,234.5`` in English.

    Digits are read one by one if the number is long or begins with a zero.
    """
    plain = written.replace(",", "").replace("−", "-")
    whole, point, fraction = plain.lstrip("-").partition(".")
    if len(whole) > MOST_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        words = digits(whole)
    else:
        words = cardinal(int(whole or 0)) if whole or not fraction else ""
    if point and fraction:
        words = f"{words} point {digits(fraction)}".strip()
    return f"minus {words}" if plain.startswith("-") else words


def foreign_number(written: str, language: str) -> str:
    """Spell a number in another language. It stays as it is if num2words cannot do it."""
    try:
        from num2words import CONVERTER_CLASSES, num2words
    except ModuleNotFoundError:
        return written
    lang = language.replace("-", "_")
    lang = next((c for c in (lang, lang.partition("_")[0]) if c in CONVERTER_CLASSES), "")
    if not lang:
        return written
    whole, _, fraction = written.replace(",", "").lstrip("-").partition(".")

    def each(text: str) -> str:
        return " ".join(num2words(int(d), lang=lang) for d in text if d.isdecimal())

    if len(whole) > MOST_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        words = each(whole)
    else:
        words = num2words(int(whole), lang=lang)
    if fraction:
        words += f" . {each(fraction)}"
    plain = words.replace(",", "").replace("-", " ")
    return f" {'-' if written.startswith('-') else ''}{plain} "


_ROMAN = re.compile(r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def roman(written: str) -> int | None:
    """Return the value of a Roman numeral, or ``None`` if it is none."""
    upper = written.upper()
    if not upper or not _ROMAN.fullmatch(upper):
        return None
    values = [_VALUES[c] for c in upper]
    return sum(v if v >= max(values[i:]) else -v for i, v in enumerate(values))
