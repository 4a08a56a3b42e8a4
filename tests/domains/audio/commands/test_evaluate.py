"""Evaluation of vocoders, the judge replaced by one whose verdict is known."""

import json
from pathlib import Path

import pytest
from support.tiny_speech import vocoder

from oneleap.domains.audio.commands import evaluate
from oneleap.domains.audio.wave import Wave
from oneleap.domains.main import main

CONFIG = """
data:
  class_path: oneleap.domains.audio.data.datamodule.Clips
  init_args:
    path: [{sounds}]
    mel: {{sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}}
    gain_db: [-6.0, 0.0]
    validation: 0.4
    seed: 0
"""


@pytest.fixture
def run(sounds: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    vocoder().save_pretrained(folder / "model", card="# v\n")
    (folder / "config.yaml").write_text(CONFIG.format(sounds=sounds))
    return folder


def test_copies_stand_beside_recordings_and_griffin_lim(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[Wave] = []
    monkeypatch.setattr(evaluate, "dnsmos", lambda wave: heard.append(wave) or 2.5)
    assert main(["evaluate", str(run), "--json", str(run / "more.json")]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found == json.loads((run / "more.json").read_text())
    assert len(heard) == 3 * found["clips"]
    assert {found[f"{name}_dnsmos"] for name in ("recordings", "vocoder", "griffin_lim")} == {2.5}
    # Weights of chance are worse than no weights at all.
    assert found["vocoder_mel_l1"] > found["griffin_lim_mel_l1"] > 0
    assert found["vocoder_rtf"] > 0
    assert "griffin-lim" in capsys.readouterr().out


def test_bad_runs_are_told_in_a_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--most", "0"]) == 2
    (run / "config.yaml").write_text(
        "data: {class_path: oneleap.domains.speech.SpeechData}"
    )
    assert main(["evaluate", str(run)]) == 2
    (run / "config.yaml").unlink()
    assert main(["evaluate", str(run)]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 3
    for line, message in zip(
        told, ("not positive", "not a vocoder's", "no such file"), strict=True
    ):
        assert message in line
    assert not (run / "evaluation.json").exists()
