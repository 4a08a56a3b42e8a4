"""Text as it is read out: numbers in words, sentences whole, no word lost."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError, Notice
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.lexicon import known_parts, read_lexicon
from oneleap.domains.speech.text.sentences import sentences
from oneleap.domains.speech.text.symbols import SYMBOLS, canonical, ids, is_said, refuse_unknown

READ_OUT = {
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


@pytest.mark.parametrize("text", READ_OUT)
def test_text_in_words(text: str) -> None:
    pytest.importorskip("num2words")
    from oneleap.domains.speech.text.normalise import normalise

    assert normalise(text) == READ_OUT[text]


@pytest.mark.parametrize(
    ("text", "language", "lost"),
    [("₹500 < ₽5", "en-us", "₹<₽"), ("5 € + 1½", "en-us", ""), ("5 €", "de", "€")],
)
def test_signs_that_nobody_reads_are_named(text: str, language: str, lost: str) -> None:
    pytest.importorskip("num2words")
    from oneleap.domains.speech.text.normalise import dropped

    assert dropped(text, language) == lost


@pytest.mark.parametrize(
    ("language", "said"), [("de", "einundzwanzig"), ("fr-fr", "vingt et un"), ("xx", "21")]
)
def test_numbers_of_other_languages(language: str, said: str) -> None:
    pytest.importorskip("num2words")
    from oneleap.domains.speech.text.normalise import normalise

    assert normalise("21", language).split() == said.split()


def test_the_day_comes_first_elsewhere_than_in_america() -> None:
    pytest.importorskip("num2words")
    from oneleap.domains.speech.text.normalise import normalise

    assert normalise("3/4/2025", "en-gb") == "april third, twenty twenty five"
    assert normalise("13/14/2025") != ""  # no date at all, but no error


WORDS = st.text(alphabet=st.characters(categories=("L", "N", "P", "S", "Z")), max_size=400)


@given(text=WORDS, longest=st.integers(10, 60))
def test_sentences_lose_no_word(text: str, longest: int) -> None:
    parts = sentences(text, longest)
    assert all(0 < len(part) <= longest or " " not in part for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


@given(n=st.integers(1, 80), words=st.integers(1, 40))
def test_long_text_keeps_the_order_of_its_words(n: int, words: int) -> None:
    text = " ".join(f"word{i}{'.,;!'[i % 4] if i % words == 0 else ''}" for i in range(n))
    parts = sentences(text)
    assert re.findall(r"word\d+", " ".join(parts)) == [f"word{i}" for i in range(n)]
    assert all(len(part) <= 240 for part in parts)


def test_where_it_is_cut() -> None:
    assert sentences("One. Two! Three? Four… five\nsix") == [
        "One.",
        "Two!",
        "Three?",
        "Four… five",
        "six",
    ]
    assert sentences("pp. ten of it") == ["pp. ten of it"]
    assert sentences("aaa, bbb, ccc ddd", 9) == ["aaa, bbb,", "ccc ddd"]
    assert sentences("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
    assert sentences(" \n ") == []


def test_symbols_are_one_each_and_written_one_way() -> None:
    assert len(set(SYMBOLS)) == len(SYMBOLS)
    assert canonical(" ɡo  ç ɑ̃ t͡s") == "ɡo ç ɑ̃ ts"
    assert canonical("g") == "ɡ"
    assert is_said("a")
    assert not is_said(" ,ˈ.")
    assert ids("ab", SYMBOLS) == [1, SYMBOLS.index("a"), SYMBOLS.index("b"), 2]


def test_a_stressed_vowel_is_one_symbol_if_the_model_knows_it() -> None:
    said = [SYMBOLS[i] for i in ids("hɐlˈoʊ ˌn̩", SYMBOLS)]
    assert said == ["^", "h", "ɐ", "l", "ˈo", "ʊ", " ", "ˌ", "n", "̩", "$"]
    old = tuple(symbol for symbol in SYMBOLS if len(symbol) == 1)
    assert [old[i] for i in ids("lˈoж", old)] == ["^", "l", "ˈ", "o", "$"]


def test_an_unknown_symbol_is_named() -> None:
    refuse_unknown("ˈæpəl.", SYMBOLS, "here")
    with pytest.raises(InputError, match=r"^here: 'ж' \(CYRILLIC SMALL LETTER ZHE, place 2\)"):
        refuse_unknown("aж", SYMBOLS, "here")


def test_a_lexicon(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("# mine\nTomato\ttəˈmɑːtoʊ\n\ncan't\tkɑːnt\n", encoding="utf-8")
    lexicon = read_lexicon(path, SYMBOLS)
    assert lexicon == {"tomato": "təˈmɑːtoʊ", "can't": "kɑːnt"}
    assert known_parts("A TOMATO can't.", lexicon) == [
        ("A ", None),
        ("TOMATO", "təˈmɑːtoʊ"),
        (" ", None),
        ("can't", "kɑːnt"),
        (".", None),
    ]
    assert known_parts("tomatoes", lexicon) == [("tomatoes", None)]


@pytest.mark.parametrize(
    ("line", "message"),
    [("tomato", "line 1: a word, a tab"), ("a\t.", "line 1: a word"), ("a\taж", "is no symbol")],
)
def test_a_bad_lexicon_is_told_by_its_line(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "l.tsv").write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_lexicon(tmp_path / "l.tsv", SYMBOLS)
    with pytest.raises(InputError, match="cannot be read"):
        read_lexicon(tmp_path / "none", SYMBOLS)


def test_phonetic_text_is_taken_as_it_is() -> None:
    reader = FrontEnd(ipa=True)
    assert reader.sentences("həlˈoʊ. gʊd") == ["həlˈoʊ.", "ɡʊd"]
    with pytest.raises(InputError, match="is no symbol of this model"):
        reader.sentences("hallöchen")


class TestEspeak:
    """What needs espeak-ng."""

    @pytest.fixture(autouse=True)
    def _needed(self) -> None:
        for name in ("num2words", "phonemizer", "espeakng_loader"):
            pytest.importorskip(name)

    def test_words_to_sounds(self) -> None:
        reader = FrontEnd(lexicon={"tomato": "təmˈɑːtəʊ"})
        assert reader.sentences("Hello, world!") == ["həlˈoʊ, wˈɜːld!"]
        assert reader.sentences("A tomato.") == ["ɐ təmˈɑːtəʊ."]
        assert reader.sentences("Say [[tˈɛst]], please.") == ["sˈeɪ tˈɛst, plˈiːz."]
        assert reader.sentences("hi") == ["hˈaɪ"]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "nothing to say: it is empty"),
            (" \n\t ", "nothing to say: it is empty"),
            ("?!... --", "there is no word in '\\?!... --'"),
            ("[[ж]]", "is no symbol"),
        ],
    )
    def test_nothing_to_say(self, text: str, message: str) -> None:
        with pytest.raises(InputError, match=message):
            FrontEnd().sentences(text)

    def test_pictographs_are_not_read_out_and_that_is_said(self) -> None:
        with pytest.warns(Notice, match="text: not read out: 🙂 ☂"):
            assert FrontEnd().sentences("Hi 🙂☂ there 🙂.") == ["hˈaɪ ðˈɛɹ."]

    def test_other_scripts_are_not_named_letter_by_letter(self) -> None:
        with pytest.warns(Notice, match="text: not read out: 猫 и"):
            assert FrontEnd().sentences("Hi 猫 there и.") == ["hˈaɪ ðˈɛɹ."]
        with pytest.warns(Notice), pytest.raises(InputError, match="no word in 'Привет, мир'"):
            FrontEnd().sentences("Привет, мир")
        assert FrontEnd().sentences("A ﬁne café") == FrontEnd().sentences("A fine cafe\u0301")
        assert FrontEnd().sentences("A trade ™\ufe0f") == FrontEnd().sentences("A trade TM")
        assert FrontEnd(language="ru").sentences("мир") == ["mʲˈir"]

    def test_a_hundred_thousand_characters(self) -> None:
        text = "Seven quick foxes, 12 dogs and a bird met on 3/4/2025. " * 1_819
        assert len(text) > 100_000
        said = FrontEnd().sentences(text)
        assert len(said) == 1_819
        assert len(set(said)) == 1

    def test_a_word_without_end_and_a_text_without_stop(self) -> None:
        for text in ("a" * 5_000, "word " * 1_000):
            said = FrontEnd().sentences(text)
            assert all(len(part) < 1_500 for part in said)

    def test_a_language_that_is_none(self) -> None:
        with pytest.raises(InputError, match="language: espeak-ng has no 'en-uss'; did you mean"):
            FrontEnd("en-uss").sentences("Hello")

    def test_every_symbol_of_espeak_is_known(self) -> None:
        text = "The quick brown fox jumps over lazy dogs; measure this church, young thing!"
        for language in ("en-us", "en-gb", "de", "es", "it", "fr-fr"):
            (said,) = FrontEnd(language).sentences(text)
            assert set(said) <= set(SYMBOLS)
