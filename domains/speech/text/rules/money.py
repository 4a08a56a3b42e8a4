"""Amounts of money: signs and codes of currencies, either decimal sign, ranges and scales."""

import re

from oneleap.domains.speech.text.numbers import MOST_DIGITS, cardinal, digits, number
from oneleap.domains.speech.text.rules.base import (
    DASH,
    Rule,
    alternatives,
    before_noun,
    text_after,
)

_CENT = ("cent", "cents")
CURRENCIES = {
    "dollar": ("dollars", *_CENT), "U S dollar": ("U S dollars", *_CENT),
    "Canadian dollar": ("Canadian dollars", *_CENT), "euro": ("euros", *_CENT),
    "Australian dollar": ("Australian dollars", *_CENT), "pound": ("pounds", "penny", "pence"),
    "New Zealand dollar": ("New Zealand dollars", *_CENT), "yen": ("yen", "sen", "sen"),
    "Hong Kong dollar": ("Hong Kong dollars", *_CENT), "yuan": ("yuan", "fen", "fen"),
    "Singapore dollar": ("Singapore dollars", *_CENT), "rupee": ("rupees", "paisa", "paise"),
    "Swiss franc": ("Swiss francs", "centime", "centimes"), "won": ("won", "jeon", "jeon"),
    "ruble": ("rubles", "kopeck", "kopecks"), "lira": ("lira", "kurush", "kurush"),
    "shekel": ("shekels", "agora", "agorot"), "dong": ("dong", "xu", "xu"),
    "hryvnia": ("hryvnias", "kopiyka", "kopiykas"), "naira": ("naira", "kobo", "kobo"),
    "baht": ("baht", "satang", "satang"), "peso": ("pesos", "centavo", "centavos"),
    "Mexican peso": ("Mexican pesos", "centavo", "centavos"), "rand": ("rand", *_CENT),
    "real": ("reais", "centavo", "centavos"), "zloty": ("zlotys", "grosz", "groszy"),
    "krona": ("kronor", "oere", "oere"), "krone": ("kroner", "oere", "oere"),
    "koruna": ("korunas", "heller", "hellers"), "forint": ("forints", "filler", "fillers"),
    "rupiah": ("rupiah", "sen", "sen"), "dirham": ("dirhams", "fils", "fils"),
    "riyal": ("riyals", "halala", "halalas"), "cedi": ("cedis", "pesewa", "pesewas"),
    "tenge": ("tenge", "tiyn", "tiyn"), "kip": ("kip", "att", "att"),
    "Egyptian pound": ("Egyptian pounds", "piastre", "piastres"), "leu": ("lei", "ban", "bani"),
    "bitcoin": ("bitcoins", "satoshi", "satoshis"), "lev": ("leva", "stotinka", "stotinki"),
}  # fmt: skip
"""Singular of each currency; its plural, and singular and plural of its hundredth part."""

SIGNS = {
    "$": "dollar", "US$": "U S dollar", "C$": "Canadian dollar", "CA$": "Canadian dollar",
    "A$": "Australian dollar", "AU$": "Australian dollar", "NZ$": "New Zealand dollar",
    "HK$": "Hong Kong dollar", "S$": "Singapore dollar", "R$": "real", "MX$": "Mexican peso",
    "£": "pound", "€": "euro", "¥": "yen", "₹": "rupee", "Rs.": "rupee", "Rs": "rupee",
    "₩": "won", "₽": "ruble", "₺": "lira", "₪": "shekel", "₫": "dong", "₴": "hryvnia",
    "₦": "naira", "฿": "baht", "₱": "peso", "₵": "cedi", "₸": "tenge", "₭": "kip", "₿": "bitcoin",
    "zł": "zloty", "Kč": "koruna", "kr": "krona", "kr.": "krona",
}  # fmt: skip
"""Signs of currencies."""

CODES = {
    "USD": "U S dollar", "EUR": "euro", "GBP": "pound", "JPY": "yen", "CHF": "Swiss franc",
    "CNY": "yuan", "RMB": "yuan", "INR": "rupee", "KRW": "won", "RUB": "ruble", "TRY": "lira",
    "ILS": "shekel", "VND": "dong", "UAH": "hryvnia", "NGN": "naira", "THB": "baht",
    "PHP": "peso", "MXN": "Mexican peso", "ZAR": "rand", "BRL": "real", "PLN": "zloty",
    "SEK": "krona", "NOK": "krone", "DKK": "krone", "CZK": "koruna", "HUF": "forint",
    "IDR": "rupiah", "AED": "dirham", "SAR": "riyal", "EGP": "Egyptian pound", "RON": "leu",
    "AUD": "Australian dollar", "CAD": "Canadian dollar", "NZD": "New Zealand dollar",
    "HKD": "Hong Kong dollar", "SGD": "Singapore dollar", "BTC": "bitcoin", "BGN": "lev",
}  # fmt: skip
"""Codes of currencies."""

SCALES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million",
    "MM": "million", "bn": "billion", "Bn": "billion", "b": "billion", "B": "billion",
    "tn": "trillion", "T": "trillion",
}  # fmt: skip

