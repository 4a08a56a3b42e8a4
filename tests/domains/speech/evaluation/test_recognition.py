"""Word error rates, and the files of the recognizer's model."""

from pathlib import Path

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.audio.evaluation import recognition
from oneleap.domains.audio.evaluation.recognition import packaged_model
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech.evaluation import sentences
from oneleap.domains.speech.evaluation.recognition import (
    Recognizer,
    normalize_words,
    word_error_rate,
)
from oneleap.domains.speech.evaluation.sentences import read_sentences


@pytest.mark.parametrize(
    ("reference", "hypothesis", "rate"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a x c", 1 / 3),
        ("a b c", "a c", 1 / 3),
        ("a c", "a b c", 1 / 2),
        ("a b c d", "b c d e", 2 / 4),
        ("a b", "", 2 / 2),
        ("", "a b", 2),
    ],
)
def test_errors_are_substitutions_deletions_and_insertions(
    reference: str, hypothesis: str, rate: float
) -> None:
    pytest.importorskip("jiwer")
    assert word_error_rate([reference], [hypothesis]).rate == pytest.approx(rate)


def test_words_that_sound_alike_are_equal() -> None:
    expected = normalize_words("it’s four o'clock well oiled")
    assert normalize_words("It's 4 o'clock, well-oiled!") == expected
    assert normalize_words("...") == []


def test_the_rate_counts_all_words_and_is_inside_its_interval() -> None:
    pytest.importorskip("jiwer")
    said = ["one two three four", "five six", "seven eight nine ten"]
    recognized = ["one two three four", "five", "seven nine nine ten"]
    found = word_error_rate(said, recognized)
    assert found.rate == pytest.approx(2 / 10)
    assert 0 <= found.low < found.rate < found.high <= 0.5
    perfect = word_error_rate(said, said)
    assert (perfect.rate, perfect.low, perfect.high) == (0, 0, 0)


def test_the_halves_of_a_model_are_joined(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path_factory.mktemp("packages")
    for half in (1, 2):
        package = root / f"half_{half}"
        (package / "data").mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "data" / f"model.bin.part{half}").write_bytes(b"ab"[half - 1 : half])
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (root / "half_1" / "data" / name).write_text(name)
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setattr(recognition, "PACKAGES", ("half_1", "half_2"))
    found = packaged_model()
    assert found["model.bin"] == b"ab"
    assert found["vocabulary.txt"] == b"vocabulary.txt"
    monkeypatch.setattr(recognition, "PACKAGES", ("half_1", "half_9"))
    with pytest.raises(InputError, match="pip install half-1 half-9, or name a Whisper model"):
        packaged_model()


def test_the_harvard_sentences_ship_with_the_code() -> None:
    assert Path(sentences.__file__).with_name("harvard.txt").is_file()
    found = read_sentences(None)
    assert len(found) == len(set(found)) == 80
    assert all(len(normalize_words(line)) in range(5, 12) for line in found)


def test_a_long_sound_is_recognized_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = list[float]()

    def recognize(self: Recognizer, wave: Wave) -> str:
        heard.append(wave.seconds)
        return f"word{len(heard)}" if np.abs(wave.samples).max() > 0 else ""

    monkeypatch.setattr(Recognizer, "_recognize", recognize)
    phrase = np.concatenate([np.ones(9_000), np.zeros(500)]).astype(np.float32)
    story = Wave(np.tile(phrase, 5), 1_000)  # five phrases of 9 s, pauses of half a second
    assert Recognizer()(story) == "word1 word2 word3"
    assert max(heard) <= 25
    assert sum(heard) == pytest.approx(story.seconds)
    assert Recognizer()(Wave(phrase, 1_000)) == "word4"
