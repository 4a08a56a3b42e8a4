"""Units after a number and without one, heights in feet and inches, and temperatures."""

import re

from oneleap.domains.speech.text.rules.base import (
from oneleap.domains.speech.text.word_lists import word_list
    AMOUNT,
    DASH,
    Rule,
    alternatives,
    before_noun,
    ends_sentence,
)

_PREFIXES = {"k": "kilo", "M": "mega", "G": "giga", "T": "tera", "m": "milli", "µ": "micro",
             "μ": "micro", "n": "nano", "c": "centi"}  # fmt: skip

_PREFIXED = {
    "g": ("gram", "kmµμn"), "m": ("meter", "kmcµμn"), "W": ("watt", "kMGm"), "Wh": ("watt hour", "kMG"),
    "Hz": ("hertz", "kMGT"), "B": ("byte", "kMGT"), "bit": ("bit", "kMG"), "V": ("volt", "km"),
    "J": ("joule", "kM"), "Pa": ("pascal", "kM"), "l": ("liter", "mc"), "L": ("liter", "m"),
    "s": ("second", "mµμn"), "Ah": ("ampere hour", "m"), "cal": ("calorie", "k"), "A": ("ampere", "m"),
    "eV": ("electron volt", "kMG"), "Ω": ("ohm", "kM"), "N": ("newton", "k"), "mol": ("mole", "m"),
}  # fmt: skip
"""Names of units, and the prefixes they occur with."""

_PLAIN = {
    "m": ("meter", "meters"), "g": ("gram", "grams"), "s": ("second", "seconds"),
    "h": ("hour", "hours"), "l": ("liter", "liters"), "L": ("liter", "liters"), "W": ("watt", "watts"),
    "V": ("volt", "volts"), "J": ("joule", "joules"), "Hz": ("hertz", "hertz"),
    "Wh": ("watt hour", "watt hours"), "eV": ("electron volt", "electron volts"), "Pa": ("pascal", "pascals"),
    "Ω": ("ohm", "ohms"), "Ah": ("ampere hour", "ampere hours"), "cal": ("calorie", "calories"),
    "t": ("ton", "tons"), "min": ("minute", "minutes"), "mins": ("minute", "minutes"),
    "sec": ("second", "seconds"), "secs": ("second", "seconds"), "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"), "yr": ("year", "years"), "yrs": ("year", "years"), "mo": ("month", "months"),
    "mos": ("month", "months"), "wk": ("week", "weeks"), "wks": ("week", "weeks"), "ft": ("foot", "feet"),
    "in": ("inch", "inches"), "yd": ("yard", "yards"), "yds": ("yard", "yards"), "mi": ("mile", "miles"),
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "gal": ("gallon", "gallons"), "qt": ("quart", "quarts"), "pt": ("pint", "pints"), "ha": ("hectare", "hectares"),
    "mph": ("mile per hour", "miles per hour"), "kph": ("kilometer per hour", "kilometers per hour"),
    "kmh": ("kilometer per hour", "kilometers per hour"), "fps": ("frame per second", "frames per second"),
    "bps": ("bit per second", "bits per second"), "kbps": ("kilobit per second", "kilobits per second"),
    "Mbps": ("megabit per second", "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"),
    "rpm": ("revolution per minute", "revolutions per minute"), "dpi": ("dot per inch", "dots per inch"),
    "psi": ("pound per square inch", "pounds per square inch"), "PSI": ("P S I", "P S I"),
    "dB": ("decibel", "decibels"), "ppm": ("part per million", "parts per million"), "hp": ("horsepower", "horsepower"),
    "kn": ("knot", "knots"), "bpm": ("beat per minute", "beats per minute"), "px": ("pixel", "pixels"),
    "tsp": ("teaspoon", "teaspoons"), "tbsp": ("tablespoon", "tablespoons"), "bar": ("bar", "bars"),
    "mbar": ("millibar", "millibars"), "hPa": ("hectopascal", "hectopascals"), "atm": ("atmosphere", "atmospheres"),
    "°C": ("degree Celsius", "degrees Celsius"), "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°K": ("kelvin", "kelvins"), "°": ("degree", "degrees"), "%": ("percent", "percent"),
    "‰": ("per mille", "per mille"), "¢": ("cent", "cents"), "KB": ("kilobyte", "kilobytes"),
    "Kb": ("kilobit", "kilobits"), "Mb": ("megabit", "megabits"), "Gb": ("gigabit", "gigabits"),
    "kb": ("kilobit", "kilobits"), "mb": ("megabyte", "megabytes"), "gb": ("gigabyte", "gigabytes"), "tb": ("terabyte", "terabytes"),
    "KG": ("kilogram", "kilograms"), "Kg": ("kilogram", "kilograms"), "KM": ("kilometer", "kilometers"),
    "ML": ("milliliter", "milliliters"), "khz": ("kilohertz", "kilohertz"), "mhz": ("megahertz", "megahertz"),
    "ghz": ("gigahertz", "gigahertz"), "hz": ("hertz", "hertz"), "KHz": ("kilohertz", "kilohertz"), "MPH": ("mile per hour", "miles per hour"),
    "KiB": ("kibibyte", "kibibytes"), "MiB": ("mebibyte", "mebibytes"), "GiB": ("gibibyte", "gibibytes"),
    "lm": ("lumen", "lumens"), "rad": ("radian", "radians"), "day": ("day", "days"), "kWh": ("kilowatt hour", "kilowatt hours"),
}  # fmt: skip


