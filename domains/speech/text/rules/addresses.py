"""E-mail and web addresses, file names, paths, and names with a sign before them."""

import re

from oneleap.domains.audio.english.word_lists import word_list
from oneleap.domains.speech.text.numbers import cardinal, digits, year
from oneleap.domains.speech.text.rules.base import Rule, alternatives, letters

_DOMAINS = word_list("endings of domains")
_SPELLED = word_list("spelled in addresses")
_SPOKEN = {"json": "jason", "wav": "wave", "txt": "text", "jpeg": "J peg", "mpeg": "M peg"}

_FILES = word_list("endings of files")
_SIGNS = {
    ".": "dot", "/": "slash", "-": "dash", "_": "underscore", ":": "colon", "?": "question mark",
    "=": "equals", "&": "and", "#": "hash", "%": "percent", "~": "tilde", "@": "at", "+": "plus",
    "\\": "backslash", "*": "star",
}  # fmt: skip

_LAST = r"[^\s<>()\"'.,;:!?\]]"


def spell_address(written: str) -> str:
    """Spell an address or a file name: words as words, and signs by their names."""
    said = []
    for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\w\s]|_|[^\W\d]+", written):
        lower = part.lower()
        if part in _SIGNS:
            said.append(_SIGNS[part])
        elif part.isdecimal():
            whole = len(part) < 3 and not part.startswith("0")
            dated = len(part) == 4 and part[:2] in ("19", "20")
            said.append(
                cardinal(int(part)) if whole else year(int(part)) if dated else digits(part)
            )
        elif lower in _SPOKEN:
            said.append(_SPOKEN[lower])
        elif lower in _SPELLED or not set(lower) & set("aeiouy") or len(part) == 1:
            said.append(letters(part))
        else:
            said.append(part)
    return " ".join(said)


def _web(match: re.Match[str]) -> str:
    plain = re.sub(r"^(?:[a-z]+://)?(?:www\.)?", "", match[0], flags=re.IGNORECASE)
    return spell_address(plain.rstrip("/"))


def _tag(match: re.Match[str]) -> str:
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", match[1])
    return f"hashtag {' '.join(parts)}"


_DOMAIN = rf"(?:[\w-]+\.)+(?:{alternatives(_DOMAINS)})"

RULES: list[Rule] = [
    (
        re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b|\b(?:mailto|tel):[\w.+@-]+\b"),
        lambda m: spell_address(re.sub(r"^(?:mailto|tel):", "", m[0])),
    ),
    (
        re.compile(rf"\b(?:(?:https?|ftp|ssh|file)://|www\.)[^\s<>\"]*{_LAST}/?", re.IGNORECASE),
        _web,
    ),
    (
        re.compile(
            rf"(?<![\w@.])(?!\d+\.\d)(?-i:[a-zA-Z0-9]){_DOMAIN}\b(?::\d+)?(?:/(?:[^\s<>()\"]*{_LAST})?)?(?!\.\w|['\w])".replace(
                "(?-i:[a-zA-Z0-9])", "(?=[a-zA-Z0-9])"
            )
        ),
        _web,
    ),
    (
        re.compile(
            rf"(?<![\w.])(?:~?/|\.{{1,2}}/)?(?:[\w.-]+/)*[\w-]+(?:\.[\w-]+)*\.(?:{alternatives(_FILES)})\b(?!\.\w)"
        ),
        lambda m: spell_address(m[0]),
    ),
    (
        re.compile(
            r"(?<![\w/.])(?:~|\.{1,2})?(?:/[\w.-]*\w){2,}/?|(?<![\w/.])(?:~|\.{1,2})/[\w.-]*\w/?"
            r"|\b[A-Z]:\\(?:[\w.-]+\\?)+"
        ),
        lambda m: spell_address(m[0]),
    ),
    (re.compile(r"(?<![\w&])#([A-Za-z]\w+)"), _tag),
    (re.compile(r"(?<!\w)@(?=[A-Za-z]\w)(\w+)"), lambda m: f"at {spell_address(m[1])}"),
]
"""Rules of addresses, in the order in which they apply."""
