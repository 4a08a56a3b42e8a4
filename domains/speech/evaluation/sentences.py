"""Sentences to evaluate voices on."""

from importlib.resources import files
from pathlib import Path

from oneleap.core.errors import InputError

HARVARD = "harvard.txt"
"""Lists 1 to 8 of the Harvard sentences (IEEE, 1969), phonetically balanced."""

EVERYDAY, WORDS, PASSAGE = "everyday.txt", "words.txt", "passage.txt"
"""A hundred sentences of plain prose, thirty single words, and two minutes of a story."""


def packaged_text(name: str) -> str:
    """Return the contents of one of the files above."""
    return (files("oneleap.domains.speech.evaluation") / name).read_text(encoding="utf-8")


def read_sentences(path: Path | None) -> list[str]:
    """Read a file with one sentence per line, by default the Harvard sentences.

    Raises:
        InputError: If the file cannot be read or is empty.
    """
    if path is None:
        text = packaged_text(HARVARD)
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise InputError(f"sentences: {path} cannot be read ({reason})") from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise InputError(f"sentences: {path}: nothing to say: it is empty")
    return found
