"""Text normalization: each kind of number, sign and short form in words."""

import re
import textwrap
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneleap.domains.speech.text.normalize import normalize, normalize_text
from oneleap.domains.speech.text.numbers import cardinal, digits, year
from oneleap.domains.speech.text.rules.units import UNITS

NUMBERS = {
    "21 apples": "twenty one apples",
    "1,234.5": "one thousand two hundred and thirty four point five",
    "-5": "minus five",
    "007": "zero zero seven",
    "in 1984 and 2005": "in nineteen eighty four and two thousand and five",
    "2000 people and 1500 votes": "two thousand people and one thousand five hundred votes",
    "21st, 22nd, 3RD, 1,000th": "twenty first, twenty second, third, one thousandth",
    "1" * 16: " ".join(["one"] * 16),
    "0.5 and .5": "zero point five and point five",
    "1 000 000 and 1.000.000": "one million and one million",
    "1,5 million": "one point five million",
    "2.5k, 5M users": "two point five thousand, five million users",
    "3.2e-5": "three point two times ten to the power of minus five",
    "10² and x³, 10⁶, 2^8": "ten squared and x cubed, ten to the power of six, two to the power of"
    " eight",
    "5 \u00d7 6 ≥ 3": "five times six at least three",
    "2 + 2 = 4, 3 * 4": "two plus two equals four, three times four",
    "20 +/- 3": "twenty plus or minus three",
    "#1 fan": "number one fan",
}
ROMAN = {
    "World War II": "World War two",
    "World War I began.": "World War one began.",
    "Henry VIII had wives": "Henry the eighth had wives",
    "Louis XIV's court": "Louis the fourteenth's court",
    "Pope John Paul II": "Pope John Paul the second",
    "Queen Elizabeth I was": "Queen Elizabeth the first was",
    "Chapter IV": "Chapter four",
    "chapter iv and section ii": "chapter four and section two",
    "Super Bowl LVIII, Rocky III": "Super Bowl fifty eight, Rocky three",
    "Vol. III of it": "Volume three of it",
    "the XIX century": "the nineteenth century",
    "Henry and I left, and I met Anna. I see": "Henry and I left, and I met Anna. I see",
    "When Charles I met left": "When Charles I met left",
    "Malcolm X, vitamin C": "Malcolm X, vitamin C",
    "the number i have is": "the number i have is",
    "IV fluids": "I V fluids",
    "He did it with MIX": "He did it with MIX",
}
FRACTIONS = {
    "1/2 cup": "one half cup",
    "2 1/2 cups": "two and one half cups",
    "3/4, 2/3, 5/8": "three quarters, two thirds, five eighths",
    "1½ cups, ¾ cup": "one and one half cups, three quarters cup",
    "1/100": "one hundredth",
    "the 2/3rds": "the two thirds",
    '10 1/4"': "ten and one quarter inches",
    "24/7 and 9/11": "twenty four seven and nine eleven",
    "50/50, 20/20": "fifty fifty, twenty twenty",
}
CODES = {
    "(555) 123-4567": "five five five, one two three, four five six seven",
    "555-123-4567": "five five five, one two three, four five six seven",
    "555-0199": "five five five, zero one nine nine",
    "+44 20 7946 0958": "plus four four, two zero, seven nine four six, zero nine five eight",
    "0800 123 456": "zero eight zero zero, one two three, four five six",
    "1-800-FLOWERS": "one, eight zero zero, flowers",
    "Beverly Hills, CA 90210.": "Beverly Hills, California nine zero two one zero.",
    "New York, NY 10001-1234": "New York, New York one zero zero zero one, one two three four",
    "Austin, TX, is hot": "Austin, Texas, is hot",
    "PIN 1234, flight 370": "PIN one two three four, flight three seven zero",
    "order #12345": "order one two three four five",
    "Call 911, now": "Call nine one one, now",
    "call 500 people": "call five hundred people",
    "SSN 123-45-6789": "S S N one two three, four five, six seven eight nine",
    "COVID-19, MP3, B12": "COVID nineteen, M P three, B twelve",
    "H2O, F-16, 4K, R2D2": "H two O, F sixteen, four K, R two D two",
}
RANGES = {
    "10-20": "ten to twenty",
    "5 - 3": "five minus three",
    "5 - 3 = 2": "five minus three equals two",
    "pages 10 - 20": "pages ten to twenty",
    "50 - 60 mph": "fifty to sixty miles per hour",
    "$100-$200": "one hundred to two hundred dollars",
    "$1-2 million": "one to two million dollars",
    "20-30 USD": "twenty to thirty U S dollars",
    "Oct-Dec, Mon-Fri": "October to December, Monday to Friday",
    "1990-1995": "nineteen ninety to nineteen ninety five",
    "1990-95, 2019–2021": "nineteen ninety to ninety five, twenty nineteen to twenty twenty one",
    "3.5%-4%": "three point five percent to four percent",
    "won 3-1": "won three to one",
    "3:1 odds, 16:9": "three to one odds, sixteen to nine",
    "a 10-year-old": "a ten-year-old",
    "9am-5pm": "nine A M to five P M",
}
MEASURES = {
    "60 km/h": "sixty kilometers per hour",
    "the unit km/h": "the unit kilometers per hour",
    "in kg": "in kilograms",
    "5 min, 5 m, 24h": "five minutes, five meters, twenty four hours",
    "3°C": "three degrees Celsius",
    "-5.2°C": "minus five point two degrees Celsius",
    "5'10\"": "five feet ten inches",
    "6' tall, a 12\" pizza": "six feet tall, a twelve inch pizza",
    'He said "in 12 days" once': 'He said "in twelve days" once',
    "10' x 12' room": "ten feet by twelve feet room",
    "1 km, 11 km, 1 mph": "one kilometer, eleven kilometers, one mile per hour",
    "20 m², 5 m/s": "twenty square meters, five meters per second",
    "5 in the morning": "five in the morning",
    "It is 5 in. It fits": "It is five inches. It fits",
    "a 5 km run": "a five kilometer run",
    "50% of 10 km": "fifty percent of ten kilometers",
    "3 GB, 2.4 GHz, 500 ml": "three gigabytes, two point four gigahertz, five hundred milliliters",
    "30s timeout": "thirty seconds timeout",
    "1920x1080, 3x faster": "nineteen twenty by one thousand and eighty, three times faster",
}
DATES = {
    "8 Dec 2024": "the eighth of December, twenty twenty four",
    "2024-12-08": "December eighth, twenty twenty four",
    "12/8/2024, 13/8/2024": "December eighth, twenty twenty four, August thirteenth, twenty twenty"
    " four",
    "08.12.2024": "December eighth, twenty twenty four",
    "Jan. 5, 1999": "January fifth, nineteen ninety nine",
    "the 4th of July, 1999": "the fourth of July, nineteen ninety nine",
    "The 3rd of May. On it": "The third of May. On it",
    "December 5-7": "December fifth to seventh",
    "On 12/25 we ate": "On December twenty fifth we ate",
    "Dec 2024, in Jan": "December twenty twenty four, in January",
    "Sat 5 Oct at 5pm": "Saturday the fifth of October at five P M",
    "2024-12-08T10:30:00Z": "December eighth, twenty twenty four at ten thirty",
    "They march 10 miles, on March 10": "They march ten miles, on March tenth",
    "5 may go": "five may go",
    "Dec. was cold": "December was cold",
    "10:05 a.m.": "ten oh five A M.",
    "at 12:00": "at twelve o'clock",
    "5 pm": "five P M",
    "14:30, John 3:16": "fourteen thirty, John three sixteen",
    "10:30:15": "ten thirty and fifteen seconds",
    "the '90s": "the nineties",
    "the 1990s, 1960s-70s": "the nineteen nineties, nineteen sixties to the seventies",
    "in her 30s, class of '99": "in her thirties, class of ninety nine",
}
SPELLED = {
    "M. A. R. I. A.": "M A R I A.",
    "AT&T, R&D, Q&A": "A T and T, R and D, Q and A",
    "PSI and FBI, not NASA": "P S I and F B I, not NASA",
    "UNESCO, NATO, HTML": "UNESCO, NATO, H T M L",
    "CEOs, the USA's": "C E O's, the U S A's",
    "the U.S.A. won": "the U S A won",
    "Ph.D., B.A. degree": "P H D, B A degree",
    "STOP THE CAR NOW": "STOP THE CAR NOW",
    "I said NO! It's VERY good.": "I said NO! It's VERY good.",
    "NASA AND THE FBI MET": "NASA AND THE F B I MET",
    "The US and IT teams": "The U S and I T teams",
    "I'm OK, it's TV time": "I'm okay, it's T V time",
    "mRNA": "M R N A",
    "J. R. R. Tolkien": "J R R Tolkien",
}
ADDRESSES = {
    "john.doe@example.com": "john dot doe at example dot com",
    "foo@bar.co.uk": "foo at bar dot co dot U K",
    "www.example.com": "example dot com",
    "https://example.com/docs/a-b?x=1.": "example dot com slash docs slash A dash B question mark"
    " X equals one.",
    "Visit example.org!": "Visit example dot org!",
    "192.168.0.1": "one nine two dot one six eight dot zero dot one",
    "127.0.0.1:8080": "one two seven dot zero dot zero dot one port eight zero eight zero",
    "report_v2.pdf": "report underscore V two dot P D F",
    "/usr/local/bin": "slash U S R slash local slash bin",
    "version 2.10.3, v1.2": "version two point ten point three, version one point two",
    "Python 3.11": "Python three point eleven",
    "#OneLeap, @jane_doe": "hashtag One Leap, at jane underscore doe",
    "C++ and C#": "C plus plus and C sharp",
    "and/or": "and slash or",
}
MONEY = {
    "$3.50, $1": "three dollars and fifty cents, one dollar",
    "£2.5 million": "two point five million pounds",
    "$0.01, $.50": "one cent, fifty cents",
    "10 €, 5 $, 25 ¢": "ten euros, five dollars, twenty five cents",
    "$2bn, $5k, €3m": "two billion dollars, five thousand dollars, three million euros",
    "EUR 3,50": "three euros and fifty cents",
    "€1.234,56": "one thousand two hundred and thirty four euros and fifty six cents",
    "₹500, ₹1,00,000": "five hundred rupees, one hundred thousand rupees",
    "¥1000, CHF 20, 50 kr": "one thousand yen, twenty Swiss francs, fifty kronor",
    "US$5, 500 USD": "five U S dollars, five hundred U S dollars",
    "a $5 bill, $5 in cash": "a five dollar bill, five dollars in cash",
    "-$5, $5/month": "minus five dollars, five dollars per month",
}
ABBREVIATIONS = {
    "Apples, pears, etc. The end.": "Apples, pears, et cetera. The end.",
    "cats, etc. and dogs": "cats, et cetera and dogs",
    "At 5 a.m. Monday we left": "At five A M Monday we left",
    "At 5 p.m. We left": "At five P M. We left",
    "Then 10:30 p.m. in town": "Then ten thirty P M in town",
    "Dr. Smith vs. Mr. Jones": "Doctor Smith versus Mister Jones",
    "St. John lives on Main St. He is old.": "Saint John lives on Main Street. He is old.",
    "12 Elm St. Apt. 4": "twelve Elm Street Apartment four",
    "No. 5, no. Never": "Number five, no. Never",
    "I said no. No. 5.": "I said no. Number five.",
    "Apple Inc. is big": "Apple Incorporated is big",
    "I work at Apple Inc. It is.": "I work at Apple Incorporated. It is.",
    "p. 5, pp. 3-7, Fig. 2": "page five, pages three to seven, Figure two",
    "Martin Luther King Jr. spoke": "Martin Luther King Junior spoke",
    "Washington, D.C. The rain": "Washington, D C. The rain",
    "the U.S. Army": "the U S Army",
    "e.g. this & that, i.e. it": "for example this and that, that is it",
    "Roe v. Wade": "Roe versus Wade",
    "approx. 20 people, w/o sugar": "approximately twenty people, without sugar",
    "Lt. Gov. J. Smith Sr. left": "Lieutenant Governor J Smith Senior left",
}
MARKS = {
    "“Quoted” – don’t": '"Quoted" — don\'t',
    "Wait... what?! -- yes": "Wait… what?! — yes",
    "press * to go": "press asterisk to go",
    "Hello **bold** and *it* with `code`": "Hello bold and it with code",
    "a [link](http://x.com) and ![alt](y.png)": "a link and alt",
    "# Title\nThe text\ngoes on.": "Title\n\nThe text goes on.",
    "- milk\n- eggs": "milk\n\neggs",
    "<b>Bold</b> words": "Bold words",
    "a trade ™\ufe0f mark": "a trade mark",
    "Hi 🙂☂ there 🙂.": "Hi there.",
    "one\ntwo\n\nthree": "one two\n\nthree",
}
KINDS = {
    "number": NUMBERS, "roman": ROMAN, "fraction": FRACTIONS, "code": CODES, "range": RANGES,
    "measure": MEASURES, "date": DATES, "spelled": SPELLED, "address": ADDRESSES, "money": MONEY,
    "abbreviation": ABBREVIATIONS, "mark": MARKS,
}  # fmt: skip
CASES = [(kind, text, said) for kind, table in KINDS.items() for text, said in table.items()]


