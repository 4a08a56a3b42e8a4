import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.domains.main import main
from oneleap.domains.music.commands import collect
from oneleap.domains.music.data.midi import read_melody, read_notes, write_midi
from oneleap.domains.music.data.tunes import BEATS, DRUMS, SCALES, compose_tune
from oneleap.domains.music.evaluation.trials import sung

mido = pytest.importorskip("mido")

BAD = {
    "empty": b"",
    "text": b"not music at all",
    "cut": b"MThd\x00\x00\x00\x06\x00\x01\x00\x02\x01\xe0MTrk\x00\x00\xff\xff\x00",
}


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_a_tune_is_what_it_says(seed: int) -> None:
    tune = compose_tune(seed, 20.0)
    assert tune == compose_tune(seed, 20.0)
    scale = {(tune.tonic + step) % 12 for step in SCALES[tune.mode]}
    channels = [part.channel for part in tune.parts]
    assert len(set(channels)) == len(channels)
    assert len(tune.dynamics) == tune.beats + 1
    assert max(tune.dynamics) <= 0
    assert len(tune.starts) == len(tune.form)
    for part in tune.parts:
        for note in part.notes:
            assert 0 <= note.start < tune.beats
            assert 0 <= note.pitch <= 127
            if part.channel != DRUMS:
                assert note.pitch % 12 in scale
            if part.name.startswith("melody"):
                assert note.pitch >= 60
            elif part.channel != DRUMS:
                assert note.pitch < 60


