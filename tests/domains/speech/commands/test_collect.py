"""Collections of a teacher's speech: files, growth after an interruption, refusals."""

from pathlib import Path

import numpy as np
import pytest
from support.tiny_teacher import ToneTeacher

from oneleap.domains.audio.pitch import load_f0
from oneleap.domains.audio.wave import read_wave
from oneleap.domains.main import main
from oneleap.domains.speech.commands import collect
from oneleap.domains.speech.data.alignment import read_alignment
from oneleap.domains.speech.data.ljspeech import read_ljspeech

pytest.importorskip("soundfile")
pytestmark = pytest.mark.filterwarnings("ignore:.*its sentences are left out")


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> ToneTeacher:
    made = ToneTeacher()
    monkeypatch.setattr(collect, "_teacher", lambda voice, parts, styles: made)
    return made


def options(out: Path, hours: float, *more: str) -> list[str]:
    nowhere = ["--wordnet", str(out / "none"), "--fortunes", str(out / "none")]
    return ["collect", "speech", "--hours", str(hours), "--out", str(out), *nowhere, *more]


def files(folder: Path) -> dict[str, bytes]:
    names = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in names}


def test_the_folder_has_sound_text_phonemes_durations_and_pitch(
    teacher: ToneTeacher, tmp_path: Path
) -> None:
    out = tmp_path / "heart"
    assert main(options(out, 0.01)) == 0
    recordings, alignments = read_ljspeech(out), read_alignment(out)
    assert [file.path.stem for file in recordings] == list(alignments)
    total = 0.0
    for file in recordings:
        phonemes, durations, _ = alignments[file.path.stem]
        assert "".join(phonemes) == file.text
        wave = read_wave(file.path, 24_000)
        assert sum(durations) == pytest.approx(wave.seconds, abs=1e-3)
        assert len(np.load(out / "f0" / f"{file.path.stem}.npy")) == round(wave.seconds / 0.005)
        total += wave.seconds
    assert 36 <= total < 36 + 15
    assert not any("!" in file.text for file in recordings)  # the teacher refused them
    assert "nobody's" in (out / "README.md").read_text()
    from oneleap.domains.audio.mel import Mel

    first = recordings[0].path
    mel = Mel(24_000, 1200, 300, 1200, 100, fmax=12_000.0)
    f0 = load_f0(first, read_wave(first, 24_000), mel, None, 60.0, 800.0)
    assert len(set(f0)) == 1
    assert 100 <= f0[0] < 200


def test_an_interrupted_collection_grows_into_the_same_folder(
    teacher: ToneTeacher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(options(whole, 0.02, "--workers", "2")) == 0
    assert main(options(parts, 0.008)) == 0
    table = parts / "alignment.jsonl"
    table.write_text(table.read_text()[:-9], encoding="utf-8")  # cut inside the last line
    teacher.said.clear()
    assert main(options(parts, 0.02)) == 0
    assert "continuing" in capsys.readouterr().err
    assert files(parts) == files(whole)
    done = len((whole / "alignment.jsonl").read_text(encoding="utf-8").splitlines())
    assert len(teacher.said) < done  # what was there was not spoken again


def test_other_settings_and_other_recordings_are_refused(
    teacher: ToneTeacher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "heart"
    assert main(options(out, 0.002)) == 0
    before = files(out)
    capsys.readouterr()
    assert main(options(out, 0.01, "--seed", "1")) == 2
    assert "holds a collection with other settings" in capsys.readouterr().err
    (out / "settings.json").unlink()
    assert main(options(out, 0.01)) == 2
    assert "holds other recordings" in capsys.readouterr().err
    assert main(options(out, 0)) == 2
    assert main(options(out, 1, "--voice", "bf_emma", "--parts")) == 2
    assert "bf_emma has none" in capsys.readouterr().err
    assert files(out) | {"settings.json": before["settings.json"]} == before


def test_a_missing_teacher_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "hibari", None)
    assert main(options(tmp_path / "x", 0.01)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == "oneleap: hibari is not installed: pip install 'oneleap[speech-data]'"
    assert not (tmp_path / "x").exists()
