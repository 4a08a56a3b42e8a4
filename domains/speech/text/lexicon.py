"""A user's own pronunciations, and phonetic text within ordinary text."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.domains.speech.text.symbols import canonical, is_said, refuse_unknown

INLINE = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
"""Phonetic text is put in double brackets: ``Say [[təˈmɑːtoʊ]].``"""

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def read_lexicon(path: str | os.PathLike[str], symbols: Sequence[str]) -> dict[str, str]:
    """Pronunciations by word, of a file with one word a line, a tab, and its phonetic text.

    Empty lines and those that begin with ``#`` are skipped; the case of words does not matter.

    Raises:
        InputError: If there is no such file, or a line is not so, naming it.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InputError(f"lexicon: {path} cannot be read ({reason})") from None
    entries = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        word, tab, ipa = line.partition("\t")
        where, said = f"{path}, line {number}", canonical(ipa)
        if not tab or not WORD.fullmatch(word.strip()) or not is_said(said):
            raise InputError(f"{where}: a word, a tab and its sounds in IPA, not '{line.strip()}'")
        refuse_unknown(said, symbols, where)
        entries[word.strip().lower()] = said
    return entries


def known_parts(text: str, lexicon: Mapping[str, str]) -> list[tuple[str, str | None]]:
    """The text cut at words of the lexicon: (text, None), or (word, its pronunciation)."""
    parts: list[tuple[str, str | None]] = []
    start = 0
    for match in WORD.finditer(text) if lexicon else ():
        said = lexicon.get(match[0].lower())
        if said is not None:
            parts += [(text[start : match.start()], None), (match[0], said)]
            start = match.end()
    return [part for part in (*parts, (text[start:], None)) if part[0]]
