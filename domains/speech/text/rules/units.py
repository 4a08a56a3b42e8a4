"""Units after a number and without one, heights in feet and inches, and temperatures."""

import re
from pathlib import Path

from oneleap.domains.audio.english.word_lists import word_list
from oneleap.domains.speech.text.rules.base import (
    AMOUNT,
    DASH,
    Rule,
    alternatives,
    before_noun,
    ends_sentence,
    text_after,
    text_before,
)

_PREFIXES = {"k": "kilo", "M": "mega", "G": "giga", "T": "tera", "m": "milli", "µ": "micro",
             "μ": "micro", "n": "nano", "c": "centi"}  # fmt: skip

_PREFIXED = {
    "g": ("gram", "kmµμn"), "m": ("meter", "kmcµμn"), "W": ("watt", "kMGm"), "V": ("volt", "km"),
    "Wh": ("watt hour", "kMG"), "Hz": ("hertz", "kMGT"), "B": ("byte", "kMGT"),
    "bit": ("bit", "kMG"), "J": ("joule", "kM"), "Pa": ("pascal", "kM"), "l": ("liter", "mc"),
    "L": ("liter", "m"), "s": ("second", "mµμn"), "Ah": ("ampere hour", "m"), "N": ("newton", "k"),
    "cal": ("calorie", "k"), "A": ("ampere", "m"), "eV": ("electron volt", "kMG"),
    "Ω": ("ohm", "kM"), "mol": ("mole", "m"),
}  # fmt: skip
"""Names of units, and the prefixes they occur with."""

_PLAIN = {
    written: (one, many)
    for line in (Path(__file__).parent / "units.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
    for names, one, many in [line.split("\t")]
    for written in names.split()
}


def _plural(name: str) -> str:
    return name if name.endswith(("hertz", "z")) else f"{name}s"


UNITS = _PLAIN | {
    f"{prefix}{unit}": (f"{_PREFIXES[prefix]}{name}", _plural(f"{_PREFIXES[prefix]}{name}"))
    for unit, (name, prefixes) in _PREFIXED.items()
    for prefix in prefixes
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
_UNIT = alternatives(UNITS)
_FULL = (
    rf"(?:(?:sq\.?|cu\.?)\s)?(?:{_UNIT})(?:[²³]|\^[23]|(?<=m)[23]\b)?"
    rf"(?:\s?/\s?(?:{_UNIT})(?:[²³]|\^[23])?)?"
)


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
    after = text_after(match)
    gap = match[0][len(amount) : len(amount) + 1].isspace()
    length = re.match(r"\s*(?:$|[,;:.!?)]|(?:x|by|wide|long|tall|high|deep|thick)\b)", after)
    if unit == "in" and gap and not dot and not length:  # five in the morning
        return match[0]
    if unit == "J" and gap and re.match(r"\s+[a-z]", after):
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
    if match[2] == '"' and len(re.findall(r'(?<!\d)"', text_before(match))) % 2:
        return match[0]
    return f"{match[1]} {'inch' if match[1] == '1' or before_noun(match) else 'inches'}"


def _feet(match: re.Match[str]) -> str:
    """Spell a height: ``5'10"`` is five feet ten inches."""
    second = match[2] if match.re.groups > 1 else None
    inches = f" {second} {'inch' if second == '1' else 'inches'}" if second else ""
    return f"{match[1]} {'foot' if match[1] == '1' else 'feet'}{inches}"


_ALONE = word_list("units without a number")
_BELOW = alternatives(unit for unit in UNITS if unit not in ("in", "t", "A"))

_TALL = r"(?=\s*(?:x|×|by|tall|wide|long|high|deep|\d)\b)"

RULES: list[Rule] = [
    (re.compile(r"(?<=[A-Za-z'\"″′])\s+[x×]\s+(?=\d)"), lambda m: " by "),
    (re.compile(r"(?<=by )(\d{1,3})'(?!\w)"), _feet),
    (
        re.compile(r"(?<![\w'.])(\d{1,3})\s?(?:'|′|ft\.?)\s?(\d{1,2})\s?(?:\"|″|''|in\b\.?)(?!\w)"),
        _feet,
    ),
    (re.compile(r"(?<![\w'.])([3-8])'(\d{1,2})(?![\w\"'′])"), _feet),
    (re.compile(r"(?<![\w'\"])(\d{1,3})[′](?![\w])"), _feet),
    (re.compile(rf"(?<![\w'\"])(\d{{1,2}})'{_TALL}"), _feet),
    (re.compile(r"(?<![\w'\"])(\d{1,3}(?:\.\d+)?)\s?([″\"])(?!\w)"), _inches),
    (
        re.compile(r"\b(\d{1,2})\s?h\s?(\d\d)\b(?!\s?m)"),
        lambda m: f"{m[1]} hours {m[2]} minutes",
    ),
    (
        re.compile(rf"(?<![\w.])({AMOUNT})(?:x|\s?x\s?|×(?=\d+p?x?\b))(?=\d)"),
        lambda m: f"{m[1]} by ",
    ),
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
        re.compile(rf"(?<![\w/.-])((?:{_UNIT})/(?:{_BELOW})(?:[²³]|\^[23])?)(?![\w/])"),
        lambda m: unit_words(m[1], False),
    ),
    (
        re.compile(rf"(?<![\w/.-])({alternatives(_ALONE)})(²|³)?(?![\w/'-])"),
        lambda m: unit_words(m[0], False),
    ),
    (re.compile(r"(?<!\w)(°[CF])(?!\w)"), lambda m: unit_words(m[1], False)),
]
"""Rules of units, in the order in which they apply."""
