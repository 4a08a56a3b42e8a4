"""What nobody reads aloud: Markdown, tags and emoji; and where a line end is no sentence end."""

import re
import unicodedata
from itertools import pairwise

from oneleap.domains.speech.text.rules.amounts import SIGNS

_FENCE = re.compile(r"^[ \t]*(```|~~~).*$", re.MULTILINE)
_RULER = re.compile(r"^[ \t]*(?:(?:[-*_=][ \t]*){3,}|\|?[ :]*-{2,}[-| :]*)$", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+(.*?)[ \t#]*$", re.MULTILINE)
_BULLET = re.compile(
    r"^[ \t]*(?:[-*+•‣◦·][ \t]+(?:\[[ xX]\][ \t]+)?|(\d{1,3})[.)][ \t]+(?=\S))", re.MULTILINE
)
_QUOTE = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\]\n]*)\]\([^)\n]*\)")
_LINK = re.compile(r"(?<!\[)\[([^\[\]\n]+)\](?:\((?:[^()\n]|\([^()\n]*\))*\)|\[[^\]\n]*\])")
_NOTE = re.compile(r"(?<=\S)\[(?:\d{1,3}|\^\w+|citation needed)\](?!\()")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>\n]*)?/?>")
_STRONG = re.compile(r"(?<![\w*])(\*{1,3})(?=\S)(.+?)(?<=\S)\1(?![\w*])", re.DOTALL)
_UNDER = re.compile(r"(?<![\w_])(_{1,3})(?=\S)([^_\n]+?)(?<=\S)\1(?![\w_])")
_STRIKE = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~", re.DOTALL)
_CODE = re.compile(r"(`{1,2})([^`\n]+)\1")
_CELLS = re.compile(r"^[ \t]*\|(.+)\|[ \t]*$", re.MULTILINE)
_STARS = re.compile(r"(?<=\w)\*+(?=\s|[.,;:!?]|$)|(?<!\w)\*+(?=\w)")

HIDDEN = "®™℠\u200b\u200c\u200d\u2060\ufeff\ufe0e\ufe0f\u00ad"
"""Signs that are left out without a notice."""

_READ = frozenset("".join((*SIGNS, "$£€¥¢₹₩₽₺₪₫₴₦฿₱₵₸₭₿−-\u2044'´`^<>|", HIDDEN)))


def strip_markdown(text: str) -> tuple[str, tuple[str, ...]]:
    """Take Markdown and tags out of a text, and keep what they mark.

    A heading and an item of a list become paragraphs of their own.

    Returns:
        The text, and the marks that were left out.
    """
    dropped: dict[str, None] = {}

    def drop(pattern: re.Pattern[str], kept: str, shown: str) -> None:
        nonlocal text
        after = pattern.sub(kept, text)
        if after != text:
            dropped[shown] = None
        text = after

    drop(_COMMENT, "", "<!-- -->")
    drop(_FENCE, "", "```")
    drop(_RULER, "\n", "---")
    drop(_IMAGE, r"\1", "![]()")
    drop(_LINK, r"\1", "[]()")
    drop(_NOTE, "", "[1]")
    drop(_TAG, "", "<>")
    drop(_HEADING, r"\n\n\1\n\n", "#")
    drop(_QUOTE, "", ">")
    if len(_BULLET.findall(text)) > 1 or re.search(r"^[ \t]*[*+•‣◦·] ", text, re.MULTILINE):
        text = _BULLET.sub(lambda m: f"\n\n{m[1]}: " if m[1] else "\n\n", text)
    for pattern, shown in (
        (_STRONG, "*"),
        (_STRONG, "*"),
        (_UNDER, "_"),
        (_STRIKE, "~~"),
        (_CODE, "`"),
    ):
        drop(pattern, r"\1" if pattern is _STRIKE else r"\2", shown)
    drop(_CELLS, r"\n\n\1\n\n", "|")
    drop(_STARS, "", "*")
    if "|" in dropped or re.search(r"\s\|\s", text):
        text = re.sub(r"\s*\|\s*", ", ", text)
    return text, tuple(dropped)


def skipped_characters(text: str) -> str:
    """Return the characters that are left out, each once, in order.

    These are signs that nobody reads aloud, such as emoji, and letters of scripts other than
    Latin and Greek, because espeak-ng would read the names of such letters.
    """
    plain = unicodedata.normalize("NFKC", text)
    return "".join(dict.fromkeys(c for c in plain if _unread(c) and c not in HIDDEN))


def _unread(c: str) -> bool:
    if c.isascii() or c in _READ or "\ue000" <= c <= "\uf8ff":
        return False
    kind = unicodedata.category(c)
    return kind in ("So", "Sk", "Sm", "Sc", "Co", "Cn") or other_script(c)


def other_script(c: str) -> bool:
    """Return whether a character is a letter of a script other than Latin and Greek."""
    if c.isascii() or unicodedata.category(c)[0] not in "LM":
        return False
    known = ("LATIN ", "GREEK ", "COMBINING ", "MODIFIER ", "VARIATION ", "MICRO ", "OHM ")
    return not unicodedata.name(c, "").startswith(known)


def join_lines(text: str) -> str:
    """Join the lines of each paragraph; an empty line separates paragraphs.

    Where a line ends though the next word would have fitted, and a capital follows, the writer
    meant the end: a comma stands for it, if there is no other mark.
    """
    paragraphs = re.split(r"\n[ \t]*\n\s*", text.strip())
    return "\n\n".join(joined for p in paragraphs if (joined := _join_paragraph(p)))


def _join_paragraph(paragraph: str) -> str:
    lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
    width = max(map(len, lines), default=0)
    joined = lines[0] if lines else ""
    for last, line in pairwise(lines):
        fits = len(last) + 1 + len(line.split()[0]) <= width
        meant = fits and line[0].isupper() and joined[-1].isalnum()
        joined += f"{',' if meant else ''} {line}"
    return joined