def _plural(name: str) -> str:
    return name if name.endswith(("hertz", "z")) else f"{name}s"


UNITS = _PLAIN | {
    f"{prefix}{unit}": (f"{_PREFIXES[prefix]}{name}", _plural(f"{_PREFIXES[prefix]}{name}"))
    for unit, (name, prefixes) in _PREFIXED.items()
    for prefix in prefixes
    if f"{prefix}{unit}" not in ("kmol",)
}
"""Units, and their names in the singular and the plural. The case of letters counts."""

_POWERS = {
    "²": "square ",
    "³": "cubic ",
    "^2": "square ",
    "^3": "cubic ",
    "2": "square ",
    "3": "cubic ",
}
_LENGTHS = ("km", "m", "cm", "mm", "ft", "in", "mi", "yd")
_WORDS = (
    "in",
    "t",
    "mo",
    "day",
    "bar",
    "mi",
    "rad",
    "pt",
    "A",
    "B",
    "J",
    "N",
    "W",
    "kn",
    "L",
    "mol",
    "cal",
    "gal",
    "V",
    "h",
    "s",
    "g",
    "l",
    "m",
    "yr",
    "wk",
    "hr",
    "ha",
)
"""Units that are words or letters too, and are read as units only after a number."""

_UNIT = alternatives(UNITS)
_FULL = rf"(?:(?:sq\.?|cu\.?)\s)?(?:{_UNIT})(?:[²³]|\^[23]|(?<=m)[23]\b)?(?:\s?/\s?(?:{_UNIT})(?:[²³]|\^[23])?)?"
_SHARED = r"(?:/(?:person|day|week|month|year|hour|second|minute|night|user))?"


def unit_words(written: str, singular: bool) -> str:
    """Spell a unit such as ``km/h`` or ``m²``.

    Args:
        written: The unit.
        singular: Whether the number before it is 1.
    """
    top, _, below = re.sub(r"\s", "", written).partition("/")
    named = {"sq": "square ", "sq.": "square ", "cu": "cubic ", "cu.": "cubic "}
    kind = ""
    for short, words in named.items():
        if top.startswith(short) and top.removeprefix(short) in UNITS and top not in UNITS:
            kind, top = words, top.removeprefix(short)
    if top not in UNITS:
        for mark, words in _POWERS.items():
            if top.endswith(mark):
                kind, top = words, top.removesuffix(mark)
                break
    words = kind + UNITS[top][0 if singular else 1]
    return f"{words} per {unit_words(below, True)}" if below else words


def _after_number(match: re.Match[str]) -> str:
    amount, unit, dot = match[1], match[2], match[3]
    after = match.string[match.end() :]
    gap = match[0][len(amount) : len(amount) + 1].isspace()
    if unit == "in" and gap and not dot:
        if not re.match(
            r"\s*(?:$|[,;:.!?)]|(?:x|by|wide|long|tall|high|deep|thick|diameter)\b)", after
        ):
            return match[0]
    if (
        unit in ("A", "B", "N", "J", "t", "mo", "pt", "L", "W", "V")
        and gap
        and re.match(r"\s+[a-z]", after)
        and unit not in ("W", "V", "L", "t", "pt", "mo")
    ):
        return match[0]
    short = unit in _SHORTENED and not re.match(r"\s+\d", after)
    end = "." if dot and (not short or ends_sentence(after)) else ""
    singular = amount == "1" or (before_noun(match) and unit not in ("%", "‰"))
    return f"{amount} {unit_words(unit, singular)}{end}"


_SHORTENED = word_list("units with a full stop")
"""Units that are often written with a full stop."""


def _adjective(match: re.Match[str]) -> str:
    return f"{match[1]} {unit_words(match[2], True)}{match[3]}"


