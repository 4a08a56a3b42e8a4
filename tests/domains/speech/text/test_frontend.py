"""The front end: text to phonetic sentences."""

import pytest

from oneleap.core.errors import InputError, Notice
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.symbols import SYMBOLS


def test_phonetic_text_is_not_converted() -> None:
    front_end = FrontEnd(ipa=True)
    assert front_end.phonetic_sentences("həlˈoʊ. gʊd") == ["həlˈoʊ.", "ɡʊd"]
    with pytest.raises(InputError, match="is no symbol of this model"):
        front_end.phonetic_sentences("hallöchen")


class TestEspeak:
    """Tests that need espeak-ng."""

    @pytest.fixture(autouse=True)
    def _needed(self) -> None:
        for name in ("num2words", "phonemizer", "espeakng_loader"):
            pytest.importorskip(name)

    def test_words_to_sounds(self) -> None:
        front_end = FrontEnd(lexicon={"tomato": "təmˈɑːtəʊ"})
        assert front_end.phonetic_sentences("Hello, world!") == ["həlˈoʊ, wˈɜːld!"]
        assert front_end.phonetic_sentences("A tomato.") == ["ɐ təmˈɑːtəʊ."]
        assert front_end.phonetic_sentences("Say [[tˈɛst]], please.") == ["sˈeɪ tˈɛst, plˈiːz."]
        assert front_end.phonetic_sentences("hi") == ["hˈaɪ"]

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
            FrontEnd().phonetic_sentences(text)

    def test_emoji_are_skipped_with_a_notice(self) -> None:
        with pytest.warns(Notice, match="text: cannot be read aloud and is skipped: 🙂 ☂"):
            assert FrontEnd().phonetic_sentences("Hi 🙂☂ there 🙂.") == ["hˈaɪ ðˈɛɹ."]

    def test_letters_of_other_scripts_are_skipped_with_a_notice(self) -> None:
        with pytest.warns(Notice, match="text: cannot be read aloud and is skipped: 猫 и"):
            assert FrontEnd().phonetic_sentences("Hi 猫 there и.") == ["hˈaɪ ðˈɛɹ."]
        with pytest.warns(Notice), pytest.raises(InputError, match="no word in 'Привет, мир'"):
            FrontEnd().phonetic_sentences("Привет, мир")
        assert FrontEnd().phonetic_sentences("A ﬁne café") == FrontEnd().phonetic_sentences(
            "A fine cafe\u0301"
        )
        assert FrontEnd().phonetic_sentences("A trade ™\ufe0f") == FrontEnd().phonetic_sentences(
            "A trade TM"
        )
        assert FrontEnd(language="ru").phonetic_sentences("мир") == ["mʲˈir"]

    def test_a_hundred_thousand_characters(self) -> None:
        text = "Seven quick foxes, 12 dogs and a bird met on 3/4/2025. " * 1_819
        assert len(text) > 100_000
        said = FrontEnd().phonetic_sentences(text)
        assert len(said) == 1_819
        assert len(set(said)) == 1

    def test_a_very_long_word_and_a_text_without_a_stop(self) -> None:
        for text in ("a" * 5_000, "word " * 1_000):
            said = FrontEnd().phonetic_sentences(text)
            assert all(len(part) < 1_500 for part in said)

    def test_an_unknown_language_is_rejected(self) -> None:
        with pytest.raises(InputError, match="language: espeak-ng has no 'en-uss'; did you mean"):
            FrontEnd("en-uss").phonetic_sentences("Hello")

    def test_every_symbol_of_espeak_is_known(self) -> None:
        text = "The quick brown fox jumps over lazy dogs; measure this church, young thing!"
        for language in ("en-us", "en-gb", "de", "es", "it", "fr-fr"):
            (said,) = FrontEnd(language).phonetic_sentences(text)
            assert set(said) <= set(SYMBOLS)
