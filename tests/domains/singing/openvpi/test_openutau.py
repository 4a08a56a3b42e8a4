"""OpenUtau's files of a singer, by the rules of OpenUtau's loader."""

from pathlib import Path

import pytest
import yaml
from support.scores.openutau import check_dictionary

from oneleap.domains.singing.lyrics.phonemizer import JAPANESE_PHONEMES, Phonemizer, read_dictionary
from oneleap.domains.singing.openvpi.openutau import character_txt, character_yaml, dictionary


def tokens(phonemes: tuple[str, ...]) -> dict[str, int]:
    return {"<PAD>": 0} | {p: i for i, p in enumerate(phonemes, 1)}


def test_the_dictionary_of_a_japanese_singer() -> None:
    values = yaml.safe_load(yaml.safe_dump(dictionary(JAPANESE_PHONEMES), allow_unicode=True))
    found = check_dictionary(values, tokens(JAPANESE_PHONEMES))
    for lyric in ("きゃ", "キャ", "kya", "ん", "っ", "no", "on", "n", "SP"):
        if lyric in found:
            assert found[lyric] == list(Phonemizer().phonemes(lyric))
    assert {"きゃ", "キャ", "kya", "no", "yo", "AP"} <= set(found)


def test_a_singer_with_few_phonemes_and_with_those_of_a_language() -> None:
    few = ("SP", "AP", "a", "k")
    assert set(check_dictionary(dictionary(few), tokens(few))) >= {"か", "カ", "ka", "あ"}
    assert "き" not in check_dictionary(dictionary(few), tokens(few))
    tagged = ("SP", "AP", "ja/a", "ja/k")
    found = check_dictionary(dictionary(tagged), tokens(tagged))
    assert found["か"] == ["ja/k", "ja/a"]


def test_another_language(tmp_path: Path) -> None:
    (tmp_path / "en.txt").write_text("kat\tk ae t\nno\tn ow\n")
    (tmp_path / "en.vowels.txt").write_text("ae\now\n")
    phonemes = ("SP", "AP", "ae", "k", "n", "ow", "t")
    values = dictionary(phonemes, read_dictionary(tmp_path / "en.txt"))
    found = check_dictionary(yaml.safe_load(yaml.safe_dump(values)), tokens(phonemes))
    assert found["kat"] == ["k", "ae", "t"]
    assert found["no"] == ["n", "ow"]


@pytest.mark.parametrize("name", ["song070", "さくら"])
def test_the_character(name: str) -> None:
    assert character_txt(name) == f"name={name}\n"
    assert character_yaml(name)["singer_type"] == "diffsinger"


def test_an_english_singer_leaves_the_words_to_openutau() -> None:
    english = Phonemizer.of_language("en")
    values = dictionary(english.symbols, english)
    assert set(check_dictionary(values, tokens(english.symbols))) == {"SP", "AP"}
    kinds = {symbol["symbol"]: symbol["type"] for symbol in values["symbols"]}
    # The phonemes of OpenUtau's English reader are all known, and its vowels are vowels.
    reader = {
        "vowel": "aa ae ah ao aw ay eh er ey ih iy ow oy uh uw",
        "stop": "b ch d dh f g hh jh k l m n ng p r s sh t th v w y z zh",
    }
    for kind, names in reader.items():
        assert {kinds[p] for p in names.split()} == {kind}
    assert character_yaml("x", "en")["default_phonemizer"].endswith("DiffSingerEnglishPhonemizer")
