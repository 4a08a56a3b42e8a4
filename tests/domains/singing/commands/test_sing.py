"""``oneleap sing`` and ``oneleap singer``."""

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.tiny_singing import RATE, TWO, tiny_singer

from oneleap.domains.audio.loudness import level
from oneleap.domains.audio.wave import read_wave
from oneleap.domains.main import main
from oneleap.domains.singing import Singer
from oneleap.domains.singing.scores.musicxml_write import musicxml
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars
from oneleap.domains.singing.segments.ds import write_ds
from oneleap.domains.singing.voice import loading


@pytest.fixture
def singer() -> Singer:
    return tiny_singer()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("soundfile")
    monkeypatch.chdir(tmp_path)
    write_ds("song.ds", TWO)


def test_packing_a_singer_and_singing_a_score(
    singer: Singer, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ("acoustic", "durations", "pitch", "vocoder")
    for name in parts:
        getattr(singer, name).save_pretrained(f"runs/{name}/model")
    argv = ["singer", *(f"runs/{name}" for name in parts), "mine"]
    assert main(argv) == 0
    assert "MiB" in capsys.readouterr().out
    assert main(argv) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["sing", "song.ds", "--voice", "mine", "--key", "+2", "-o", "a.wav"]) == 0
    assert "a.wav: 2.7 s of song" in capsys.readouterr().err
    wanted = level(Singer.load("mine").sing(TWO, key=2.0)).samples.clip(-1, 1)
    assert np.abs(read_wave("a.wav", RATE).samples - wanted).max() < 1e-4
    assert main(["sing", "song.ds", "--voice", "mine"]) == 0
    assert Path("song.wav").is_file()


def test_without_a_shipped_singer_a_voice_must_be_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(loading, "shipped_singers", dict)
    assert main(["sing", "song.ds"]) == 2
    assert "name the folder with --voice" in capsys.readouterr().err


def test_dictionaries_and_verses(singer: Singer, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("defusedxml")
    singer.save("mine")
    score = Score((Note(Fraction(2), 60.0, "ni"),), uniform_bars(Fraction(2)))
    words = ("kan", "ni")
    verses = "".join(
        f'<lyric number="{k}"><text>{word}</text></lyric>' for k, word in enumerate(words, 1)
    )
    text = re.sub("<lyric.*</lyric>", verses, musicxml(score))
    Path("song.musicxml").write_text(text)
    Path("words.txt").write_text("kan\tk a n\n")
    argv = ["sing", "song.musicxml", "--voice", "mine", "--dictionary", "words.txt"]
    assert main([*argv, "-o", "a.wav"]) == 0
    assert main([*argv, "--verse", "2"]) == 2
    error = capsys.readouterr().err
    assert "bar 1, note 1: 'ni' is not in the dictionary" in error


def test_showing_a_song(singer: Singer, capsys: pytest.CaptureFixture[str]) -> None:
    singer.save("mine")
    assert main(["sing", "--show", "song.ds", "--voice", "mine", "-o", "roll.png"]) == 0
    shown = capsys.readouterr().out
    assert "A3" in shown
    assert "▐" in shown
    assert re.search(r"k 0\.\d+ a 0\.200", shown)  # the consonant has a predicted time
    assert Path("roll.png").read_bytes().startswith(b"\x89PNG")
    assert not Path("song.wav").exists()
    assert main(["sing", "--show", "song.ds", "--voice", "mine", "-o", "roll.wav"]) == 2
    assert "roll.wav must end in .png" in capsys.readouterr().err


def test_options_for_scores(singer: Singer, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("defusedxml")
    singer.save("mine")
    score = Score((Note(Fraction(2), 72.0, "ka"),), uniform_bars(Fraction(2)), part="Voice")
    Path("song.musicxml").write_text(musicxml(score), encoding="utf-8")
    argv = ["sing", "song.musicxml", "--voice", "mine", "-o", "a.wav"]
    assert main(argv) == 2
    assert "--key -1 brings the song into this range" in capsys.readouterr().err
    more = ["--fold-octaves", "--part", "1", "--verse", "1", "--chords", "bottom"]
    assert main([*argv, *more, "--dynamics", "0.5", "--vowel", "a"]) == 0
    assert "The first beat is at 0.250 s" in capsys.readouterr().err
    assert main([*argv, "--key", "-2", "--tempo", "2"]) == 0
    assert "The first beat is at 0.125 s" in capsys.readouterr().err
    assert main([*argv, "--part", "Piano"]) == 2
    assert "part 'Piano' does not exist; there are 1 (Voice)" in capsys.readouterr().err
    assert main([*argv, "--chords", "middle"]) == 2
    error = capsys.readouterr().err
    assert "chords" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["none.ds"], "none.ds cannot be read"),
        (["song.ds", "--steps", "0"], "steps: at least 1"),
        (["song.ds", "--key", "x"], "key: expected float, not 'x'"),
        (["song.ds", "--key", "30"], "song.ds: phrase 1: note 2 has pitch 87"),
        (["song.ds", "--tempo", "0"], "tempo: must be a factor"),
        (["song.ds", "-o", "a.xyz"], "unknown sound format"),
        ([], "score is missing"),
    ],
)
def test_bad_input_is_a_one_line_error_and_writes_nothing(
    argv: list[str], message: str, singer: Singer, capsys: pytest.CaptureFixture[str]
) -> None:
    singer.save("mine")
    before = set(Path.cwd().rglob("*"))
    assert main(["sing", *argv, "--voice", "mine"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert set(Path.cwd().rglob("*")) == before


def imported(code: str, *argv: str) -> set[str]:
    """Modules that a fresh process has imported after it ran some code."""
    report = "\nprint('|'.join(sys.modules), file=sys.stderr)"
    words = [sys.executable, "-c", f"import sys\n{code}{report}", *argv]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.strip().splitlines()[-1].split("|"))


def test_the_package_and_the_help_are_light() -> None:
    code = "import oneleap.domains.singing, oneleap.domains.singing.commands.sing"
    assert not {"torch", "numpy", "lightning"} & imported(code)


def test_singing_imports_no_training_code(singer: Singer) -> None:
    singer.save("mine")
    code = "from oneleap.domains.main import main\nassert main(sys.argv[1:]) == 0"
    found = imported(code, "sing", "song.ds", "--voice", "mine")
    heavy = {"lightning", "torchmetrics", "tensorboard", "torch._dynamo", "torch._inductor"}
    heavy |= {"pandas", "librosa", "numba", "scipy", "sklearn", "matplotlib", "onnx"}
    assert not heavy & found


def test_loading_and_running_vocoders_imports_no_lightning(tmp_path: Path) -> None:
    code = """
import torch
from oneleap.domains.audio import NSF, Mel, Vocos
mel = Mel(sample_rate=8000, n_fft=256, hop=128, window=256, n_mels=10, fmax=4000.0)
for kind in (NSF, Vocos):
    kind(mel, 8, 8, 1).save_pretrained(sys.argv[1] + kind.__name__)
    vocoder = kind.from_pretrained(sys.argv[1] + kind.__name__)
    args = [torch.zeros(1, 10, 5), torch.full((1, 5), 100.0)]
    vocoder(*args[: 1 + (kind is NSF)])"""
    assert not {"lightning", "torch._dynamo"} & imported(code, str(tmp_path))
