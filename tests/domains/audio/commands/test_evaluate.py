"""Evaluation of vocoders with DNSMOS replaced by a constant."""

import json
from pathlib import Path

import pytest
from support.tiny_audio import tiny_nsf, tiny_source_filter, tiny_vocos, write_recordings

from oneleap.domains.audio.evaluation import copy_synthesis
from oneleap.domains.audio.wave import Wave
from oneleap.domains.main import main

CONFIG = """
data:
  class_path: oneleap.domains.audio.AudioData
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
    tiny_vocos().save_pretrained(folder / "model", card="# v\n")
    (folder / "config.yaml").write_text(CONFIG.format(sounds=sounds))
    return folder


def test_vocoder_griffin_lim_and_recordings_are_compared(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scored: list[Wave] = []
    monkeypatch.setattr(copy_synthesis, "dnsmos", lambda wave: scored.append(wave) or 2.5)
    assert main(["evaluate", str(run), "--json", str(run / "more.json")]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found == json.loads((run / "more.json").read_text())
    assert len(scored) == 3 * found["clips"]
    assert {found[f"{name}_dnsmos"] for name in ("recordings", "vocoder", "griffin_lim")} == {2.5}
    # Random weights are worse than Griffin-Lim.
    assert found["vocoder_mel_l1"] > found["griffin_lim_mel_l1"] > 0
    assert found["vocoder_rtf"] > 0
    assert "griffin-lim" in capsys.readouterr().out


def test_bad_runs_are_one_line_errors(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--limit", "0"]) == 2
    (run / "config.yaml").write_text(
        "data: {class_path: oneleap.domains.singing.SingingData, init_args: {path: [x]}}"
    )
    assert main(["evaluate", str(run)]) == 2
    (run / "config.yaml").unlink()
    assert main(["evaluate", str(run)]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 3
    for line, message in zip(told, ("not positive", "not AudioData", "no such file"), strict=True):
        assert message in line
    assert not (run / "evaluation.json").exists()


def test_a_vocoder_alone_is_evaluated_on_named_recordings(
    sounds: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(copy_synthesis, "dnsmos", lambda wave: 2.5)
    folder = tmp_path / "vocoder"
    tiny_vocos().save_pretrained(folder)
    assert main(["evaluate", str(folder)]) == 2
    assert "name recordings with --data FOLDER" in capsys.readouterr().err
    assert main(["evaluate", str(folder), "--data", str(sounds), "--limit", "2"]) == 0
    assert json.loads((folder / "evaluation.json").read_text())["clips"] == 2


def test_a_source_filter_vocoder_gets_the_pitch_of_its_data(
    sounds: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(copy_synthesis, "dnsmos", lambda wave: 2.5)
    seen: list[float] = []
    copy = copy_synthesis._copy

    def remember(method, mel, clip, seed):  # type: ignore[no-untyped-def]
        seen.append(float(clip.f0.max()))
        return copy(method, mel, clip, seed)

    monkeypatch.setattr(copy_synthesis, "_copy", remember)
    wavs, run = write_recordings(tmp_path) / "wavs", tmp_path / "run"
    tiny_source_filter().save_pretrained(run / "model", card="# v\n")
    config = CONFIG.format(sounds=wavs).replace("AudioData", "SourceFilterData")
    (run / "config.yaml").write_text(config)
    assert main(["evaluate", str(run)]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found["vocoder_mel_l1"] > 0
    assert max(seen) > 1500  # the pitch files rise to 2 kHz, the sound does not
    seen.clear()
    pytest.importorskip("pyworld")
    assert main(["evaluate", str(run), "--data", str(sounds)]) == 0
    assert max(seen) == pytest.approx(330, rel=0.02)  # Harvest's estimate of the highest tone
    tiny_nsf().save_pretrained(tmp_path / "nsf")
    assert main(["evaluate", str(tmp_path / "nsf"), "--data", str(wavs)]) == 2
    assert "not a Vocos or SourceFilterVocoder" in capsys.readouterr().err
