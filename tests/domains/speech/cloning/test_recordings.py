"""Recordings of a person: found in every layout, cut at pauses, left out with a reason."""

from pathlib import Path

import numpy as np
import pytest

from oneleap.core.errors import InputError, Notice
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech.cloning.dataset import write_dataset
from oneleap.domains.speech.cloning.recordings import (
    Clip,
    Recording,
    find_recordings,
    read_clips,
)

RATE = 8_000


def tone(seconds: float, rate: int = RATE) -> Wave:
    t = np.arange(round(seconds * rate)) / rate
    return Wave((0.3 * np.sin(2 * np.pi * 150 * t)).astype(np.float32), rate)


def phrases(*seconds: float, pause_s: float = 0.4) -> Wave:
    gap = np.zeros(round(pause_s * RATE), np.float32)
    parts = [part for s in seconds for part in (tone(s).samples, gap)]
    return Wave(np.concatenate(parts[:-1]), RATE)


def save(folder: Path, name: str, wave: Wave) -> Path:
    wave.save(folder / name)
    return folder / name


def test_texts_are_found_in_every_layout(tmp_path: Path) -> None:
    first = save(tmp_path, "one.wav", tone(1.0))
    save(tmp_path, "two.wav", tone(1.0))
    assert find_recordings(first) == [Recording(first, None)]
    first.with_suffix(".txt").write_text("Well\n done.\n", encoding="utf-8")
    assert [item.text for item in find_recordings(tmp_path)] == ["Well done.", None]
    table = tmp_path / "metadata.csv"
    table.write_text("one|First.\ntwo|Second.\n", encoding="utf-8")
    for source in (tmp_path, table):
        assert [item.text for item in find_recordings(source)] == ["First.", "Second."]
    with pytest.raises(InputError, match="no such file or folder"):
        find_recordings(tmp_path / "nowhere")


def test_a_text_is_recognized_only_where_there_is_none(tmp_path: Path) -> None:
    known = save(tmp_path, "known.wav", tone(8.0))
    unknown = save(tmp_path, "unknown.wav", phrases(6.0, 6.0))
    heard = list[float]()

    def transcribe(wave: Wave) -> str:
        heard.append(wave.seconds)
        return "a" * round(10 * wave.seconds)

    found = read_clips(
        [Recording(known, "b" * 80), Recording(unknown, None), Recording(known, "c" * 80)],
        RATE,
        transcribe,
    )
    assert [clip.name for clip in found] == ["known", "unknown-000", "unknown-001", "known"]
    assert len(heard) == 2
    with pytest.raises(InputError, match=r"unknown.wav: has no text: add metadata.csv, or unknown"):
        read_clips([Recording(unknown, None)], RATE, None)


def test_what_does_not_fit_is_left_out_with_its_reason(tmp_path: Path) -> None:
    good = save(tmp_path, "good.wav", tone(6.0))
    short, long = save(tmp_path, "short.wav", tone(0.3)), save(tmp_path, "long.wav", tone(13.0))
    texts = [Recording(good, "d" * 60)] * 4
    odd = [Recording(short, "no"), Recording(long, "e" * 99), Recording(good, "f" * 999)]
    with pytest.warns(Notice) as notices:
        found = read_clips([*texts, *odd], RATE, None)
    assert len(found) == 4
    message = str(notices[0].message)
    assert "1 shorter than 0.4 s (short)" in message
    assert "1 longer than 12 s without a pause to cut at (long)" in message
    assert "1 whose text is too short or too long for the sound (good)" in message


def test_too_little_speech_is_refused(tmp_path: Path) -> None:
    good = save(tmp_path, "good.wav", tone(6.0))
    with pytest.raises(InputError, match="3 clips can be used, 18 s in all: at least 4"):
        read_clips([Recording(good, "d" * 60)] * 3, RATE, None)


def test_the_dataset_has_sound_pitch_and_text(tmp_path: Path) -> None:
    clips = [Clip(f"c{i}", tone(1.0, 24_000), "one|two") for i in range(3)]
    write_dataset(clips, tmp_path, 1)
    assert [item.text for item in find_recordings(tmp_path)] == ["one two"] * 3
    f0 = np.load(tmp_path / "f0" / "c0.npy", allow_pickle=False)
    assert np.median(f0[f0 > 0]) == pytest.approx(150, rel=0.01)


def test_a_file_that_is_no_recording_is_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Hello.", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"notes\.txt: no sound file \(.*\.wav.*\) and no metadata"
    ):
        find_recordings(file)
