"""Extract sentences from texts, for ``spoken_corpus.py``: one per line, each once.

The examples of WordNet and the fortunes of Debian give about 27,000:

    apt-get install wordnet-base fortunes fortunes-min
    python examples/sentences.py /usr/share/{wordnet/data.,games/fortunes/}* > sentences.txt

A sentence that shares four words in a row with a Harvard sentence is left out, because
``oneleap evaluate`` tests voices on those.
"""

import argparse
import random
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

PLAIN = re.compile(r"[A-Z][a-zA-Z',;: -]+[.?!]")
"""Only letters and punctuation, so that there is one way to read the sentence."""


def candidates(path: Path) -> Iterator[str]:
    """Yield what may be sentences: quoted examples of WordNet, or other text between stops."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.name.startswith("data."):
        for example in re.findall(r'"([^"]+)"', text):
            stop = "" if example[-1] in "?!" else "."
            yield example[0].upper() + example[1:].rstrip(" .;,") + stop
    else:
        for paragraph in re.split(r"\n\s*\n|\n%\n", text):
            yield from re.split(r"(?<=[.?!])\s+", " ".join(paragraph.split()))


def word_runs(sentence: str) -> set[tuple[str, ...]]:
    """Return all runs of four words."""
    words = re.findall(r"[a-z']+", sentence.lower())
    return {tuple(words[i : i + 4]) for i in range(len(words) - 3)}


def main() -> None:
    """Print a random choice of the sentences found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path, nargs="+", help="text files or data files of WordNet")
    parser.add_argument("--limit", type=int, help="largest number of sentences (default: all)")
    parser.add_argument(
        "--words", type=int, nargs=2, default=(5, 16), help="least and most words (default: 5 16)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice")
    given = parser.parse_args()
    test = (files("oneleap.domains.speech.evaluation") / "harvard.txt").read_text(encoding="utf-8")
    excluded = set().union(*(word_runs(line) for line in test.splitlines()))
    least, most = given.words
    found = {
        text: None
        for path in given.texts
        if path.is_file() and path.suffix not in (".dat", ".u8")
        for text in candidates(path)
        if PLAIN.fullmatch(text) and least <= len(text.split()) <= most
    }
    kept = [text for text in found if not word_runs(text) & excluded]
    random.Random(given.seed).shuffle(kept)
    print("\n".join(kept[: given.limit]))


if __name__ == "__main__":
    main()
