"""Sentences of WordNet and of the fortunes, two collections that Debian packages."""

import re
from collections.abc import Iterator
from pathlib import Path

WORDNET = Path("/usr/share/wordnet")
"""Where Debian's package wordnet-base puts its files."""

FORTUNES = Path("/usr/share/games/fortunes")
"""Where Debian's packages fortunes and fortunes-min put their files."""

_PLAIN = re.compile(r"[A-Za-z0-9 ,.;:'!?-]+")
_UNLIKE_SPEECH = re.compile(r"[A-Z]{2,}|\b[A-Z]:|--")
_ENDED = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_UNSAID = ("ascii-art", "art", "translate-me", "perl", "songs-poems", "limerick", "zippy")
FEWEST, MOST = 4, 28
"""Words of the shortest and of the longest sentence."""


def as_sentence(text: str) -> str | None:
    """Text as a sentence with a capital and an end, or ``None`` if it is no plain sentence."""
    text = " ".join(text.split()).strip(" ;,")
    words = text.split()
    if (
        not FEWEST <= len(words) <= MOST
        or not _PLAIN.fullmatch(text)
        or _UNLIKE_SPEECH.search(text)
    ):
        return None
    if not any(c.islower() for c in text):
        return None
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def wordnet_sentences(folder: Path) -> Iterator[str]:
    """Examples of WordNet, and a third of its definitions, which have rare words.

    Copyright by Princeton University, under the WordNet license.

    Args:
        folder: Folder with ``data.noun`` and the like.
    """
    for name in ("noun", "verb", "adj", "adv"):
        lines = (folder / f"data.{name}").read_text(encoding="latin-1").splitlines()
        for number, line in enumerate(lines):
            for i, piece in enumerate(line.partition(" | ")[2].split('"')):
                if i % 2 == 0 and number % 3:
                    continue
                found = as_sentence(re.sub(r"\([^)]*\)", "", piece) if i % 2 == 0 else piece)
                if found is not None:
                    yield found


def fortune_sentences(folder: Path) -> Iterator[str]:
    """Sentences of the fortunes; verse, pictures and code are left out.

    Args:
        folder: Folder of fortune files.
    """
    for file in sorted(folder.iterdir()):
        if file.suffix or file.name in _UNSAID or not file.is_file():
            continue
        for saying in file.read_text(encoding="utf-8", errors="ignore").split("\n%\n"):
            said = re.split(r"\n\s*--", saying)[0]
            for piece in _ENDED.split(" ".join(said.split())):
                found = as_sentence(piece) if piece[-1:] in ".!?" else None
                if found is not None:
                    yield found
