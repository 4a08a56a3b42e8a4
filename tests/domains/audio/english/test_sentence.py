"""English sentences to phonemes, without espeak-ng."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneleap.domains.audio.english.sentence import phonemize_english
from oneleap.domains.speech.text.symbols import KOKORO_SYMBOLS

AMERICAN = {
    "The apple, the dog.": "ði ˈæpᵊl, ðə dˈɔɡ.",
    "To eat, to go to.": "tʊ ˈit, tə ɡˌO tu.",
    "an apple and a pear": "ɐn ˈæpᵊl ænd ɐ pˈɛɹ",
    "He came in. In it": "hˌi kˈAm ˈɪn. ˌɪn ɪt",
    "I am here": "ˌI ɐm hˈɪɹ",
    "John's boss, the cats' beds": "ʤˈɑnz bˈɔs, ðə kˈæts bˈɛdz",
    "wishes, wanted, walked, loved": "wˈɪʃᵻz, wˈɑntᵻd, wˈɔkt, lˈʌvd",
    "dating, hopped, hoping, passes": "dˈATɪŋ, hˈɑpt, hˈOpɪŋ, pˈæsᵻz",
    "a well-known ten-year-old": "ɐ wˌɛlnˈOn tˌɛnjˌɪɹˈOld",
    "e-mail": "ˈimˌAl",
    "the F B I and NASA": "ði ˌɛfbˌiˈI ænd nˈæsə",
    "the C E O's desk": "ðə sˌiˌiˈOz dˈɛsk",
    "plan A works, vitamin A": "plˈæn ˈA wˈɜɹks, vˈITəmən ˈA",
    "A dog. Once Upon A Time": "ɐ dˈɔɡ. wˈʌns əpˈɑn ɐ tˈIm",
    "NO way": "nˈO wˈA",
    'quietly (and) "left" -- fast': "kwˈIətli, ænd, lˈɛft— fˈæst",
    "café, naïve": "kæfˈA, nɑˈiv",
    "used to it, used it": "jˈust tʊ ɪt, jˈuzd ɪt",
}
HOMOGRAPHS = {
    "I will read it. I have read it.": ("ɹˈid", "ɹˈɛd"),
    "He read it. To read.": ("ɹˈɛd", "ɹˈid"),
    "They record it. A record.": ("ɹəkˈɔɹd", "ɹˈɛkəɹd"),
    "He lives here. Their lives": ("lˈɪvz", "lˈIvz"),
    "live music; we live here": ("lˈIv", "lˈɪv"),
    "the lead singer; a lead pipe": ("lˈid", "lˈɛd"),
    "Close the door; it is close.": ("klˈOz", "klˈOs"),
    "Wind the clock in the wind": ("wˈInd", "wˈɪnd"),
    "They object to the object.": ("əbʤˈɛkt", "ˈɑbʤəkt"),
    "to use it, the use": ("jˈuz", "jˈus"),
    "the minute; a very minute amount": ("mˈɪnət", "mInˈut"),
    "to separate; a separate room": ("sˈɛpəɹˌAt", "sˈɛpəɹət"),
    "I am content; the content": ("kəntˈɛnt", "kˈɑntɛnt"),
}
BRITISH = {
    "The car park isn't near.": "ðə kˈɑː pˈɑːk ˈɪzᵊnt nˌɪə.",
    "no water, I can't dance": "nˈQ wˈɔːtə, ˌI kˈɑːnt dˈɑːns",
    "caring, starring, waited": "kˈɛːɹɪŋ, stˈɑːɹɪŋ, wˈAtɪd",
    "Z, to": "zˈɛd, tuː",
}


@pytest.mark.parametrize("text", AMERICAN)
def test_american_sentences(text: str) -> None:
    assert phonemize_english(text, "en-us") == AMERICAN[text]


@pytest.mark.parametrize("text", BRITISH)
def test_british_sentences(text: str) -> None:
    assert phonemize_english(text, "en-gb") == BRITISH[text]


@pytest.mark.parametrize("text", HOMOGRAPHS)
def test_homographs_by_their_neighbors(text: str) -> None:
    said = phonemize_english(text, "en-us")
    first, second = HOMOGRAPHS[text]
    assert first in said
    assert second in said[said.index(first) + len(first) :]


@settings(max_examples=40)
@given(st.text(max_size=60), st.sampled_from(("en-us", "en-gb")))
def test_any_text_gives_known_symbols(text: str, language: str) -> None:
    said = phonemize_english(text, language)
    assert set(said) <= set(KOKORO_SYMBOLS)
    assert "  " not in said


def test_a_lexicon_and_given_phonemes() -> None:
    said = phonemize_english("A tomato \ue000.", "en-us", {"tomato": "tˈɛst"}, ["ˈɑ"])
    assert said == "ɐ tˈɛst ˈɑ."
    assert phonemize_english("the \ue000", "en-us", {}, ["ˈɑ"]) == "ði ˈɑ"


def test_nothing_under_the_gpl_and_no_torch_is_imported() -> None:
    code = """
import sys
from oneleap.domains.speech.text.frontend import FrontEnd
FrontEnd().phonetic_sentences("World War II cost $5, zorblatt.")
unwanted = {"torch", "phonemizer", "espeakng_loader", "num2words", "numba", "onnxruntime"}
assert not unwanted & set(sys.modules), unwanted & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
