"""Telephone numbers, postal codes and other codes, read digit by digit."""

import re

from oneleap.domains.speech.text.numbers import cardinal, digits
from oneleap.domains.speech.text.rules.base import DASH, Rule, alternatives, letters
from oneleap.domains.speech.text.rules.tables import STATES

_STATE = alternatives(STATES)
_STATE_NAME = alternatives(STATES.values())

_CODE_WORDS = (
    r"PIN|pin|passcode|password|code|zip|ZIP|zip code|ZIP code|postcode|extension|ext\.|Ext\."
    r"|flight|Flight|serial|account|order|tracking|confirmation|ID|id|badge|dial|call|text|license|invoice"
    r"|ticket|reservation|case|Dial|Call|Text|Code|Account|Order"
)

VERSIONED = (
    "version|Version|release|Release|Python|Java|iOS|Android|Windows|Ubuntu|Linux|macOS|Firefox"
    "|Chrome|PyTorch|CUDA|Node|PHP|Perl|Ruby|Debian|Fedora|Django|kernel|GPT-|Bluetooth|USB|HTTP/"
)


def groups(written: str) -> str:
    """Spell a number digit by digit, with a pause between its groups."""
    parts = re.findall(r"\d+", written)
    said = ", ".join(digits(part) for part in parts)
    return f"plus {said}" if written.startswith("+") else said


def _vanity(match: re.Match[str]) -> str:
    """Spell ``1-800-FLOWERS``: digits one by one, words as words."""
    parts = [p for p in re.split(r"[-\s.]+", match[0]) if p]
    said = [p.lower() if p.isalpha() and len(p) > 3 else letters(p) or digits(p) for p in parts]
    return ", ".join(said)


def _version(written: str) -> str:
    return " point ".join(cardinal(int(p)) for p in re.findall(r"\d+", written))


def _numbers(match: re.Match[str]) -> str:
    """Spell the pieces of a mix of letters and digits, such as ``B12`` or ``COVID-19``."""
    said = []
    for part in re.findall(r"[A-Za-z]+|\d+", match[0]):
        if part.isalpha():
            word = len(part) > 3 or (part.istitle() and len(part) > 2)
            said.append(part if word else letters(part))
        elif part.startswith("0") or len(part) > 3:
            said.append(digits(part))
        else:
            said.append(cardinal(int(part)))
    return " ".join(said)


RULES: list[Rule] = [
    (
        re.compile(
            r"(?<![\w.])(?:\+?\d{1,3}[\s.-]?)?\(\d{2,4}\)[\s.-]?\d{3,4}[\s.-]?\d{3,4}\b"
            r"|(?<![\w.+])\+\d{1,3}(?:[\s.-]?\(?\d{1,4}\)?){2,5}\b"
            r"|(?<![\w.-])(?:1[\s.-])?\d{3}([-.])\d{3}\1\d{4}\b(?!-)"
            r"|(?<![\w.,-])\d{3} \d{3} \d{4}\b|(?<![\w.,-])(?<!\d )0\d{2,4}(?: \d{3,4}){1,3}\b"
            r"|(?<![\w.$-])\d{3}-(?!\d{2}00)\d{4}\b(?!-)"
            r"|(?<![\w-])\d{3}-\d{2}-\d{4}\b|(?<![\w-])\d{4}([ -])\d{4}\2\d{4}\2\d{4}\b"
            r"|(?<=ISBN )[\d-]{10,17}\b|(?<=ISBN-13 )[\d-]{10,17}\b"
        ),
        lambda m: groups(m[0]),
    ),
    (
        re.compile(
            r"(?<![\w-])(?:\+?1[-\s.])?(?:8\d\d|900)[-\s.](?:[A-Z0-9]+-)*[A-Z]{2,}[A-Z0-9-]*\b"
        ),
        _vanity,
    ),
    (
        re.compile(rf"(?<=, )({_STATE})\s+(\d{{5}})(-\d{{4}})?\b"),
        lambda m: f"{STATES[m[1]]} {groups(m[2] + (m[3] or ''))}",
    ),
    (
        re.compile(rf"\b({_STATE})\s+(\d{{5}})(-\d{{4}})?\b(?=\W|$)"),
        lambda m: f"{STATES[m[1]]} {groups(m[2] + (m[3] or ''))}",
    ),
    (
        re.compile(rf"\b({_STATE_NAME}),?\s+(\d{{5}})(-\d{{4}})?\b(?!\s+[a-z]+s\b)"),
        lambda m: f"{m[1]} {groups(m[2] + (m[3] or ''))}",
    ),
    (
        re.compile(rf"(?<=[a-z], )({_STATE})(?=[.,;:!?)]|$|\s+(?:[a-z]|\())"),
        lambda m: STATES[m[1]],
    ),
    (
        re.compile(
            rf"\b((?:{_CODE_WORDS})(?:\s+(?:is|was|number|no\.|code))*:?\s*#?)\s*(?!\d00\b)(\d{{3,}})\b"
            rf"(?!\s?{DASH}?[A-Za-z]|[.,:]\d)"
        ),
        lambda m: f"{m[1].rstrip('#').rstrip()} {digits(m[2])}",
    ),
    (re.compile(r"(?<![\w.,$-])911(?!\w|[.,-]\d)"), lambda m: digits(m[0])),
    (
        re.compile(r"\b(\d{1,3}(?:\.\d{1,3}){3})(?::(\d+))?(?:/(\d+))?\b"),
        lambda m: (
            " dot ".join(digits(p) for p in m[1].split("."))
            + (f" port {digits(m[2])}" if m[2] else "")
            + (f" slash {cardinal(int(m[3]))}" if m[3] else "")
        ),
    ),
    (re.compile(r"\b[vV](\d+(?:\.\d+)*)\b"), lambda m: f"version {_version(m[1])}"),
    (
        re.compile(r"(?<![\w.,])(?!\d{1,3}(?:\.\d{3}){2,}(?!\.?\d))\d+(?:\.\d+){2,}(?!\w|[.,]\d)"),
        lambda m: _version(m[0]),
    ),
    (
        re.compile(rf"\b((?:{VERSIONED})\s?)(\d{{1,3}}\.\d{{1,3}})(?![\d%]|\.\d)"),
        lambda m: f"{m[1].rstrip('-/')} {_version(m[2])}".replace("  ", " "),
    ),
]
"""Rules of codes, in the order in which they apply."""

MIXED: list[Rule] = [
    (
        re.compile(r"\b(?:[A-Z]{1,5}-?\d+(?:[A-Z]{1,3}(?:-?\d+)?)?|[A-Z]+\d+[A-Z]+\d*|\d+[A-Z]{1,3}\d*"
                   r"|[a-z]{1,3}\d{1,4}|[A-Z][a-z]+-\d{1,3})\b(?!-\d)"),
        _numbers,
    ),
]  # fmt: skip
"""Rules of mixes of letters and digits, which apply after those of units and ordinals."""
