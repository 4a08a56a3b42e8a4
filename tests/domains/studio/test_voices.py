"""The tabs Speak and Sing without a browser: what they make, and what they refuse."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.song_strategies import SAKURA

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import read_wave
from oneleap.domains.studio.pianoroll import Bar, note_bars, note_name, piano_roll
from oneleap.domains.studio.sing import MAX_BYTES, read_song, sing
from oneleap.domains.studio.speak import MAX_CHARACTERS, read_text, speak

for name in ("pyworld", "soundfile", "pyopenjtalk", "defusedxml", "mido"):
    pytest.importorskip(name)

SCORE = Path(__file__).parents[3] / "examples" / "sakura.musicxml"


def test_a_text_is_shown_as_it_is_read() -> None:
    words, phonemes = read_text("Dr. Smith paid $3.50.", "heart")
    assert words == "Doctor Smith paid three dollars and fifty cents."
    assert "θɹ" in phonemes


def test_speech_follows_seed_and_speed() -> None:
    wave = speak("Hello.", "heart", 1.0, 0.0, 0)
    same, other = speak("Hello.", "heart", 1.0, 0.0, 0), speak("Hello.", "heart", 1.0, 0.0, 1)
    assert (wave.samples == same.samples).all()
    assert len(wave.samples) != len(other.samples) or (wave.samples != other.samples).any()
    assert speak("Hello.", "heart", 2.0, 0.0, 0).seconds < 0.8 * wave.seconds


@pytest.mark.parametrize(
    ("text", "speed", "pitch", "message"),
    [
        ("", 1.0, 0.0, "text: write a text first"),
        ("a" * (MAX_CHARACTERS + 1), 1.0, 0.0, "text: has 601 characters; the studio takes up to"),
        ("!?", 1.0, 0.0, "text: nothing to say"),
        ("Hello.", 9.0, 0.0, "speed: must be from 0.5 to 2, not 9"),
        ("Hello.", 1.0, 13.0, "pitch: must be from -12 to 12, not 13"),
        ('<speak>a<break time="40s"/>b</speak>', 1.0, 0.0, "text: its pauses last 40"),
    ],
)
def test_what_cannot_be_spoken_here(text: str, speed: float, pitch: float, message: str) -> None:
    with pytest.raises(InputError) as error:
        speak(text, "heart", speed, pitch, 0)
    assert str(error.value).startswith(message)


def test_bars_of_a_phrase() -> None:
    bars = note_bars([replace(SAKURA, offset=2.0)])
    assert bars == [
        Bar(2.5, 0.5, 69.0, "sa"),
        Bar(3.0, 0.5, 69.0, "ku"),
        Bar(3.5, 0.6, 71.0, "ra"),
        Bar(4.1, 0.4, 72.0, ""),
    ]


def test_names_of_keys() -> None:
    assert [note_name(midi) for midi in (21, 60, 69, 70)] == ["A0", "C4", "A4", "A♯4"]


def test_a_piano_roll_shows_all_notes_and_syllables() -> None:
    (axes,) = piano_roll([SAKURA], "a song").axes
    assert axes.get_title() == "a song"
    assert [text.get_text() for text in axes.texts] == ["sa", "ku", "ra", ""]
    low, high = axes.get_ylim()
    assert low < 69 < 72 < high
    assert axes.get_xlim() == (0, pytest.approx(3.0))


def test_key_and_tempo_move_the_song() -> None:
    plain, moved = read_song(str(SCORE), 0.0, 1.0)[0], read_song(str(SCORE), -2.0, 2.0)[0]
    for one, two in zip(plain, moved, strict=True):
        assert two.seconds == pytest.approx(one.seconds / 2)
        assert two.offset == pytest.approx(one.offset / 2)
        assert two.note_midi == tuple(m if m is None else m - 2 for m in one.note_midi)


def test_a_song_is_as_long_as_its_score() -> None:
    phrases, singer = read_song(str(SCORE), 0.0, 2.0)
    assert singer == "song070"
    end = max(phrase.offset + phrase.seconds for phrase in phrases)
    wave = sing(str(SCORE), 0.0, 2.0, 0)
    assert wave.seconds == pytest.approx(end, abs=0.5)
    assert abs(wave.samples).max() > 0.05


def test_a_song_has_the_vibrato_and_the_glides_of_the_command(tmp_path: Path) -> None:
    from oneleap.domains.main import main

    out, command = tmp_path / "song.wav", ["sing", str(SCORE), "--tempo", "2", "--key", "-2"]
    here = sing(str(SCORE), -2.0, 2.0, 0)
    assert main([*command, "-o", str(out)]) == 0
    commanded = read_wave(out, here.sample_rate).samples
    np.testing.assert_allclose(here.samples, commanded, atol=2**-14)
    assert main([*command, "--vibrato", "0", "-o", str(out)]) == 0
    plain = read_wave(out, here.sample_rate).samples
    assert abs(here.samples - plain).max() > 0.01


def test_scores_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^score: upload a file first"):
        read_song(None, 0.0, 1.0)
    text = tmp_path / "song.txt"
    text.write_text("la la la")
    with pytest.raises(InputError, match=r"^song\.txt: the suffix of a score must be one of"):
        read_song(str(text), 0.0, 1.0)
    large = tmp_path / "song.mid"
    large.write_bytes(bytes(MAX_BYTES + 1))
    with pytest.raises(InputError, match=r"^score: song\.mid has 1\.0 MiB"):
        read_song(str(large), 0.0, 1.0)
    with pytest.raises(InputError, match=r"^key: must be from -12 to 12"):
        read_song(str(SCORE), 40.0, 1.0)


def test_a_long_song_is_refused(tmp_path: Path) -> None:
    slow = tmp_path / "slow.musicxml"
    shutil.copy(SCORE, slow)
    slow.write_text(slow.read_text().replace('tempo="84.0"', 'tempo="8.0"'))
    with pytest.raises(InputError, match=r"^slow\.musicxml: lasts \d+ s; the studio sings up to"):
        read_song(str(slow), 0.0, 1.0)


def test_a_note_out_of_range_names_the_file_alone() -> None:
    with pytest.raises(InputError, match=r"^sakura\.musicxml: phrase 1: "):
        sing(str(SCORE), 12.0, 1.0, 0)
