"""The order of texts that a teacher speaks, free of the sentences that voices are tested on."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from oneleap.domains.speech.synthetic.corpora import fortune_sentences, wordnet_sentences
from oneleap.domains.speech.synthetic.phrases import (
    grammar_sentence,
    number_phrase,
    question,
    short_phrase,
)

SHARED_WORDS = 4
"""A text that shares so many words in a row with a test sentence is left out."""

SHARES = {"sentence": 0.82, "paragraph": 0.08, "number": 0.04, "question": 0.03, "short": 0.03}
"""Share of each kind of text."""

LONGEST_PARAGRAPH = 220
"""Characters of the longest paragraph of two or three sentences."""


def word_runs(text: str) -> set[tuple[str, ...]]:
    """All runs of four words of a text, in lower case and without punctuation."""
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {tuple(words[i : i + SHARED_WORDS]) for i in range(len(words) - SHARED_WORDS + 1)}


class SentenceSource:
    """Texts to speak; text ``k`` is a function of the seed and ``k``.

    Args:
        wordnet: Folder of WordNet, or ``None``.
        fortunes: Folder of fortunes, or ``None``. Without both, a small grammar makes the
            sentences.
        held_out: Test sentences; no text shares four words in a row with one of them.
        seed: Seed of order and choice.
    """

    def __init__(
        self, wordnet: Path | None, fortunes: Path | None, held_out: Sequence[str], seed: int
    ) -> None:
        self.seed = seed
        self.forbidden = {run for text in held_out for run in word_runs(text)}
        found = dict[str, None]()
        for folder, read in ((wordnet, wordnet_sentences), (fortunes, fortune_sentences)):
            if folder is not None:
                found |= dict.fromkeys(text for text in read(folder) if self.allowed(text))
        self.sentences = list(found)
        self.order = np.random.default_rng(seed).permutation(len(self.sentences))

    def allowed(self, text: str) -> bool:
        """Return whether a text shares no run of words with a test sentence."""
        return self.forbidden.isdisjoint(word_runs(text))

    def __call__(self, k: int) -> str:
        """Text ``k``."""
        rng = np.random.default_rng((self.seed, k))
        kinds: dict[str, Callable[[], str]] = {
            "sentence": lambda: self._sentence(rng, k),
            "paragraph": lambda: self._paragraph(rng, k),
            "number": lambda: number_phrase(rng),
            "question": lambda: question(rng),
            "short": lambda: short_phrase(rng),
        }
        kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
        while True:
            text = kinds[kind]()
            if self.allowed(text):
                return text

    def _sentence(self, rng: np.random.Generator, k: int) -> str:
        if not self.sentences:
            return grammar_sentence(rng)
        return self.sentences[int(self.order[k % len(self.order)])]

    def _paragraph(self, rng: np.random.Generator, k: int) -> str:
        text = self._sentence(rng, k)
        for _ in range(2):
            more = self._sentence(rng, int(rng.integers(2**31)))
            if len(text) + 1 + len(more) <= LONGEST_PARAGRAPH:
                text = f"{text} {more}"
        return text


def texts(source: SentenceSource, first: int = 0) -> Iterator[tuple[int, str]]:
    """Numbered texts from a number on, without end."""
    k = first
    while True:
        yield k, source(k)
        k += 1