_AMOUNT = (
    r"\d{1,3}(?:[.,'’]\d{2,3})+(?:[.,]\d{1,2})?(?!\d)"
    r"|\d+(?:[.,]\d{1,2})?(?![\d,.]\d)|\d+\.\d+|\.\d+"
)
_WORD = r"thousand|million|billion|trillion|lakh|crore"


def plain_amount(written: str) -> str:
    """Write an amount with a decimal point and no other signs, whichever signs it has.

    The last sign is a decimal sign if one or two digits follow it and no sign of its kind comes
    before: ``3,50``, ``1.234,56`` and ``1'234.50`` have one, ``1,234`` and ``1,00,000`` have none.
    """
    marks = [c for c in written if not c.isdigit()]
    if not marks:
        return written
    whole, mark, fraction = written.rpartition(marks[-1])
    other = any(c != mark for c in marks[:-1])
    decimal = marks.count(mark) == 1 and (len(fraction) != 3 or other or mark == ".")
    keep = "".join(c for c in whole if c.isdigit())
    return f"{keep or '0'}.{fraction}" if decimal else keep + fraction


def money_words(currency: str, amount: str, scale: str = "", *, adjective: bool = False) -> str:
    """Spell an amount of money: ``3.50`` dollars are three dollars and fifty cents.

    Args:
        currency: A key of :data:`CURRENCIES`.
        amount: The number, with a decimal point if any.
        scale: A word such as ``million`` behind the number.
        adjective: Whether a noun follows, as in a five dollar bill.

    Returns:
        The words.
    """
    many, cent, cents = CURRENCIES[currency]
    whole, _, fraction = amount.partition(".")
    if adjective:
        many = currency
    if scale or len(fraction) not in (0, 2) or len(whole) > MOST_DIGITS or adjective:
        return " ".join(part for part in (number(amount), scale, many) if part)
    parts, count = [], int(fraction or 0)
    if int(whole) or not count:
        said = digits(whole) if whole.startswith("0") and len(whole) > 1 else cardinal(int(whole))
        parts.append(f"{said} {currency if int(whole) == 1 else many}")
    if count:
        parts.append(f"{cardinal(count)} {cent if count == 1 else cents}")
    return " and ".join(parts)


def _spell(match: re.Match[str]) -> str:
    """Spell an amount or a range of amounts."""
    found = match.groupdict()
    sign = found["sign"]
    currency = SIGNS.get(sign) or CODES[sign]
    scales = [match[f"word{i}"] or SCALES.get(match[f"short{i}"] or "", "") for i in (1, 2)]
    minus = "minus " if found.get("minus") else ""
    first = plain_amount(found["first"])
    adjective = before_noun(match) or bool(re.match(r"-(?!an?-)[a-z]", text_after(match)))
    if found["second"]:
        second = plain_amount(found["second"])
        if scales[0] or "." in first + second:
            shared = scales[0] or scales[1]
            start = money_words(currency, first, shared) if scales[0] else number(first)
        else:
            start = number(first)
        return f"{minus}{start} to {money_words(currency, second, scales[1])}"
    return minus + money_words(currency, first, scales[0], adjective=adjective)


def _scale(i: int) -> str:
    return (
        rf"(?:(?:\s|-)?(?P<word{i}>{_WORD})\b(?:-dollars?)?"
        rf"|(?P<short{i}>{alternatives(SCALES)})\b)?"
    )


def _before(signs: str) -> re.Pattern[str]:
    second = rf"(?:\s?(?:{DASH}|\bto\b)\s?(?P=sign)?\s?(?P<second>{_AMOUNT})(?!-?[A-Za-z]{{4}}\b)"
    return re.compile(
        rf"(?<![\w$])(?P<minus>{DASH}(?=\S))?(?P<sign>{signs})\s?(?P<first>{_AMOUNT}){_scale(1)}"
        rf"{second}{_scale(2)})?(?![\d])"
    )


def _after(signs: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w.,])(?P<minus>{DASH}(?=\S))?(?P<first>{_AMOUNT}){_scale(1)}"
        rf"(?:\s?{DASH}\s?(?P<second>{_AMOUNT}){_scale(2)})?\s?(?P<sign>{signs})(?!\w)"
    )


_PER = {"hr": "hour", "h": "hour", "mo": "month", "yr": "year", "wk": "week", "min": "minute"}

RULES: list[Rule] = [
    (_before(alternatives(SIGNS)), _spell),
    (_before(rf"(?:{alternatives(CODES)})(?=\s?\d)"), _spell),
    (_after(alternatives(SIGNS)), _spell),
    (_after(alternatives(CODES)), _spell),
    (
        re.compile(
            r"\b(dollars?|euros?|pounds?|yen|rupees?|francs?|cents?|pence|(?:b|m|tr)illion)"
            r"\s?/\s?([A-Za-z]+)\b"
        ),
        lambda m: f"{m[1]} per {_PER.get(m[2], m[2])}",
    ),
]
"""Rules of money, in the order in which they apply."""