@pytest.mark.parametrize(("kind", "text", "said"), CASES)
def test_text_in_words(kind: str, text: str, said: str) -> None:
    assert normalize(text) == said, kind


SIGNS = "0123456789 abIVXQ.,:;/-'\"$€₹%°#&@()[]*_\n½²🙂é–"


@given(st.text(alphabet=SIGNS, max_size=60))
def test_no_digit_is_left_and_words_stand_apart(text: str) -> None:
    said = normalize(text)
    assert not re.search(r"\d", said)
    assert not re.search(r"[ \t]{2}|^\s|\s$", said)
    assert "🙂" not in said


@settings(max_examples=25)
@given(st.dates(date(1100, 1, 1), date(2099, 12, 31)))
def test_a_date_is_read_alike_in_every_order(day: date) -> None:
    name = day.strftime("%B")
    said = normalize(f"{name} {day.day}, {day.year}")
    assert said.startswith(name)
    assert said.endswith(year(day.year))
    assert normalize(day.isoformat()) == said
    assert normalize(f"{day.month}/{day.day}/{day.year}") == said
    assert normalize(f"{day.day}/{day.month}/{day.year}", "en-gb") == said
    assert normalize(f"{day.day:02}.{day.month:02}.{day.year}") == said
    for month in (name, day.strftime("%b")):
        other = normalize(f"{day.day} {month} {day.year}")
        assert other.startswith("the ")
        assert other.endswith(f" of {name}, {year(day.year)}")


