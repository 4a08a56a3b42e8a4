"""Splitting of text: no word is lost, no part is too long."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneleap.domains.speech.text.normalize import normalize
from oneleap.domains.speech.text.sentences import split_sentences

WORDS = st.text(alphabet=st.characters(categories=("L", "N", "P", "S", "Z")), max_size=400)


@given(text=WORDS, longest=st.integers(10, 60))
def test_sentences_lose_no_word(text: str, longest: int) -> None:
    parts = split_sentences(text, longest)
    assert all(0 < len(part) <= longest or " " not in part for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@given(n=st.integers(1, 80), words=st.integers(1, 40))
def test_long_text_keeps_the_order_of_its_words(n: int, words: int) -> None:
    text = " ".join(f"word{i}{'.,;!'[i % 4] if i % words == 0 else ''}" for i in range(n))
    parts = split_sentences(text)
    assert re.findall(r"word\d+", " ".join(parts)) == [f"word{i}" for i in range(n)]
    assert all(len(part) <= 240 for part in parts)


def test_where_text_is_split() -> None:
    assert split_sentences("One. Two! Three? Four… five\nsix\n\nseven") == [
        "One.",
        "Two!",
        "Three?",
        "Four… five six",
        "seven",
    ]
    assert split_sentences('"What?" he said. "Really?" She left. Yahoo! is big.') == [
        '"What?" he said.',
        '"Really?"',
        "She left.",
        "Yahoo! is big.",
    ]
    assert split_sentences("pp. ten of it") == ["pp. ten of it"]
    assert split_sentences("aaa, bbb, ccc ddd", 9) == ["aaa, bbb,", "ccc ddd"]
    assert split_sentences("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert split_sentences(" \n ") == []
    assert split_sentences("a. b\nc", ipa=True) == ["a.", "b", "c"]


LONG = (
    "When the long winter of that year was finally over and the snow had melted from the roofs of "
    "the little houses by the river the people came out of their doors and looked at the sky which "
    "had turned from grey to a pale blue that nobody had seen for months and they began to talk"
)


@pytest.mark.parametrize("longest", [60, 90, 120, 200])
def test_a_long_sentence_is_cut_before_clauses_or_phrases(longest: int) -> None:
    parts = split_sentences(LONG, longest)
    assert len(parts) > 1
    before = r"(and|which|that|when|of|from|by|to|for|at)\b"
    assert all(re.match(before, part) for part in parts[1:])
    assert all(len(part) <= longest for part in parts)
    assert min(map(len, parts)) > 0.2 * longest


def test_marks_are_better_places_than_words() -> None:
    text = "He came with a friend of his; they sat down, and it was late in the day by then"
    assert split_sentences(text, 60)[0] == "He came with a friend of his;"
    assert split_sentences(text.replace(";", ""), 60)[0].endswith("they sat down,")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Dr. Smith met St. John vs. No. 5 on Main St. in town.", 1),
        ("He has cats, dogs, etc. The rest is mine.", 2),
        ("At 5 p.m. We left at 6 a.m. Monday.", 2),
        ("The U.S. Army and the U.K. The end.", 2),
        ("It is 3.5 km from e.g. www.example.com or v1.2.3 to it.", 1),
        ("J. R. R. Tolkien wrote it. I like it.", 2),
    ],
)
def test_abbreviations_and_the_ends_of_sentences(text: str, count: int) -> None:
    assert len(split_sentences(normalize(text))) == count
