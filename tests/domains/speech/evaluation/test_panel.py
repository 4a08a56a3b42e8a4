"""Voices judged alike: what is counted, and how the table shows it."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.audio.evaluation.dnsmos import Ratings
from oneleap.domains.audio.loudness import loudness
from oneleap.domains.audio.synthetic.teachers import Spoken
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech.commands.bench_voices import voices
from oneleap.domains.speech.evaluation import panel
from oneleap.domains.speech.evaluation.panel import (
    Speaker,
    Texts,
    format_panel,
    judge,
    packaged_texts,
    pitch_range,
    speaker_of,
)

RATE = 16_000
TEXTS = Texts(["a b c d", "e f"], ["g h"], ["one", "two", "three"], "i j k l")


class Script:
    """A voice whose sounds stand for their texts, and a recognizer that reads them back."""

    def __init__(self, mishear: Callable[[str], str]) -> None:
        self.mishear, self.queue = mishear, list[str]()

    def speak(self, text: str, seed: int) -> Wave:
        t = np.arange(RATE) / RATE
        hz = 200 * 2 ** (np.sin(2 * np.pi * 2 * t) / 12)  # one semitone up and down
        phase = 2 * np.pi * np.cumsum(hz) / RATE
        return Wave((0.01 * np.cos(phase * np.arange(1, 9)[:, None]).mean(0)).astype("f4"), RATE)

    def __call__(self, wave: Wave) -> str:
        assert loudness(wave) == pytest.approx(-23, abs=0.1)  # all at one level
        return self.mishear(self.heard())

    def heard(self) -> str:
        return self.queue.pop(0)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    monkeypatch.setattr(panel, "ratings", lambda wave: Ratings(3.0, 4.0))
    script = Script(lambda text: text.replace("b", "x").replace("two", "to").replace("l", ""))
    script.queue = [
        *TEXTS.harvard, *TEXTS.everyday, *TEXTS.words, TEXTS.passage
    ]  # fmt: skip
    return judge("script", Speaker(script.speak, melody), TEXTS, script, seed=3)


def melody(text: str, seed: int) -> NDArray[np.float64]:
    """A semitone up and down around a tone that is the text's own; half of it is unvoiced."""
    t = np.arange(4000) / 1000
    f0 = 50 * len(text) * 2 ** (np.sin(2 * np.pi * t) / 12)
    return np.where(t < 2, f0, 0)


def test_errors_are_counted_in_each_kind_of_text(figures: dict[str, float]) -> None:
    assert figures["harvard_wer"] == pytest.approx(1 / 6)
    assert figures["everyday_wer"] == 0
    assert (figures["words_heard"], figures["words"]) == (2, 3)
    assert figures["passage_wer"] == pytest.approx(1 / 4)


def test_pitch_is_that_of_each_sentence_in_semitones(figures: dict[str, float]) -> None:
    assert figures["pitch_sd"] == pytest.approx(2**-0.5, rel=0.01)
    assert figures["pitch_spread"] == pytest.approx(np.sin(np.pi * 0.34), rel=0.01)


def test_a_leap_changes_the_deviation_and_not_the_spread() -> None:
    f0 = np.concatenate([np.full(50, 100.0), np.full(50, 112.0)])
    leap = np.concatenate([f0, [400.0]])
    assert pitch_range([leap])["pitch_sd"] > 2 * pitch_range([f0])["pitch_sd"]
    spreads = [pitch_range([x])["pitch_spread"] for x in (f0, leap)]
    assert spreads == pytest.approx([6 * np.log2(1.12)] * 2)
    assert pitch_range([f0, np.zeros(9)]) == pitch_range([f0])  # a silent one has no pitch


def test_a_program_tells_the_pitch_of_its_sentences() -> None:
    class Program:
        license = "CC0-1.0"

        def say(self, text: str, seed: int) -> Spoken | None:
            wave = Wave(np.zeros(RATE // 2, "f4"), RATE)
            f0 = np.full(3, 100.0 + seed, "f4")
            return None if text == "Hm." else Spoken(wave, ("a",), (0.5,), f0, None)

    speaker = speaker_of(Program())
    assert speaker.pitch is not None
    assert speaker.pitch("One here. Two here.", 7).tolist() == [107.0] * 6
    assert speaker.speak("One here. Two here.", 7).seconds > 1
    with pytest.raises(ValueError, match="not spoken: Hm"):
        speaker.speak("Hm.", 0)


def test_the_table_has_a_column_for_each_voice(figures: dict[str, float]) -> None:
    table = format_panel({"one": figures, "two": figures})
    assert [column.header for column in table.columns] == ["", "one", "two"]
    assert "2 of 3" in list(table.columns[1].cells)
    figures.pop("pitch_sd")
    assert "unknown" in list(format_panel({"three": figures}).columns[1].cells)


def test_the_texts_are_enough_and_all_different() -> None:
    texts = packaged_texts()
    lines = [*texts.harvard, *texts.everyday, *texts.words]
    assert (len(texts.harvard), len(texts.everyday), len(texts.words)) == (80, 100, 30)
    assert len(set(lines)) == len(lines)
    assert len(texts.passage.split()) > 300
    assert packaged_texts(2).words == texts.words[:2]


def test_another_program_is_named() -> None:
    names = re.escape("(hibari, af_heart, am_michael, bf_emma)")
    with pytest.raises(InputError, match=f"peer: no 'hart', did you mean .* {names}|no 'hart'"):
        voices([], peer=["hart"], limit=1)
    with pytest.raises(InputError, match="limit: 0 is not positive"):
        voices(limit=0)