@settings(max_examples=25)
@given(st.integers(200, 999), st.integers(0, 999), st.integers(0, 9999))
def test_telephone_numbers_are_read_digit_by_digit(area: int, office: int, line: int) -> None:
    parts = (f"{area:03}", f"{office:03}", f"{line:04}")
    said = ", ".join(map(digits, parts))
    for form in ("({}) {}-{}", "{}-{}-{}", "{}.{}.{}", "{} {} {}"):
        assert normalize(f"Call {form.format(*parts)}.") == f"Call {said}."


@settings(max_examples=25)
@given(st.integers(1, 10**6), st.integers(0, 99))
def test_money_with_either_decimal_sign(whole: int, cents: int) -> None:
    american = f"{whole:,}.{cents:02}"
    european = american.translate(str.maketrans(",.", ".,"))
    said = normalize(f"€{american}")
    assert normalize(f"EUR {european}") == said
    assert normalize(f"{european} €") == said
    assert said.startswith(f"{cardinal(whole)} euro")


@settings(max_examples=25)
@given(st.integers(0, 999), st.integers(0, 999))
def test_ranges_of_numbers(a: int, b: int) -> None:
    assert normalize(f"{a}-{b} days") == f"{cardinal(a)} to {cardinal(b)} days"
    assert normalize(f"It is {a} - {b}.") == f"It is {cardinal(a)} minus {cardinal(b)}."