def test_sections_of_one_letter_are_the_same_music() -> None:
    tune = compose_tune(3, 30.0)
    for part in tune.parts:
        role, _, letter = part.name.partition(" ")
        if role != "melody":
            continue
        length = tune.bars * BEATS
        sections = [
            [n._replace(start=n.start - k * length) for n in part.notes if n.start // length == k]
            for k, name in enumerate(tune.form)
            if name == letter
        ]
        assert all(section == sections[0] for section in sections)


def test_tunes_differ() -> None:
    tunes = [compose_tune(seed) for seed in range(40)]
    assert len({tune.form for tune in tunes}) > 4
    assert len({tune.tags for tune in tunes}) > 15
    assert {tune.mode for tune in tunes} == set(SCALES)


def test_a_melody_survives_its_file(tmp_path: Path) -> None:
    tune = compose_tune(5, 20.0)
    write_midi(tmp_path / "tune.mid", tune)
    found, truth = read_melody(tmp_path / "tune.mid"), sung(tune)
    assert len(read_notes(tmp_path / "tune.mid")) > len(truth)
    for k in np.arange(0.01, tune.seconds, 0.1):
        there = [note.pitch for note in found if note.start <= k < note.end]
        expected = [note.pitch for note in truth if note.start <= k < note.end]
        edge = any(abs(k - e) < 0.003 for note in truth for e in note[:2])
        assert there == expected or edge


def test_the_highest_note_counts_where_no_track_is_named(tmp_path: Path) -> None:
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    say = mido.Message
    for message in (
        mido.MetaMessage("set_tempo", tempo=1_000_000),
        say("note_on", note=60, velocity=90, time=0),
        say("note_on", note=72, velocity=90, time=480),
        say("note_on", note=38, velocity=90, channel=9, time=0),
        say("note_on", note=72, velocity=0, time=480),
        say("note_off", note=60, time=480),
    ):
        track.append(message)
    file.tracks.append(track)
    file.save(tmp_path / "a.mid")
    assert read_melody(tmp_path / "a.mid") == ((0.0, 1.0, 60.0), (1.0, 2.0, 72.0), (2.0, 3.0, 60.0))


def test_tempo_changes_are_followed(tmp_path: Path) -> None:
    file, head, track = mido.MidiFile(ticks_per_beat=100), mido.MidiTrack(), mido.MidiTrack()
    head.append(mido.MetaMessage("set_tempo", tempo=500_000))
    head.append(mido.MetaMessage("set_tempo", tempo=1_000_000, time=100))
    track.append(mido.Message("note_on", note=64, velocity=1, time=50))
    track.append(mido.Message("note_off", note=64, time=150))
    file.tracks += [head, track]
    file.save(tmp_path / "a.mid")
    assert read_melody(tmp_path / "a.mid") == ((0.25, 1.5, 64),)


@pytest.mark.parametrize("kind", BAD)
def test_damaged_scores_are_told(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(BAD[kind])
    with pytest.raises(InputError, match=r"bad\.mid"):
        read_melody(path)


def test_a_score_without_notes_is_told(tmp_path: Path) -> None:
    file, track = mido.MidiFile(), mido.MidiTrack()
    track.append(mido.Message("note_on", note=38, velocity=90, channel=9, time=0))
    track.append(mido.Message("note_off", note=38, channel=9, time=9))
    file.tracks.append(track)
    file.save(tmp_path / "drums.mid")
    with pytest.raises(InputError, match="has no notes"):
        read_melody(tmp_path / "drums.mid")
    with pytest.raises(InputError, match="no such file"):
        read_melody(tmp_path / "none.mid")


# oneleap collect music


def fake(folder: Path) -> Path:
    """A program in FluidSynth's place: a second of a tone, whatever the score."""
    program = folder / "fluidsynth"
    program.write_text(
        "#!/usr/bin/env python3\n"
        "import sys, wave, math, struct\n"
        "at = sys.argv.index\n"
        "out, rate = sys.argv[at('-F') + 1], int(sys.argv[at('-r') + 1])\n"
        "with wave.open(out, 'wb') as f:\n"
        "    f.setnchannels(2); f.setsampwidth(2); f.setframerate(rate)\n"
        "    tone = (int(9000 * math.sin(k / 9)) for k in range(rate))\n"
        "    f.writeframes(b''.join(struct.pack('<hh', x, x) for x in tone))\n"
    )
    program.chmod(0o755)
    return program


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    font = tmp_path / "font.sf2"
    font.write_bytes(b"x")
    fake(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return font


def test_collecting_writes_sounds_scores_and_a_table(studio: Path, tmp_path: Path) -> None:
    out = tmp_path / "tunes"
    words = ["collect", "music", str(out), "--minutes", "0.8", "--seconds", "8"]
    words += ["--soundfont", str(studio), "--sample_rate", "8000"]
    assert main(words) == 0
    with (out / "metadata.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 2
    assert len(rows[0]["tags"].split(";")) == 4
    assert set(rows[0]["form"]) <= set("ABC")
    assert rows[0]["sections"].startswith("0.000:A")
    sounds = {path: path.stat().st_mtime_ns for path in out.glob("*.flac")}
    assert len(sounds) == len(rows) == len(list(out.glob("*.mid")))
    next(iter(sounds)).unlink()
    assert main(words) == 0  # only what is missing is made again
    again = {path: path.stat().st_mtime_ns for path in out.glob("*.flac")}
    assert sum(again[path] != sounds[path] for path in sounds) == 1
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_ones_own_scores_are_rendered(studio: Path, tmp_path: Path) -> None:
    (tmp_path / "scores" / "deep").mkdir(parents=True)
    write_midi(tmp_path / "scores" / "deep" / "mine.mid", compose_tune(1, 8.0))
    out = tmp_path / "out"
    words = ["collect", "music", str(out), "--midi", str(tmp_path / "scores")]
    assert main([*words, "--soundfont", str(studio)]) == 0
    assert (out / "deep-mine.flac").is_file()


def test_what_is_missing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["collect", "music", out, "--minutes", "0"]) == 2
    assert "minutes above 0" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main(["collect", "music", out]) == 2
    assert "apt-get install fluidsynth" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    monkeypatch.setattr(collect, "SOUNDFONTS", ())
    assert main(["collect", "music", out]) == 2
    assert "no sound font" in capsys.readouterr().err
    assert main(["collect", "music", out, "--soundfont", "none.sf2"]) == 2
    assert "none.sf2: no such file" in capsys.readouterr().err
    assert not Path(out).exists()


def test_a_synthesiser_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    font = tmp_path / "font.sf2"
    font.write_bytes(b"x")
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    words = ["collect", "music", str(tmp_path / "out"), "--minutes", "0.1"]
    assert main([*words, "--soundfont", str(font)]) == 2
    assert "fluidsynth failed" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.flac"))
