"""Single words: the dictionary, the alphabet, and the model of unknown words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneleap.domains.audio.english.dictionary import Dictionary, load_dictionary
from oneleap.domains.audio.english.letters import LetterModel
from oneleap.domains.audio.english.symbols import VOWELS, from_ipa, split_phonemes
from oneleap.domains.audio.english.words import Words, with_stress, without_primary
from oneleap.domains.speech.text.symbols import KOKORO_SYMBOLS


@given(st.dictionaries(st.text("abcXYZ'é-", min_size=1, max_size=5), st.text("ˈɑb", min_size=1)))
def test_every_word_of_a_dictionary_is_found(entries: dict[str, str]) -> None:
    lines = [f"{w}\t{entries[w]}" for w in sorted(entries, key=str.encode)]
    dictionary = Dictionary("\n".join(lines).encode())
    for word, said in entries.items():
        assert dictionary.find(word) == {"DEFAULT": said}
        assert word in dictionary
    assert "zzz" not in dictionary
    assert "" not in dictionary


def test_readings_by_part_of_speech() -> None:
    found = load_dictionary("en-us").find("record")
    assert found == {"DEFAULT": "ɹˈɛkəɹd", "VERB": "ɹəkˈɔɹd"}


@pytest.mark.parametrize("language", ["en-us", "en-gb"])
def test_unknown_words_have_one_stress_and_known_symbols(language: str) -> None:
    words = Words(language)
    for word in ("zorblatt", "flibbering", "quonking", "thripple", "Maureese", "brexiteering"):
        said = words.readings(word)["DEFAULT"]
        assert said.count("ˈ") == 1
        assert set(said) <= set(KOKORO_SYMBOLS)
    assert words.readings("zorblatt's")["DEFAULT"] == f"{words.readings('zorblatt')['DEFAULT']}s"


def test_the_letter_model_by_hand(tmp_path: Path) -> None:
    """A silent e at the end decides the vowel before it."""
    from oneleap.domains.audio.english.ngrams import train_letters

    vowels = {"ite": "ˈIt", "it": "ˈɪt", "ate": "ˈAt", "at": "ˈæt"}
    words = {c + end: c + said for c in "bksm" for end, said in vowels.items()}
    model = train_letters(words, 4, 0.0)
    assert {word: model.read(word) for word in words} == words
    model.save(tmp_path / "m.npz")
    again = LetterModel.load(tmp_path / "m.npz")
    assert again.units == model.units
    assert {word: again.read(word) for word in words} == words


def test_stress() -> None:
    assert with_stress("ænd", "ˌ") == "ˌænd"
    assert with_stress("ɹˌA", "ˈ") == "ɹˈA"
    assert with_stress("bˈɪt", "ˌ") == "bˈɪt"
    assert with_stress("s", "ˈ") == "s"
    assert without_primary("tˈɛnˌO") == "tˌɛnO"
    assert Words("en-us").spell("FBI") == "ˌɛfbˌiˈI"
    assert Words("en-gb").spell("Z") == "zˈɛd"


def test_ipa_in_our_alphabet() -> None:
    assert from_ipa("təˈmɑːtoʊ") == "təmˈɑtO"
    assert from_ipa("ˈtʃɜːtʃ") == "ʧˈɜɹʧ"
    assert from_ipa("ˈstɹɛŋθ") == "stɹˈɛŋθ"
    assert from_ipa("nəʊ", british=True) == "nQ"
    assert from_ipa("bɑːθ", british=True) == "bɑːθ"
    assert from_ipa("həlˈO wˈɜɹld") == "həlˈO wˈɜɹld"
    assert set(from_ipa("xçyøœɨʁɲʎʂɾʔ")) <= set(KOKORO_SYMBOLS)
    assert split_phonemes("həlˈO nˈiː") == ["h", "ə", "l", "ˈO", " ", "n", "ˈiː"]
    assert set(VOWELS) <= set(KOKORO_SYMBOLS)
