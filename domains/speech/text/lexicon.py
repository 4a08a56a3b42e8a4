"""A user's own pronunciations: lexicon files, and IPA inside ordinary text."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.reading.text import read_text
from oneleap.domains.speech.text.symbols import canonical_ipa, has_sound

INLINE = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
"""Phonetic text in double brackets: ``Say [[təˈmɑːtoʊ]].``"""

Check = Callable[[str, str], object]
"""Checks IPA; the second argument is the place for messages."""

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def read_lexicon(path: str | os.PathLike[str], check: Check) -> dict[str, str]:
    """Read a file of pronunciations: each line has a word, a tab and IPA.

    Empty lines and lines that begin with ``#`` are skipped. The case of words is ignored.

    Args:
        path: The file, in UTF-8.
        check: Takes IPA and its place, and raises an error if a symbol is unknown, as
            :meth:`FrontEnd.from_ipa` does.

    Returns:
        IPA by word in lower case.

    Raises:
        InputError: If the file cannot be read or a line is wrong. The message names the line.
    """
    path = Path(path)
    try:
        lines = read_text(path).splitlines()
    except InputError as error:
        raise InputError(f"lexicon: {path} cannot be read ({error})") from None
    entries = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        word, tab, pronunciation = line.partition("\t")
        where, ipa = f"{path}, line {number}", canonical_ipa(pronunciation)
        if not tab or not WORD.fullmatch(word.strip()) or not has_sound(ipa):
            raise InputError(f"{where}: expected a word, a tab and IPA, got '{line.strip()}'")
        check(ipa, where)
        entries[word.strip().lower()] = ipa
    return entries


def split_by_lexicon(text: str, lexicon: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """Split a text at the words of a lexicon.

    Returns:
        Pairs: a word of the lexicon and its IPA, or other text and ``None``.
    """
    parts: list[tuple[str, str | None]] = []
    start = 0
    for match in WORD.finditer(text) if lexicon else ():
        ipa = lexicon.get(match[0].lower())
        if ipa is not None:
            parts += [(text[start : match.start()], None), (match[0], ipa)]
            start = match.end()
    return [part for part in (*parts, (text[start:], None)) if part[0]]
