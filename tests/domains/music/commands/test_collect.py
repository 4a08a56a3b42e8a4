"""``oneleap collect music``, with a program in place of FluidSynth."""

import csv
import shutil
from pathlib import Path

import pytest

from oneleap.domains.main import main
from oneleap.domains.music.data import rendering
from oneleap.domains.music.data.midi import write_midi
from oneleap.domains.music.data.tunes import compose_tune

mido = pytest.importorskip("mido")


def fake(folder: Path) -> Path:
    """A program in place of FluidSynth: it writes a tone of one second for any score."""
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
    assert main(words) == 0  # only the missing file is rendered again
    again = {path: path.stat().st_mtime_ns for path in out.glob("*.flac")}
    assert sum(again[path] != sounds[path] for path in sounds) == 1
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_given_midi_files_are_rendered(studio: Path, tmp_path: Path) -> None:
    (tmp_path / "scores" / "deep").mkdir(parents=True)
    write_midi(tmp_path / "scores" / "deep" / "mine.mid", compose_tune(1, 8.0))
    out = tmp_path / "out"
    words = ["collect", "music", str(out), "--midi", str(tmp_path / "scores")]
    assert main([*words, "--soundfont", str(studio)]) == 0
    assert (out / "deep-mine.flac").is_file()


def test_missing_programs_and_fonts_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["collect", "music", out, "--minutes", "0"]) == 2
    assert "minutes must be positive" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main(["collect", "music", out]) == 2
    assert "apt-get install fluidsynth" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    monkeypatch.setattr(rendering, "SOUNDFONT_FOLDERS", ())
    assert main(["collect", "music", out]) == 2
    assert "no sound font" in capsys.readouterr().err
    assert main(["collect", "music", out, "--soundfont", "none.sf2"]) == 2
    assert "none.sf2: no such file" in capsys.readouterr().err
    assert not Path(out).exists()


def test_a_failing_synthesizer_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    font = tmp_path / "font.sf2"
    font.write_bytes(b"x")
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/false")
    words = ["collect", "music", str(tmp_path / "out"), "--minutes", "0.1"]
    assert main([*words, "--soundfont", str(font)]) == 2
    assert "fluidsynth failed" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.flac"))
