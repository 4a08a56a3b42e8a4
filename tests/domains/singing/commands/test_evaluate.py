"""From songs to a singer and its figures, on the command line."""

import json
from pathlib import Path

import pytest
from support.tiny_singing import acoustic, curves, durations, tiny_singer, write_corpus

from oneleap.domains.main import main
from oneleap.domains.singing.evaluation.comparison import COARSE

pytest.importorskip("soundfile")
pytest.importorskip("pyworld")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "songs")


MEL_ARGUMENT = "{sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}"
ENCODER = "{width: 16, depth: 1, heads: 2, hidden: 16}"
DECODER = ["--model.decoder", "oneleap.domains.singing.LYNXConfig"]
DECODER += ["--model.decoder.width", "16", "--model.decoder.depth", "1"]


def fit(config: str, run: str, *more: str, size: int = 8) -> None:
    data = ["--data.path", "[songs]", "--data.mel", MEL_ARGUMENT, "--data.validation", "0.25"]
    words = ["fit", "--config", config, "--run", run, *data, "--data.batch_size", str(size)]
    steps = ["--trainer.max_steps", "2", "--trainer.val_check_interval", "2"]
    assert main([*words, *steps, "--trainer.accelerator", "cpu", *more]) == 0


@pytest.mark.slow
def test_from_songs_to_a_singer_and_its_figures(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    small = ["--model.encoder", ENCODER]
    fit("singing/flow", "runs/flow", *small, *DECODER)
    teacher = ["--model.recipe.teacher", "runs/flow/model"]
    fit("singing/splitmeanflow-shallow", "runs/student", *small, *DECODER, *teacher)
    fit("singing/durations", "runs/durations", *small)
    fit("singing/pitch", "runs/pitch", *small, *DECODER)
    vocoder = ["--data.path", "[songs/wavs]", "--data.seconds", "0.3", "--model.width", "16"]
    fit("audio/nsf_singing", "runs/nsf", *vocoder)
    parts = ("--durations", "runs/durations", "--pitch", "runs/pitch")
    others = ["--compare", "runs/flow", "--limit", "2", "--json", "figures.json"]
    words = ["evaluate", "runs/student", "--vocoder", "runs/nsf", *parts, *others]
    assert main(words) == 0
    figures = json.loads(Path("figures.json").read_text())
    assert figures["recording/cents"] < 20
    assert figures["recording/rpa"] > 90
    for row in (COARSE, "runs/student", "runs/flow"):
        assert {f"{row}/{name}" for name in ("mel_l1", "mcd_db", "rpa", "rtf")} <= set(figures)
    assert figures["score to sound/timing_ms"] >= 0
    assert Path("runs/student/spectrograms.png").stat().st_size > 1000
    assert main(["evaluate", "runs/durations", "--limit", "2"]) == 0
    assert main(["evaluate", "runs/pitch", "--limit", "2"]) == 0
    words = ["boundary", "runs/flow", "--steps", "3", "--limit", "1"]
    assert main([*words, "--candidates", "[2, 100]"]) == 0
    found = json.loads(Path("runs/flow/boundary.json").read_text())
    assert 1 <= found["classifier"] <= 100
    assert found["distance"] in (2, 100)
    models = [f"runs/{name}" for name in ("student", "durations", "pitch", "nsf")]
    assert main(["singer", *models, "mine"]) == 0
    assert main(["bench", "singing", "--voice", "mine", "--calls", "1", "--json", "b.json"]) == 0
    wanted = {"sing_rtf_1step", "ddpm100_over_1step", "flow20_over_1step"}
    assert wanted <= set(json.loads(Path("b.json").read_text()))


def test_model_folders_and_packed_singers_are_evaluated_on_named_recordings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    options = ["--data", "songs", "--limit", "1"]
    for name, model in (("a", acoustic()), ("p", curves()), ("d", durations())):
        model.save_pretrained(name)
        assert main(["evaluate", name, *options]) == 0
    assert json.loads(Path("d/evaluation.json").read_text())["score"] > 0
    assert json.loads(Path("p/evaluation.json").read_text())["score"] > 0
    assert f"{COARSE}/mel_l1" in json.loads(Path("a/evaluation.json").read_text())
    table = Path("songs/transcriptions.csv")
    table.write_text(table.read_text().replace("SP k", "SP g"))
    assert main(["evaluate", "a", *options]) == 2
    table.write_text(table.read_text().replace("SP g", "SP k"))
    tiny_singer().save("mine")
    assert main(["evaluate", "mine", *options]) == 0
    found = json.loads(Path("mine/acoustic/evaluation.json").read_text())
    assert {"copy synthesis/rpa", "score to sound/timing_ms"} <= set(found)


def test_runs_without_recordings_are_one_line_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    acoustic().save_pretrained("run/model")
    assert main(["evaluate", "run"]) == 2
    assert "config.yaml: no such file" in capsys.readouterr().err
    assert main(["evaluate", "run/model"]) == 2
    assert "name recordings with --data FOLDER" in capsys.readouterr().err