@pytest.mark.parametrize("unit", sorted(set(UNITS) - {"in", "J", "PSI"}))
def test_units_after_a_number(unit: str) -> None:
    one, many = UNITS[unit]
    assert normalize(f"It has 7 {unit}, or so") == f"It has seven {many}, or so"
    assert normalize(f"It has 1 {unit}, or so") == f"It has one {one}, or so"


WORDS = st.lists(st.from_regex(r"[a-z]{2,9}", fullmatch=True), min_size=8, max_size=60)


@settings(max_examples=25)
@given(WORDS, st.integers(20, 70))
def test_a_line_end_is_no_sentence_end(words: list[str], width: int) -> None:
    text = f"The {' '.join(words)}."
    assert normalize(textwrap.fill(text, width)) == normalize(text)
    assert normalize(f"{text}\n\n{text}") == f"{normalize(text)}\n\n{normalize(text)}"


def test_decades_and_years() -> None:
    for start in range(1920, 2000, 10):
        name = year(start)
        assert normalize(f"the {start}s") == f"the {name[:-1]}ies"
        assert normalize(f"in {start + 1}") == f"in {year(start + 1)}"
    day = date(2024, 1, 1) + timedelta(400)
    assert normalize(f"in {day.year}") == "in twenty twenty five"


def test_what_is_left_out_is_told_once() -> None:
    text = "Hi 🙂 **there** 猫 🙂, a [link](x) <b>b</b>"
    assert normalize_text(text).dropped == ("🙂", "猫", "[]()", "<>", "*")
    assert normalize_text("₿5 < ₽5, 5 € + 1½ ™").dropped == ()
    assert normalize_text("5 €", "de").dropped == ()


@pytest.mark.parametrize(
    ("language", "said"), [("de", "einundzwanzig"), ("fr-fr", "vingt et un"), ("xx", "21")]
)
def test_numbers_of_other_languages(language: str, said: str) -> None:
    pytest.importorskip("num2words")
    assert normalize("21", language).split() == said.split()


def test_the_day_comes_before_the_month_outside_america() -> None:
    assert normalize("3/4/2025", "en-gb") == "April third, twenty twenty five"
    assert normalize("13/14/2025") != ""  # not a date, but no error
