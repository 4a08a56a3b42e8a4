"""Text normalization: numbers, dates, money and signs in words."""

import pytest

EXAMPLES = {
    "21 apples": "twenty one apples",
    "1,234.5": "one thousand two hundred and thirty four point five",
    "-5": "minus five",
    "007": "zero zero seven",
    "in 1984 and 2005": "in nineteen eighty four and two thousand and five",
    "the 1990s": "the nineteen nineties",
    "21st": "twenty first",
    "$3.50, $1": "three dollars and fifty cents, one dollar",
    "£2.5 million": "two point five million pounds",
    "$0.01": "one cent",
    "3/4/2025": "march fourth, twenty twenty five",
    "2020-12-31": "december thirty first, twenty twenty",
    "Jan. 5, 1999": "january fifth, nineteen ninety nine",
    "10:05 a.m.": "ten oh five eigh em.",
    "at 12:00": "at twelve o'clock",
    "5 pm": "five pee em",
    "50% of 10 km": "fifty percent of ten kilometers",
    "-5.2°C": "minus five point two degrees celsius",
    "10-20": "ten to twenty",
    "555-0199": "five five five, zero one nine nine",
    "Dr. Smith, etc.": "doctor Smith, et cetera.",
    "St. John, No. 5, no. Never": "saint John, number five , no. Never",
    "e.g. this & that": "for example this and that",
    "the U.S.A. won": "the U S eigh won",
    "www.example.com": "example dot com",
    "and/or": "and slash or",
    "“Quoted” – don’t": '"Quoted" — don\'t',
    "1" * 16: " ".join(["one"] * 16),
    "1½ cups, ¾ cup": "one and one half cups, three quarters cup",
    "10² and x³": "ten squared and x cubed",
    "10 €, 5 $, 25 ¢": "ten euros, five dollars, twenty five cents",
    "$2bn": "two billion dollars",
    "5 \u00d7 6 ≥ 3": "five times six at least three",
    "5 - 3 = 2": "five minus three equals two",
    "They march 10 miles, on March 10": "They march ten miles, on March tenth",
    "1 km, 11 km, 1 mph": "one kilometer, eleven kilometers, one mile per hour",
    "J. R. R. Tolkien": "J R R Tolkien",
    "5pm. Then 10:30 p.m. in town": "five pee em. Then ten thirty pee em in town",
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_text_in_words(text: str) -> None:
    pytest.importorskip("num2words")
    from oneleap.domains.speech.text.normalize import normalize

    assert normalize(text) == EXAMPLES[text]


@pytest.mark.parametrize(
    ("text", "language", "skipped"),
    [("₹500 < ₽5", "en-us", "₹<₽"), ("5 € + 1½", "en-us", ""), ("5 €", "de", "€")],
)
def test_skipped_characters(text: str, language: str, skipped: str) -> None:
    pytest.importorskip("num2words")
    from oneleap.domains.speech.text.normalize import skipped_characters

    assert skipped_characters(text, language) == skipped


@pytest.mark.parametrize(
    ("language", "said"), [("de", "einundzwanzig"), ("fr-fr", "vingt et un"), ("xx", "21")]
)
def test_numbers_of_other_languages(language: str, said: str) -> None:
    pytest.importorskip("num2words")
    from oneleap.domains.speech.text.normalize import normalize

    assert normalize("21", language).split() == said.split()


def test_the_day_comes_before_the_month_outside_america() -> None:
    pytest.importorskip("num2words")
    from oneleap.domains.speech.text.normalize import normalize

    assert normalize("3/4/2025", "en-gb") == "april third, twenty twenty five"
    assert normalize("13/14/2025") != ""  # not a date, but no error
