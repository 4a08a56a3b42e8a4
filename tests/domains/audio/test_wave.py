"""Reading and writing sound, and the one-line errors."""

from pathlib import Path

import numpy as np
import pytest
from support.tiny_audio import RATE, tone

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import (
    Wave,
    concatenate,
    find_audio_files,
    read_wave,
    trim_silence,
    write_wave,
)

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_round_trip(suffix: str, tmp_path: Path) -> None:
    wave = Wave(tone(), RATE)
    write_wave(tmp_path / f"a{suffix}", wave)
    again = read_wave(tmp_path / f"a{suffix}", RATE)
    assert again.sample_rate == RATE
    assert np.abs(again.samples - wave.samples).max() < 2 / 32768
    assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]


def test_resampling_and_mixing_to_mono(tmp_path: Path) -> None:
    high = tone(0.5, 220, 48_000)
    soundfile.write(tmp_path / "a.wav", np.stack([2 * high, 0 * high], 1), 48_000)
    wave = read_wave(tmp_path / "a.wav", RATE)
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
        case "slow":
            soundfile.write(path, np.full(800, 0.1, np.float32), 1)
    return path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "no such file"),
        ("text", "cannot be read as sound"),
        ("empty", "holds no samples"),
        ("silent", "is silent"),
        ("nan", "not finite"),
        ("slow", "has a sample rate of 1 Hz"),
    ],
)
def test_bad_sound_is_a_one_line_error(name: str, message: str, tmp_path: Path) -> None:
    path = bad(tmp_path, name)
    with pytest.raises(InputError, match=message) as error:
        read_wave(path, RATE)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_failed_writes_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown sound format"):
        write_wave(tmp_path / "a.txt", Wave(tone(), RATE))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        write_wave(tmp_path / "file" / "a.wav", Wave(tone(), RATE))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_silence_at_the_ends_is_trimmed() -> None:
    quiet = np.zeros(RATE, np.float32)
    wave = Wave(np.concatenate([quiet, tone(0.5), quiet]), RATE)
    cut = trim_silence(wave, keep_s=0.1)
    assert abs(cut.seconds - 0.7) < 0.03
    assert trim_silence(Wave(quiet, RATE)).seconds == 1.0


def test_concatenation_with_a_pause() -> None:
    a = Wave(tone(0.1), RATE)
    both = concatenate([a, a], pause_s=0.2)
    assert abs(both.seconds - 0.4) < 1e-6
    assert not both.samples[800:2400].any()
    with pytest.raises(ValueError, match="different rates"):
        concatenate([a, Wave(tone(0.1), 2 * RATE)])


def test_sound_files_of_a_folder(sounds: Path) -> None:
    assert [path.stem for path in find_audio_files(sounds)] == ["0", "1", "2", "3"]
    with pytest.raises(InputError, match="no such folder"):
        find_audio_files(sounds / "none")
    (sounds / "empty").mkdir()
    with pytest.raises(InputError, match="holds no sound files"):
        find_audio_files(sounds / "empty")
