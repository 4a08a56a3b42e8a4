"""Songs that judge singers, and the errors of what a recognizer hears."""

from fractions import Fraction

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.evaluation import panel
from oneleap.domains.singing.evaluation.panel import Take, check_language, judge, word_errors
from oneleap.domains.singing.evaluation.songs import MIDDLE, Language, lyrics, song, syllables
from oneleap.domains.singing.lyrics.phonemizer import Phonemizer
from oneleap.domains.singing.scores.phrasing import score_to_segments
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.timing import fit_to_notes

LANGUAGES: tuple[Language, ...] = ("ja", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_twenty_songs_are_sung_as_they_are_written(language: Language) -> None:
    lines = lyrics(language)
    assert len(lines) == len(set(lines)) == 20
    phonemizer = Phonemizer.of_language(language)
    for i, line in enumerate(lines):
        score = song(line, language, i)
        assert score == song(line, language, i)
        sung = [note for note in score.notes if note.midi is not None]
        assert all(abs((note.midi or 0) - MIDDLE[language]) <= 9 for note in sung)
        assert all(Fraction(1, 2) <= note.beats <= 2 for note in sung)
        known = {p for s in score_to_segments(score, phonemizer) for p in s.ph_seq}
        assert known <= set(phonemizer.symbols)


def test_syllables_of_a_line() -> None:
    assert list(syllables("the wind, a river", "en")) == ["the", "wind", None, "a", "ri-", "ver"]
    assert list(syllables("きって きゃ", "ja")) == ["きっ", "て", None, "きゃ"]


@pytest.mark.parametrize(
    ("said", "heard", "errors", "total"),
    [
        ("Who has seen the wind?", "who has seen a wind", 1, 5),
        ("I don't know", "I dont know.", 0, 3),
        ("one two", "", 2, 2),
        ("one two", "so many words that nobody sang", 2, 2),  # at most all
    ],
)
def test_wrong_words(said: str, heard: str, errors: int, total: int) -> None:
    pytest.importorskip("jiwer")
    assert word_errors(said, heard, "en") == (errors, total)


def test_wrong_phonemes_of_japanese() -> None:
    pytest.importorskip("jiwer")
    pytest.importorskip("pyopenjtalk")
    assert word_errors("さくら", "桜", "ja") == (0, 6)
    assert word_errors("さくら", "さくな", "ja") == (1, 6)


def test_a_singer_in_tune_is_within_fifty_cents(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jiwer")
    pytest.importorskip("pyworld")

    class Hears:
        def __init__(self, language: str) -> None: ...

        def __call__(self, wave: Wave) -> str:
            return lyrics("en")[0]

    class Rated:
        overall, p808 = 3.0, 3.5

    monkeypatch.setattr(panel, "Recognizer", Hears)
    monkeypatch.setattr(panel, "ratings", lambda wave: Rated)

    def sing(score: Score, seed: int) -> Take:
        """A buzz that follows the notes exactly, a quarter of a semitone too high."""
        phrases = score_to_segments(score, Phonemizer.of_language("en"))
        rate, sound = 24_000, np.zeros(24_000 * 60, np.float32)
        timed = []
        for phrase in phrases:
            lengths = np.array(phrase.note_dur)
            timed.append(fit_to_notes(phrase, [0.05] * len(phrase.ph_seq)))
            hz = [0.0 if m is None else 440 * 2 ** ((m + 0.25 - 69) / 12) for m in phrase.note_midi]
            f0 = np.repeat(hz, np.round(lengths * rate).astype(int))
            phase = 2 * np.pi * np.cumsum(f0) / rate
            buzz = sum(np.sin(k * phase) / k for k in range(1, 6)) * (f0 > 0) * 0.1
            first = round(phrase.offset * rate)
            sound[first : first + len(buzz)] += buzz
        return Take(Wave(sound, rate), timed)

    found = judge("buzz", sing, "en", limit=1)
    assert found["error"] == 0
    assert found["within_50_cents"] > 0.95
    assert found["cents"] == pytest.approx(25, abs=3)


def test_other_languages_have_no_songs() -> None:
    assert [check_language(x) for x in LANGUAGES] == ["ja", "en"]
    with pytest.raises(InputError, match="the singer's language is 'xx'"):
        check_language("xx")
