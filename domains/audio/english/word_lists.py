"""Lists of words that rules use, from the file ``words.txt``."""

from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def _lists() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    text = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8")
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        if lines:
            name, _, words = " ".join(lines).partition(":")
            found[name.strip()] = frozenset(words.split())
    return found


def word_list(name: str) -> frozenset[str]:
    """Return a list of words by its name in ``words.txt``."""
    return _lists()[name]
