"""``oneleap compose``: sounds, plots, and mistakes in one line."""

import subprocess
import sys
from pathlib import Path

import pytest
from support import tiny_music

from oneleap.domains.main import main

soundfile = pytest.importorskip("soundfile")

mido = pytest.importorskip("mido")

RATE, MEL = tiny_music.RATE, tiny_music.MEL


def run(*words: str) -> int:
    return main(["compose", *words])


def test_the_command_writes_a_sound_and_a_plot(
    composer_folder: Path,
    song: Path,
    tune: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out.wav"
    words = ["--model", str(composer_folder), "--seconds", "1", "--steps", "2", "-o", str(out)]
    words += ["--intensity", "rise", "--melody", str(tune), "--timbre", str(song)]
    assert run(*words, "--tags", "calm", "--weight", "melody=2", "--decode", "1") == 0
    assert soundfile.info(out).samplerate == RATE
    assert out.with_suffix(".png").stat().st_size > 1000
    printed = capsys.readouterr().err
    for name in ("intensity", "melody", "timbre", "1 decoding step", "s of music"):
        assert name in printed


@pytest.mark.parametrize(
    "words",
    [
        ["--seconds", "0.7", "--loop", "--structure", "AB"],
        ["--inpaint", "song.wav", "--from", "0.9", "--to", "1.2"],
        ["--outpaint", "song.wav", "--seconds", "3"],
        ["--seconds", "3"],
    ],
    ids=["loop", "inpaint", "outpaint", "long"],
)
def test_every_kind_of_piece_has_a_plot(
    words: list[str],
    composer_folder: Path,
    song: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    others = ["--intensity", "hill", "--weight", "intensity=2", "--steps", "1", "-o", "out.wav"]
    assert run("--model", str(composer_folder), *words, *others) == 0
    assert Path("out.png").stat().st_size > 1000


MISTAKES = {
    "model": (["--model", "nowhere"], "no 'nowhere'"),
    "format": (["-o", "out.txt"], "must end in .wav"),
    "gap": (["--inpaint", "song.wav"], "--from 2 --to 4"),
    "gap alone": (["--from", "1", "--to", "2"], "--from 2 --to 4"),
    "two": (["--loop", "--outpaint", "song.wav"], "cannot be combined"),
    "tagger": (["--target_tags", "piano"], "--target_tags piano --tagger FILE"),
    "tagger alone": (["--tagger", "none.npz"], "--target_tags piano --tagger FILE"),
    "no weights": (["--target_tags", "piano", "--tagger", "none.npz"], "none.npz: no such file"),
    "prompt": (["--prompt", "calm piano"], "and a CLAP model"),
    "weight": (["--weight", "melody"], "NAME=NUMBER"),
    "unknown weight": (["--weight", "melodie=2"], "did you mean 'melody'"),
    "unused weight": (["--weight", "melody=2"], "the control melody is not used"),
    "seed": (["--seed", "-1"], "seed: -1 is negative"),
    "decode": (["--decode", "0"], "decode at least 1"),
    "a gap and a length": (
        ["--inpaint", "song.wav", "--from", "1", "--to", "1.5", "--seconds", "3"],
        "does not change the duration",
    ),
    "no level": (["--intensity", "rise", "--loud-db", "nan"], "loud_db: expected float"),
    "method": (["--method", "magic"], "expected ditto2 or ditto"),
    "tags": (["--tags", "clam"], "did you mean 'calm'"),
    "levels": (["--quiet-db", "-10", "--loud-db", "-20"], "must be below loud_db"),
    "seconds": (["--seconds", "0.1"], "from 0.5 to 3600"),
    "no seconds": (["--outpaint", "song.wav", "--seconds", "nan"], "seconds: expected float"),
    "decode of ditto": (["--method", "ditto", "--decode", "2"], "has its own steps"),
    "option": (["--volume", "3"], "no option 'volume'"),
    "structure": (["--structure", "A", "--seconds", "0.6"], "2 to 8 letters"),
    "long structure": (["--structure", "AB", "--seconds", "9"], "pieces can last up to"),
    "outside": (["--inpaint", "song.wav", "--from", "1", "--to", "9"], "lasts 2.0 s"),
    "whole": (["--inpaint", "song.wav", "--from", "0.1", "--to", "1.9"], "can be filled"),
    "shorter": (["--outpaint", "song.wav", "--seconds", "1"], "lasts 2.0 s already"),
    "missing": (["--outpaint", "none.wav"], "none.wav: no such file"),
    "melody": (["--melody", "tune.mid", "--seconds", "0.6"], "--seconds 1"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_one_line(
    kind: str,
    composer_folder: Path,
    song: Path,
    tune: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words, expected = MISTAKES[kind]
    model = [] if "--model" in words else ["--model", str(composer_folder)]
    assert run(*model, "--steps", "1", *words) == 2
    error = capsys.readouterr().err.strip()
    assert expected in error
    assert "\n" not in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.wav", "tune.mid"]


def test_a_missing_sound_library_is_told_before_the_work(
    composer_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def compose(*_: object) -> None:
        raise AssertionError("the composer is loaded")

    monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.setattr("oneleap.domains.music.composer.composer.Composer.load", compose)
    assert run("--model", str(composer_folder)) == 2
    said = "oneleap: soundfile is not installed: pip install 'oneleap[audio]'\n"
    assert capsys.readouterr().err == said


COLD_START = """
import sys
from oneleap.domains.main import main

assert main(["compose", *sys.argv[1:]]) == 0
print(*sys.modules)
"""

NOT_IMPORTED = (
    "lightning",
    "torchmetrics",
    "tensorboard",
    "torch._dynamo",
    "torch._inductor",
    "torchaudio",
    "librosa",
    "matplotlib",
    "mido",
    "numba",
    "pandas",
    "pyworld",
    "scipy",
    "sklearn",
    "soxr",
)
"""Modules that the command does not need to generate a clip without a plot."""


def test_the_command_imports_only_what_it_needs(composer_folder: Path, tmp_path: Path) -> None:
    argv = ["--model", str(composer_folder), "--intensity", "rise", "--seconds", "1"]
    argv += ["--steps", "1", "--no-picture", "-o", str(tmp_path / "out.wav")]
    done = subprocess.run(
        [sys.executable, "-c", COLD_START, *argv], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not set(NOT_IMPORTED) & set(done.stdout.split())