def _inches(match: re.Match[str]) -> str:
    """Spell ``12"``, unless the sign closes a quotation."""
    if match[2] == '"' and len(re.findall(r'(?<!\d)"', match.string[: match.start()])) % 2:
        return match[0]
    return f"{match[1]} {'inch' if match[1] == '1' or before_noun(match) else 'inches'}"


def _feet(match: re.Match[str]) -> str:
    """Spell a height: ``5'10"`` is five feet ten inches."""
    second = match[2] if match.re.groups > 1 else None
    inches = f" {second} {'inch' if second == '1' else 'inches'}" if second else ""
    return f"{match[1]} {'foot' if match[1] == '1' else 'feet'}{inches}"


_ALONE = alternatives(
    u
    for u in UNITS
    if len(u) > 1
    and u not in _WORDS
    and u.lower()
    not in (
        "min",
        "mins",
        "sec",
        "secs",
        "ml",
        "mb",
        "gb",
        "kb",
        "tb",
        "px",
        "hp",
        "km",
        "ft",
        "oz",
        "lb",
        "lm",
        "pa",
        "wh",
        "ma",
        "mw",
        "mv",
        "ms",
        "kn",
        "kj",
        "kv",
        "ns",
        "mn",
        "ev",
        "db",
        "ah",
        "mg",
        "gw",
        "tw",
        "atm",
        "psi",
        "mos",
        "hrs",
        "yrs",
        "wks",
        "yds",
        "qt",
        "yd",
        "tsp",
        "lbs",
        "bit",
        "kcal",
        "mbar",
        "mbit",
        "kbit",
        "mpa",
        "mm",
        "cm",
        "nm",
        "kw",
        "%",
        "cl",
    )
)
_SAFE = (
    "kg",
    "km",
    "cm",
    "mm",
    "kHz",
    "MHz",
    "GHz",
    "Hz",
    "kWh",
    "mAh",
    "mph",
    "lbs",
    "mg",
    "dB",
    "MB",
    "GB",
    "TB",
    "kW",
    "MW",
    "ml",
    "mL",
    "oz",
)

RULES: list[Rule] = [
    (re.compile(r"(?<=[A-Za-z'\"″′])\s+[x×]\s+(?=\d)"), lambda m: " by "),
    (re.compile(r"(?<=by )(\d{1,3})'(?!\w)"), _feet),
    (
        re.compile(r"(?<![\w'.])(\d{1,3})\s?(?:'|′|ft\.?)\s?(\d{1,2})\s?(?:\"|″|''|in\b\.?)(?!\w)"),
        _feet,
    ),
    (re.compile(r"(?<![\w'.])([3-8])'(\d{1,2})(?![\w\"'′])"), _feet),
    (re.compile(r"(?<![\w'\"])(\d{1,3})[′](?![\w])"), _feet),
    (re.compile(r"(?<![\w'\"])(\d{1,2})'(?=\s*(?:x|×|by|tall|wide|long|high|deep|\d)\b)"), _feet),
    (re.compile(r"(?<![\w'\"])(\d{1,3}(?:\.\d+)?)\s?([″\"])(?!\w)"), _inches),
    (re.compile(r"\b(\d{1,2})\s?h\s?(\d\d)\b(?!\s?m)"), lambda m: f"{m[1]} hours {m[2]} minutes"),
    (re.compile(rf"(?<![\w.])({AMOUNT})(?:x|\s?x\s?|×(?=\d+p?x?\b))(?=\d)"), lambda m: f"{m[1]} by "),
    (re.compile(rf"(?<![\w.])({AMOUNT})[x×](?=\s|$|[.,;)])"), lambda m: f"{m[1]} times"),
    (
        re.compile(rf"(?<![\w.,])({AMOUNT}){DASH}({_UNIT})(\s+[a-z]|{DASH}[a-z])(?<!\d-[a-z])"),
        _adjective,
    ),
    (
        re.compile(rf"(?<![\w.])({AMOUNT})\s?({_FULL})(?!\w|['°²³^]|\.\w)(\.(?=[\s,;:)]|$))?"),
        _after_number,
    ),
    (
        re.compile(rf"(?<![\w/.-])((?:{_UNIT})/(?:{alternatives(u for u in UNITS if u not in ('in', 't', 'A'))})(?:[²³]|\^[23])?)(?![\w/])"),
        lambda m: unit_words(m[1], False),
    ),
    (re.compile(rf"(?<![\w/.-])({alternatives(_SAFE)})(²|³)?(?![\w/'-])"),
     lambda m: unit_words(m[0], False)),
    (re.compile(r"(?<!\w)(°[CF])(?!\w)"), lambda m: unit_words(m[1], False)),
]  # fmt: skip
"""Rules of units, in the order in which they apply."""
