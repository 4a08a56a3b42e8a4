"""The dictionary of an accent: one block of sorted lines, searched without being parsed."""

import gzip
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parent


class Dictionary:
    """Words and their phonemes.

    Lines are sorted by the bytes of their word, and a search takes about 17 looks at them. So
    loading takes the time to unpack the block only.

    Args:
        block: Lines of a word, a tab, its phonemes, and fields such as ``VERB=ɹəkˈɔɹd``.
    """

    def __init__(self, block: bytes) -> None:
        self._block = block

    def find(self, word: str) -> dict[str, str] | None:
        """Return the readings of a word as it is written, by part of speech, or ``None``.

        The reading ``DEFAULT`` is always there.
        """
        block, wanted = self._block, word.encode()
        low, high = 0, len(block)
        while low < high:
            start = block.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = block.find(b"\n", start)
            end = len(block) if end < 0 else end
            tab = block.find(b"\t", start, end)
            found = block[start:tab]
            if found == wanted:
                default, *others = block[tab + 1 : end].decode().split("\t")
                return {"DEFAULT": default, **dict(other.split("=", 1) for other in others)}
            if found < wanted:
                low = end + 1
            else:
                high = start
        return None

    def __contains__(self, word: str) -> bool:
        return self.find(word) is not None


@lru_cache(maxsize=2)
def load_dictionary(language: str) -> Dictionary:
    """Load the dictionary of ``en-us`` or ``en-gb``."""
    return Dictionary(gzip.decompress((FOLDER / f"{language}.dictionary.gz").read_bytes()))
