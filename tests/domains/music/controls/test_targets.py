from pathlib import Path

import numpy as np
import pytest
import torch

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.melody import (
    load_melody,
    melody_pitch_classes,
    melody_target,
    notes_from_f0,
)
from oneleap.domains.music.controls.presets import PRESETS
from oneleap.domains.music.controls.targets import (
    check_not_silent,
    intensity_target,
    parse_structure,
    preset_curve,
    read_clip,
)
from oneleap.domains.music.data.midi import MelodyNote
from oneleap.domains.music.spec import MUSIC_MEL

soundfile = pytest.importorskip("soundfile")
mido = pytest.importorskip("mido")

RATE = MUSIC_MEL.sample_rate


def target(source: str, frames: int = 100, seconds: float = 2.0) -> torch.Tensor:
    return intensity_target(source, MUSIC_MEL, frames, seconds, low=-40.0, high=-10.0)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_go_between_quiet_and_loud(name: str) -> None:
    curve = preset_curve(name, 101, -40.0, -10.0)
    assert curve.shape == (101,)
    assert curve.min() >= -40
    assert curve.max() <= -10
    levels = [(-40 + 30 * level) for level in PRESETS[name]]
    assert curve[0] == levels[0]
    assert curve[-1] == pytest.approx(levels[-1])


def test_rise_rises_and_hill_is_highest_in_the_middle() -> None:
    assert (target("rise").diff() > 0).all()
    assert target("hill").argmax() in (49, 50)
    with pytest.raises(InputError, match="did you mean 'rise'"):
        target("risee")


def test_a_curve_of_times_is_interpolated(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text("seconds,dB\n0,-40\n1,-20\n2,-20\n")
    frames = round(2 * MUSIC_MEL.frame_rate)
    curve = target(str(path), frames, frames / MUSIC_MEL.frame_rate)
    at = (np.arange(frames) + 0.5) / MUSIC_MEL.frame_rate
    np.testing.assert_allclose(curve.numpy(), np.where(at < 1, -40 + 20 * at, -20), atol=1e-9)


def test_a_curve_of_frames_is_used_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text("\n".join(str(-k) for k in range(100)))
    assert target(str(path)).tolist() == [-k for k in range(100)]


BAD_CURVES = {
    "short": ("\n".join(["-20"] * 7), "7 values, the clip 100 frames"),
    "ends early": ("0,-20\n1.0,-10", "covers 0 to 1 s, the clip 0 to 2 s"),
    "too long": ("0,-20\n4.0,-10", "covers 0 to 4 s"),
    "falls back": ("0,-20\n2,-10\n1,-10", "the seconds in the first column must increase"),
    "words": ("0,-20\n1,loud", "row 2 is '1,loud'"),
    "three": ("0,1,2\n1,2,3", "row 1 is '0,1,2'"),
    "one row": ("0,-20", "at least two rows"),
    "nan": ("0,-20\n2,nan", "row 2"),
    "empty": ("", "at least two rows"),
}


@pytest.mark.parametrize("kind", BAD_CURVES)
def test_bad_curves_are_reported_in_one_line(kind: str, tmp_path: Path) -> None:
    text, words = BAD_CURVES[kind]
    path = tmp_path / "curve.csv"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        target(str(path))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_and_unreadable_curves_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        target(str(tmp_path / "none.csv"))
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match=r"is not UTF-8 text|not a table"):
        target(str(tmp_path / "bytes.csv"))


def test_structures() -> None:
    assert parse_structure(" aba ") == "ABA"
    for wrong in ("A", "A-B", "ABCDEFGHI", "ÄB", ""):
        with pytest.raises(InputError, match="2 to 8 letters"):
            parse_structure(wrong)


# Melodies


def test_pitch_classes_are_those_at_the_middle_of_a_frame() -> None:
    rate = MUSIC_MEL.frame_rate
    notes = (MelodyNote(2.4 / rate, 5.4 / rate, 69.0), MelodyNote(7 / rate, 9 / rate, 48.2))
    assert melody_pitch_classes(notes, 10, MUSIC_MEL).tolist() == [
        -1,
        -1,
        9,
        9,
        9,
        -1,
        -1,
        0,
        0,
        -1,
    ]


