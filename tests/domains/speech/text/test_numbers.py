"""Numbers in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneleap.domains.speech.text.numbers import cardinal, decade, number, ordinal, roman, year


@given(st.integers(0, 10**15 - 1))
def test_the_words_are_those_of_num2words(n: int) -> None:
    reference = pytest.importorskip("num2words").num2words

    def plain(kind: str) -> str:
        return str(reference(n, to=kind)).replace(",", "").replace("-", " ")

    assert cardinal(n) == plain("cardinal")
    assert ordinal(n) == plain("ordinal")
    if 1000 <= n < 3000:
        assert year(n) == plain("year")


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (1066, "ten sixty six"),
        (1900, "nineteen hundred"),
        (1905, "nineteen oh five"),
        (2000, "two thousand"),
        (2010, "twenty ten"),
    ],
)
def test_years(n: int, said: str) -> None:
    assert year(n) == said


def test_decades_and_written_numbers() -> None:
    assert decade(1990) == "nineteen nineties"
    assert decade(80) == "eighties"
    assert number("-1,234.05") == "minus one thousand two hundred and thirty four point zero five"
    assert number(".5") == "point five"
    assert number("007") == "zero zero seven"


@given(st.integers(1, 3999))
def test_roman_numerals(n: int) -> None:
    signs = ("M", 1000), ("CM", 900), ("D", 500), ("CD", 400), ("C", 100), ("XC", 90), ("L", 50)
    signs += ("XL", 40), ("X", 10), ("IX", 9), ("V", 5), ("IV", 4), ("I", 1)
    written, rest = "", n
    for sign, value in signs:
        written += sign * (rest // value)
        rest %= value
    assert roman(written) == roman(written.lower()) == n
    assert roman(f"{written}Z") is roman("IIX") is roman("") is None
