"""The alphabet and its token ids."""

import pytest

from oneleap.core.errors import InputError
from oneleap.domains.speech.text.symbols import (
    SYMBOLS,
    canonical_ipa,
    check_symbols,
    has_sound,
    token_ids,
)


def test_symbols_are_unique_and_have_one_spelling() -> None:
    assert len(set(SYMBOLS)) == len(SYMBOLS)
    assert canonical_ipa(" ɡo  ç ɑ̃ t͡s") == "ɡo ç ɑ̃ ts"
    assert canonical_ipa("g") == "ɡ"
    assert has_sound("a")
    assert not has_sound(" ,ˈ.")
    assert token_ids("ab", SYMBOLS) == [1, SYMBOLS.index("a"), SYMBOLS.index("b"), 2]


def test_a_stressed_vowel_is_one_symbol_if_the_model_knows_it() -> None:
    said = [SYMBOLS[i] for i in token_ids("hɐlˈoʊ ˌn̩", SYMBOLS)]
    assert said == ["^", "h", "ɐ", "l", "ˈo", "ʊ", " ", "ˌ", "n", "̩", "$"]
    old = tuple(symbol for symbol in SYMBOLS if len(symbol) == 1)
    assert [old[i] for i in token_ids("lˈoж", old)] == ["^", "l", "ˈ", "o", "$"]


def test_an_unknown_symbol_is_named() -> None:
    check_symbols("ˈæpəl.", SYMBOLS, "here")
    with pytest.raises(InputError, match=r"^here: 'ж' \(CYRILLIC SMALL LETTER ZHE, character 2\)"):
        check_symbols("aж", SYMBOLS, "here")
