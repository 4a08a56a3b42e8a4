"""Sentences to evaluate voices on."""

from importlib.resources import files
from pathlib import Path

from oneleap.core.errors import InputError

HARVARD = "harvard.txt"
"""Six lists of the Harvard sentences (IEEE, 1969), phonetically balanced; in no training data."""


def read_sentences(path: Path | None) -> list[str]:
    """Read a file with one sentence per line, by default the Harvard sentences.

    Raises:
        InputError: If the file cannot be read or is empty.
    """
    if path is None:
        text = (files("oneleap.domains.speech.evaluation") / HARVARD).read_text(encoding="utf-8")
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
