"""Texts for teachers: what counts as a sentence, and none of a test."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oneleap.domains.speech.synthetic.corpora import (
    as_sentence,
    fortune_sentences,
    wordnet_sentences,
)
from oneleap.domains.speech.synthetic.phrases import (
    grammar_sentence,
    number_phrase,
    question,
    short_phrase,
)
from oneleap.domains.speech.synthetic.sentences import SentenceSource, word_runs

WORDNET = """00001740 03 n 01 entity 0 000 | that which is known to have its own existence
00001930 03 n 01 dog 0 000 | a pet; "the dog barked all night"; "Dogs!"; "the NATO dog barks"
00002137 03 n 01 cat 0 000 | a small pet that catches mice
"""

FORTUNES = """A short one.
%
He said that nothing would
happen now.  Then it did happen at once!
\t\t-- Somebody, in a book of this name
%
Q: How many of them does it take?
"""


@pytest.fixture
def corpora(tmp_path: Path) -> tuple[Path, Path]:
    wordnet, fortunes = tmp_path / "wordnet", tmp_path / "fortunes"
    wordnet.mkdir()
    fortunes.mkdir()
    for name in ("noun", "verb", "adj", "adv"):
        (wordnet / f"data.{name}").write_text(WORDNET if name == "noun" else "")
    (fortunes / "wisdom").write_text(FORTUNES)
    (fortunes / "wisdom.dat").write_bytes(b"\x00")
    (fortunes / "ascii-art").write_text("This is a picture of nothing.")
    return wordnet, fortunes


def test_sentences_of_the_corpora(corpora: tuple[Path, Path]) -> None:
    wordnet, fortunes = corpora
    # Every third definition, and all examples that are plain sentences.
    assert list(wordnet_sentences(wordnet)) == [
        "That which is known to have its own existence.",
        "The dog barked all night.",
    ]
    assert list(fortune_sentences(fortunes)) == [
        "He said that nothing would happen now.",
        "Then it did happen at once!",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a plain  text of\nwords;", "A plain text of words."),
        ("Is it really one?", "Is it really one?"),
        ("only three words", None),
        ("a path of /usr/share here", None),
        ("the NATO bark was loud", None),
        ("one two -- three four", None),
        (" ".join(["word"] * 29), None),
    ],
)
def test_what_counts_as_a_sentence(text: str, sentence: str | None) -> None:
    assert as_sentence(text) == sentence


def test_no_text_shares_four_words_in_a_row_with_a_test_sentence(
    corpora: tuple[Path, Path],
) -> None:
    held_out = ["Yes, the DOG barked, all night long."]
    source = SentenceSource(*corpora, held_out, seed=0)
    assert "The dog barked all night." not in source.sentences
    assert len(source.sentences) == 3
    assert not source.allowed("Now the dog, barked all.")
    assert source.allowed("The dog barked at all.")
    assert word_runs("a b c") == set()
    # Words of the small grammar are avoided as well.
    seen = {SentenceSource(None, None, [], 0)(k) for k in range(60)}
    strict = SentenceSource(None, None, sorted(seen), 0)
    runs = {run for text in seen for run in word_runs(text)}
    assert all(runs.isdisjoint(word_runs(strict(k))) for k in range(60))


def test_texts_are_a_function_of_seed_and_number(corpora: tuple[Path, Path]) -> None:
    a, b = (SentenceSource(*corpora, [], seed=1) for _ in range(2))
    assert [a(k) for k in range(40)] == [b(k) for k in reversed(range(40))][::-1]
    other = SentenceSource(*corpora, [], seed=2)
    assert [a(k) for k in range(40)] != [other(k) for k in range(40)]


@pytest.mark.parametrize("make", [grammar_sentence, question, number_phrase, short_phrase])
def test_generated_phrases_are_texts(make: Callable[[np.random.Generator], str]) -> None:
    texts = {make(np.random.default_rng(k)) for k in range(200)}
    assert len(texts) > 100
    assert all(text[0].isupper() or text[0].isdigit() for text in texts)
    assert all(text[-1] in ".!?" and "  " not in text and "|" not in text for text in texts)
    if make is question:
        assert all(text.endswith("?") for text in texts)
