"""Numbers, dates, times and money in English words, and numbers of other languages."""

MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip

MONEY = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
}
"""Names of a currency and of its hundredth part: singular and plural of each."""

DAY_HALVES = {"a": "eigh em", "p": "pee em"}
"""Halves of the day as they sound. espeak-ng would read a lone letter as the article."""

MOST_DIGITS = 15
"""Number of digits up to which a number is read as a whole; longer ones are read by digits."""


def number_words(written: str, language: str = "en-us") -> str:
    """Spell a number such as ``-1,234.5``.

    Digits are read one by one if the number is long or begins with a zero. If num2words does not
    know the language, the number stays as it is.
    """
    from num2words import CONVERTER_CLASSES, num2words

    lang = language.replace("-", "_")
    lang = next((c for c in (lang, lang.partition("_")[0]) if c in CONVERTER_CLASSES), "")
    if not lang:
        return written
    plain = written.replace(",", "")
    whole, _, fraction = plain.lstrip("-").partition(".")
    if len(whole) > MOST_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        words = digits(whole, lang)
    else:
        words = num2words(int(whole), lang=lang)
    if fraction:
        words += f" {'point' if lang == 'en' else '.'} {digits(fraction, lang)}"
    minus = "minus " if lang == "en" else "-"
    return f" {minus if plain.startswith('-') else ''}{_plain(words)} "


def digits(written: str, lang: str = "en") -> str:
    """Spell each digit."""
    from num2words import num2words

    return " ".join(num2words(int(d), lang=lang) for d in written if d.isdecimal())


def ordinal_words(written: str) -> str:
    """Spell an ordinal number: ``21`` is twenty-first."""
    from num2words import num2words

    plain = written.replace(",", "")
    return (
        _plain(num2words(int(plain), to="ordinal")) if len(plain) <= MOST_DIGITS else digits(plain)
    )


def year_words(written: str) -> str:
    """Spell a year: ``1984`` is nineteen eighty-four."""
    from num2words import num2words

    return _plain(num2words(int(written), to="year"))


def decade_words(written: str) -> str:
    """Spell a decade: ``1990s`` is nineteen nineties."""
    words = year_words(written.rstrip("s"))
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def phone_words(written: str) -> str:
    """Spell a telephone number digit by digit, with a pause at each dash."""
    return ", ".join(digits(group) for group in written.split("-"))


def money_words(sign: str, amount: str, scale: str | None) -> str:
    """Spell an amount of money: ``$`` and ``3.50`` are three dollars and fifty cents.

    Args:
        sign: Sign of the currency, a key of :data:`MONEY`.
        amount: The number, with or without commas.
        scale: A word such as ``million`` behind the number.

    Returns:
        The words.
    """
    one, many, cent, cents = MONEY[sign]
    whole, _, fraction = amount.replace(",", "").partition(".")
    if scale or len(fraction) not in (0, 2) or len(whole) > MOST_DIGITS:
        return f"{number_words(amount).strip()} {f'{scale} ' if scale else ''}{many}"
    parts = []
    if int(whole) or not int(fraction or 0):
        parts.append(f"{number_words(whole).strip()} {one if int(whole) == 1 else many}")
    if fraction and int(fraction):
        count = int(fraction)
        parts.append(f"{number_words(str(count)).strip()} {cent if count == 1 else cents}")
    return " and ".join(parts)


def date_words(year: str, month: str, day: str) -> str:
    """Spell a date.

    Args:
        year: Two digits or four.
        month: Number from 1 to 12.
        day: Number from 1 to 31.

    Returns:
        The words, or an empty string if the month or day does not exist.
    """
    m, d = int(month), int(day)
    if not (1 <= m <= 12 and 1 <= d <= 31):
        return ""
    full = year if len(year) == 4 else f"20{year}"
    return f"{MONTHS[m - 1]} {ordinal_words(str(d))}, {year_words(full)}"


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
    words = number_words(str(h)).strip()
    if m:
        words += f" {'oh ' if m < 10 else ''}{number_words(str(m)).strip()}"
    elif half is None:
        words += " o'clock" if 1 <= h <= 12 else " hundred"
    if second is not None:
        words += f" and {number_words(str(int(second))).strip()} seconds"
    return words + (f" {DAY_HALVES[half.lower()]}" if half else "")


def _plain(words: str) -> str:
    return words.replace(",", "").replace("-", " ")
