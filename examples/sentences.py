"""Sentences to be spoken, from any texts: one a line, each once, none of a test's.

For ``spoken_corpus.py``. WordNet's examples and Debian's fortunes make some 27,000:

    apt-get install wordnet-base fortunes fortunes-min
    python examples/sentences.py /usr/share/{wordnet/data.,games/fortunes/}* > sentences.txt

A sentence that has four words in a row in common with one of the tests' is left out.
"""

import argparse
import random
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

PLAIN = re.compile(r"[A-Z][a-zA-Z',;: -]+[.?!]")
"""Letters and pauses alone: nothing that two readers would say in two ways."""


def pieces(path: Path) -> Iterator[str]:
    """What may be a sentence: WordNet's examples stand in quotes, other texts part at stops."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.name.startswith("data."):
        for example in re.findall(r'"([^"]+)"', text):
            stop = "" if example[-1] in "?!" else "."
            yield example[0].upper() + example[1:].rstrip(" .;,") + stop
    else:
        for paragraph in re.split(r"\n\s*\n|\n%\n", text):
            yield from re.split(r"(?<=[.?!])\s+", " ".join(paragraph.split()))


def runs(sentence: str) -> set[tuple[str, ...]]:
    """All four words in a row."""
    words = re.findall(r"[a-z']+", sentence.lower())
    return {tuple(words[i : i + 4]) for i in range(len(words) - 3)}


def main() -> None:
    """Print a random choice of all sentences found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path, nargs="+", help="text files, or WordNet's data files")
    parser.add_argument("--most", type=int, help="sentences (all)")
    parser.add_argument("--words", type=int, nargs=2, default=(5, 16), help="bounds (5 16)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice")
    given = parser.parse_args()
    test = (files("oneleap.domains.speech") / "harvard.txt").read_text(encoding="utf-8")
    taboo = set().union(*(runs(line) for line in test.splitlines()))
    least, most = given.words
    found = {
        piece: None
        for path in given.texts
        if path.is_file() and path.suffix not in (".dat", ".u8")
        for piece in pieces(path)
        if PLAIN.fullmatch(piece) and least <= len(piece.split()) <= most
    }
    kept = [piece for piece in found if not runs(piece) & taboo]
    random.Random(given.seed).shuffle(kept)
    print("\n".join(kept[: given.most]))


if __name__ == "__main__":
    main()
