"""The voices that ship with oneleap: they load, have a card, are small, and speak."""

from pathlib import Path

import numpy as np
import pytest

from oneleap.domains.main import main
from oneleap.domains.speech import Voice
from oneleap.domains.speech.voice.loading import DEFAULT_VOICE, shipped_voices

MOST = 15 * 2**20
"""Largest size of a voice with its vocoder, in bytes."""

TEXT = "The quick brown fox jumps over the lazy dog."

VOICES = sorted(shipped_voices())


def test_the_default_voice_ships() -> None:
    assert DEFAULT_VOICE in VOICES


@pytest.mark.parametrize("name", VOICES)
class TestEach:
    """Tests of every shipped voice."""

    def test_it_is_small_and_has_a_card(self, name: str) -> None:
        files = [path for path in shipped_voices()[name].rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) < MOST
        card = (shipped_voices()[name] / "README.md").read_text(encoding="utf-8")
        assert "licen" in card.lower()

    def test_it_speaks_in_one_step(self, name: str) -> None:
        voice = Voice.load(name)
        wave = voice.speak(TEXT)
        assert 1.5 < wave.seconds < 6
        assert np.isfinite(wave.samples).all()
        assert np.abs(wave.samples).max() > 0.05
        assert np.array_equal(wave.samples, voice.speak(TEXT, steps=1).samples)

    def test_a_word_is_short_and_a_long_text_keeps_its_words(self, name: str) -> None:
        voice = Voice.load(name)
        assert 0.15 < voice.speak("Yes.").seconds < 1.5
        long = " ".join(["He carried the basket over the narrow bridge."] * 14)
        assert len(long) > 600
        one = voice.speak("He carried the basket over the narrow bridge.").seconds
        assert voice.speak(long).seconds == pytest.approx(
            14 * one + 13 * 0.2, rel=0.1
        )  # drawn durations differ

    def test_it_speaks_pauses_numbers_and_questions(self, name: str) -> None:
        wave = Voice.load(name).speak("Well, is it $5, or 7:30?", speed=1.3)
        assert 0.5 < wave.seconds < 6


def test_the_command_needs_no_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("soundfile")
    assert main(["speak", "Hello.", "-o", str(tmp_path / "hello.wav")]) == 0
    assert "hello.wav: " in capsys.readouterr().err
    assert (tmp_path / "hello.wav").stat().st_size > 4000