def test_humming_is_rounded_to_its_own_tuning() -> None:
    rate, flat = MUSIC_MEL.frame_rate, 2 ** (-0.3 / 12)
    f0 = np.concatenate([np.full(40, 440.0), np.zeros(10), np.full(40, 493.883), np.full(3, 466.0)])
    notes = notes_from_f0(f0 * flat, MUSIC_MEL)
    assert [note.pitch for note in notes] == [69, 71]
    assert notes[0][:2] == (0, 40 / rate)
    assert notes[1][:2] == (50 / rate, 90 / rate)
    assert notes_from_f0(np.zeros(9), MUSIC_MEL) == ()


def test_a_hummed_recording(tmp_path: Path) -> None:
    pytest.importorskip("pyworld")
    t = np.arange(RATE) / RATE
    voice = [sum(np.sin(2 * np.pi * hz * k * t) / k for k in (1, 2, 3)) for hz in (220.0, 261.63)]
    path = tmp_path / "hum.wav"
    breath = 0.002 * np.random.default_rng(1).normal(size=2 * RATE)
    soundfile.write(path, 0.2 * np.concatenate(voice) + breath, RATE)
    found = melody_target(path, MUSIC_MEL, 172, 2.0)
    assert (found[10:76] == 9).float().mean() > 0.9
    assert (found[96:160] == 0).float().mean() > 0.9
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=RATE), RATE)
    with pytest.raises(InputError, match="no pitch"):
        melody_target(path, MUSIC_MEL, 86, 1.0)


def test_melodies_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    track.append(mido.Message("note_on", note=69, velocity=90))
    track.append(mido.Message("note_off", note=69, time=480 * 10))
    file.tracks.append(track)
    file.save(tmp_path / "long.mid")
    with pytest.raises(InputError, match=r"lasts 5\.0 s, the piece 4\.0 s: .* --seconds 5"):
        melody_target(tmp_path / "long.mid", MUSIC_MEL, 344, 4.0)
    assert (melody_target(tmp_path / "long.mid", MUSIC_MEL, 430, 5.0) == 9).all()
    with pytest.raises(InputError, match="expected a MIDI file or a recording"):
        load_melody(tmp_path / "tune.txt", MUSIC_MEL)


# Sounds


def test_recordings_to_continue(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    tone = 0.3 * np.sin(np.arange(4 * RATE) / 9)
    soundfile.write(path, tone, 2 * RATE)
    wave = read_clip(path, MUSIC_MEL, "outpaint")  # another rate is resampled
    assert wave.sample_rate == RATE
    assert len(wave.samples) == pytest.approx(2 * RATE, abs=2)
    soundfile.write(path, tone[:1000], RATE)
    with pytest.raises(InputError, match="which is too short"):
        read_clip(path, MUSIC_MEL, "outpaint")
    soundfile.write(path, 0 * tone, RATE)
    with pytest.raises(InputError, match="is silent"):
        read_clip(path, MUSIC_MEL, "outpaint")
    for suffix in ("wav", "mp3"):
        cut = tmp_path / f"cut.{suffix}"
        soundfile.write(cut, tone, RATE)
        assert read_clip(cut, MUSIC_MEL, "outpaint").seconds == pytest.approx(4.0, abs=0.1)
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
        with pytest.raises(
            InputError, match=rf"cut\.{suffix} is truncated: it has \d\.\d of 4\.\d s"
        ):
            read_clip(cut, MUSIC_MEL, "outpaint")
    piped = bytearray((tmp_path / "cut.wav").read_bytes())
    piped[40:44] = b"\xff" * 4  # a length that was never filled in
    (tmp_path / "cut.wav").write_bytes(piped)
    assert read_clip(tmp_path / "cut.wav", MUSIC_MEL, "outpaint").seconds == pytest.approx(
        2.0, abs=0.1
    )
    with path.open("wb") as file:
        file.write(b"RIFF\x10\x00")
    with pytest.raises(InputError, match="cannot be read as sound"):
        read_clip(path, MUSIC_MEL, "outpaint")
    with pytest.raises(InputError, match="the end is silent"):
        check_not_silent(np.zeros(9, np.float32), "the end")
