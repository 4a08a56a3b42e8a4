"""Splitting of text: no word is lost, no part is too long."""

import re

from hypothesis import given
from hypothesis import strategies as st

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
    assert split_sentences("One. Two! Three? Four… five\nsix") == [
        "One.",
        "Two!",
        "Three?",
        "Four… five",
        "six",
    ]
    assert split_sentences("pp. ten of it") == ["pp. ten of it"]
    assert split_sentences("aaa, bbb, ccc ddd", 9) == ["aaa, bbb,", "ccc ddd"]
    assert split_sentences("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert split_sentences(" \n ") == []
