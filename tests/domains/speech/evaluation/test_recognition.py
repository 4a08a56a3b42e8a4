"""Word error rates, by hand; a recogniser is asked only where one is installed."""

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.speech.commands.evaluate import read_sentences
from oneleap.domains.speech.evaluation import recognition as recognise
from oneleap.domains.speech.evaluation.recognition import error_rate, errors, packaged, words


@pytest.mark.parametrize(
    ("said", "heard", "count"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "a x c", 1),
        ("a b c", "a c", 1),
        ("a c", "a b c", 1),
        ("a b c d", "b c d e", 2),
        ("a b", "", 2),
        ("", "a b", 2),
    ],
)
def test_least_number_of_errors(said: str, heard: str, count: int) -> None:
    assert errors(said.split(), heard.split()) == count


def test_what_is_heard_alike_is_alike() -> None:
    assert words("It's 4 o'clock, well-oiled!") == words("it’s four o'clock well oiled")
    assert words("...") == []


def test_the_rate_is_of_all_words_and_lies_in_its_interval() -> None:
    said = ["one two three four", "five six", "seven eight nine ten"]
    heard = ["one two three four", "five", "seven nine nine ten"]
    found = error_rate(said, heard)
    assert found.rate == pytest.approx(2 / 10)
    assert 0 <= found.low < found.rate < found.high <= 0.5
    perfect = error_rate(said, said)
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
    monkeypatch.setattr(recognise, "PARTS", ("half_1", "half_2"))
    found = packaged()
    assert found["model.bin"] == b"ab"
    assert found["vocabulary.txt"] == b"vocabulary.txt"
    monkeypatch.setattr(recognise, "PARTS", ("half_1", "half_9"))
    with pytest.raises(InputError, match="pip install half-1 half-9, or name a Whisper model"):
        packaged()


def test_the_sentences_that_come_along() -> None:
    found = read_sentences(None)
    assert len(found) == len(set(found)) == 60
    assert all(np.isin(len(words(line)), range(5, 12)) for line in found)
