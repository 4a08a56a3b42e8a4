"""Reading and writing sound: what comes out, and the one line when it cannot."""

from pathlib import Path

import numpy as np
import pytest
from support.tiny_speech import RATE, tone

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave, files_in, joined, read, trimmed, write

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_what_is_written_is_read(suffix: str, tmp_path: Path) -> None:
    wave = Wave(tone(), RATE)
    write(tmp_path / f"a{suffix}", wave)
    again = read(tmp_path / f"a{suffix}", RATE)
    assert again.sample_rate == RATE
    assert np.abs(again.samples - wave.samples).max() < 2 / 32768
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def test_it_is_resampled_once_and_mixed_to_one_channel(tmp_path: Path) -> None:
    high = tone(0.5, 220, 48_000)
    soundfile.write(tmp_path / "a.wav", np.stack([2 * high, 0 * high], 1), 48_000)
    wave = read(tmp_path / "a.wav", RATE)
    want = tone(0.5, 220)
    assert abs(len(wave.samples) - len(want)) <= 1
    assert np.abs(wave.samples[100:-100] - want[100 : len(wave.samples) - 100]).max() < 2e-2


def bad(folder: Path, name: str) -> Path:
    path = folder / f"{name}.wav"
    match name:
        case "missing":
            pass
        case "text":
            path.write_text("no sound")
        case "empty":
            soundfile.write(path, np.zeros(0, np.float32), RATE)
        case "silent":
            soundfile.write(path, np.zeros(800, np.float32), RATE)
        case "nan":
            soundfile.write(path, np.full(800, np.nan, np.float32), RATE, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "no such file"),
        ("text", "not a sound that can be read"),
        ("empty", "holds no samples"),
        ("silent", "is silent"),
        ("nan", "no numbers"),
    ],
)
def test_bad_sound_is_told_in_a_line(name: str, message: str, tmp_path: Path) -> None:
    path = bad(tmp_path, name)
    with pytest.raises(InputError, match=message) as error:
        read(path, RATE)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_nothing_half_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no format for sound"):
        write(tmp_path / "a.txt", Wave(tone(), RATE))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file" / "a.wav", Wave(tone(), RATE))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_silence_at_the_ends_is_cut() -> None:
    quiet = np.zeros(RATE, np.float32)
    wave = Wave(np.concatenate([quiet, tone(0.5), quiet]), RATE)
    cut = trimmed(wave, keep_s=0.1)
    assert abs(cut.seconds - 0.7) < 0.03
    assert trimmed(Wave(quiet, RATE)).seconds == 1.0


def test_sounds_are_joined_with_a_pause() -> None:
    a = Wave(tone(0.1), RATE)
    both = joined([a, a], pause_s=0.2)
    assert abs(both.seconds - 0.4) < 1e-6
    assert not both.samples[800:2400].any()
    with pytest.raises(ValueError, match="different rates"):
        joined([a, Wave(tone(0.1), 2 * RATE)])


def test_sounds_of_a_folder(sounds: Path) -> None:
    assert [path.stem for path in files_in(sounds)] == ["0", "1", "2", "3"]
    with pytest.raises(InputError, match="no such folder"):
        files_in(sounds / "none")
    (sounds / "empty").mkdir()
    with pytest.raises(InputError, match="holds no sound"):
        files_in(sounds / "empty")
