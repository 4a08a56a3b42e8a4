"""The front end: text to phonetic sentences."""

import pytest

from oneleap.core.errors import InputError, Notice
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.symbols import KOKORO_SYMBOLS, SYMBOLS


def espeak(language: str = "en-us", **settings: object) -> FrontEnd:
    return FrontEnd(language, phonemizer="espeak", **settings)  # type: ignore[arg-type]


def test_phonetic_text_is_not_converted() -> None:
    front_end = espeak(ipa=True)
    assert front_end.phonetic_sentences("həlˈoʊ. gʊd") == ["həlˈoʊ.", "ɡʊd"]
    with pytest.raises(InputError, match="is no symbol of this model"):
        front_end.phonetic_sentences("hallöchen")
    assert FrontEnd(ipa=True).phonetic_sentences("həˈloʊ. gʊd") == ["həlˈO.", "ɡʊd"]


class TestEnglish:
    """Tests without espeak-ng."""

    def test_words_to_sounds(self) -> None:
        front_end = FrontEnd(lexicon={"tomato": "təˈmɑːtoʊ"})
        assert front_end.phonetic_sentences("Hello, world!") == ["həlˈO, wˈɜɹld!"]
        assert front_end.phonetic_sentences("A tomato.") == ["ɐ təmˈɑtO."]
        assert front_end.phonetic_sentences("Say [[təˈmɑːtoʊ]], please.") == ["sˈA təmˈɑtO, plˈiz."]
        assert FrontEnd("en-gb").phonetic_sentences("No water.") == ["nˈQ wˈɔːtə."]
        assert front_end.alphabet == KOKORO_SYMBOLS

    def test_languages_other_than_english_use_espeak(self) -> None:
        assert FrontEnd("de").converts_by == "espeak"
        assert FrontEnd("de").alphabet == SYMBOLS
        assert FrontEnd("en-gb").converts_by == "english"

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

    def test_emoji_and_markdown_are_skipped_with_one_notice(self) -> None:
        with pytest.warns(
            Notice, match="text: cannot be read aloud and is skipped: 🙂 ☂ \\*$"
        ) as w:
            assert FrontEnd().phonetic_sentences("Hi 🙂☂ **there** 🙂.") == ["hˈI ðˈɛɹ."]
        assert len(w) == 1

    def test_letters_of_other_scripts_are_skipped_with_a_notice(self) -> None:
        with pytest.warns(Notice, match="text: cannot be read aloud and is skipped: 猫 и"):
            assert FrontEnd().phonetic_sentences("Hi 猫 there и.") == ["hˈI ðˈɛɹ."]
        with pytest.warns(Notice), pytest.raises(InputError, match="no word in 'Привет, мир'"):
            FrontEnd().phonetic_sentences("Привет, мир")

    def test_ten_thousand_characters(self) -> None:
        text = "Seven quick foxes, 12 dogs and a bird met on 3/4/2025. " * 182
        assert len(text) > 10_000
        said = FrontEnd().phonetic_sentences(text)
        assert len(said) == 182
        assert len(set(said)) == 1

    def test_a_very_long_word_and_a_text_without_a_stop(self) -> None:
        for text in ("a" * 5_000, "word " * 1_000):
            said = FrontEnd().phonetic_sentences(text)
            assert all(len(part) < 1_500 for part in said)

    def test_the_text_in_words_is_shown_with_its_phonetic_pieces(self) -> None:
        prepared = FrontEnd().prepare("World War II.\n\nSay [[həˈloʊ]] \ue000 5 times.")
        assert prepared.shown == "World War two. Say [[həlˈO]] five times."


GOLDEN = {
    "Hello, world!": ["həlˈoʊ, wˈɜːld!"],
    "It's 21 apples, in 1984.": ["ɪts twˈɛnti wˈʌn ˈæpəlz, ɪn nˈaɪntiːn ˈeɪɾi fˈɔːɹ."],
    "He paid $3.50; she paid £2.": [
        "hiː pˈeɪd θɹˈiː dˈɑːlɚz ænd fˈɪfti sˈɛnts; ʃiː pˈeɪd tˈuː pˈaʊndz."
    ],
    "The U.S.A. won.": ["ðə jˈuː ˈɛs ˈeɪ wˈʌn."],
    "A tomato (red).": ["ɐ təmˈeɪɾoʊ, ɹˈɛd,."],
    "hi": ["hˈaɪ"],
}
"""What the voices that ship were trained on, from the front end of their time."""


class TestEspeak:
    """Tests that need espeak-ng."""

    @pytest.fixture(autouse=True)
    def _needed(self) -> None:
        for name in ("num2words", "phonemizer", "espeakng_loader"):
            pytest.importorskip(name)

    @pytest.mark.parametrize("text", GOLDEN)
    def test_shipped_voices_keep_their_phonemes(self, text: str) -> None:
        assert espeak().phonetic_sentences(text) == GOLDEN[text]

    def test_a_lexicon_and_phonetic_pieces(self) -> None:
        front_end = espeak(lexicon={"tomato": "təmˈɑːtəʊ"})
        assert front_end.phonetic_sentences("A tomato.") == ["ɐ təmˈɑːtəʊ."]
        assert front_end.phonetic_sentences("Say [[tˈɛst]], please.") == ["sˈeɪ tˈɛst, plˈiːz."]

    def test_letters_in_a_row_are_spelled(self) -> None:
        assert espeak().phonetic_sentences("the FBI") == ["ðɪ ˈɛf bˈiː ˈaɪ"]
        assert espeak().phonetic_sentences("the PBX") == ["ðə pˌiːbˌiːˈɛks"]

    def test_other_scripts_of_other_languages(self) -> None:
        assert FrontEnd(language="ru").phonetic_sentences("мир") == ["mʲˈir"]
        assert espeak().phonetic_sentences("A ﬁne café") == espeak().phonetic_sentences(
            "A fine cafe\u0301"
        )

    def test_an_unknown_language_is_rejected(self) -> None:
        with pytest.raises(InputError, match="language: espeak-ng has no 'en-uss'; did you mean"):
            FrontEnd("en-uss").phonetic_sentences("Hello")

    def test_every_symbol_of_espeak_is_known(self) -> None:
        text = "The quick brown fox jumps over lazy dogs; measure this church, young thing!"
        for language in ("en-us", "en-gb", "de", "es", "it", "fr-fr"):
            (said,) = espeak(language).phonetic_sentences(text)
            assert set(said) <= set(SYMBOLS)
