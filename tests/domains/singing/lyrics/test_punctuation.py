"""Lyrics without their punctuation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneleap.domains.singing.lyrics.punctuation import Lyric, clean_lyric


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("さ", Lyric("さ")),
        ("さ、", Lyric("さ")),
        ("さ。", Lyric("さ", breath=True)),
        ("さ。」", Lyric("さ", breath=True)),
        ("「さ", Lyric("さ")),
        ("ra!", Lyric("ra", breath=True)),
        ("ra?!", Lyric("ra", breath=True)),
        ("ra\uff1f", Lyric("ra", breath=True)),
        ("ra;", Lyric("ra", breath=True)),
        ("ra,", Lyric("ra")),
        ("ra:", Lyric("ra")),
        ("ra…", Lyric("ra", breath=True)),
        ("...", Lyric("")),
        ("“ra”", Lyric("ra")),
        ("'ra'", Lyric("ra")),
        ("don't", Lyric("don't")),
        ("don’t", Lyric("don't")),
        ("be-", Lyric("be", hyphen=True)),
        ("be=", Lyric("be", hyphen=True)),
        ("-gin", Lyric("gin")),
        ("ma_a", Lyric("ma a")),
        ("ra_", Lyric("ra")),
        ("1. ra", Lyric("ra")),
        ("12) ra", Lyric("ra")),
        ("3.", Lyric("3", breath=True)),
        ("らー", Lyric("らー")),
        ("♪ ra ♪", Lyric("ra")),
        ("(ra)", Lyric("ra")),
        ("か\u3000あ", Lyric("か あ")),
        ("ra\x00\x01", Lyric("ra")),
    ],
)
def test_lyrics(raw: str, expected: Lyric) -> None:
    assert clean_lyric(raw) == expected


@given(st.text(max_size=12))
def test_a_clean_lyric_stays_as_it_is(raw: str) -> None:
    once = clean_lyric(raw).text
    if not once[:1].isdigit():  # the number of a verse may stand before another one
        assert clean_lyric(once).text == once
    assert once == once.strip()
    assert not set(once) & set('"「」。、!?')
