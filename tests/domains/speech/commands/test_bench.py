"""The benchmark: all figures are there, and its ratios are those of its times."""

import json
from pathlib import Path

import pytest
from support.tiny_speech import acoustic, vocoder

from oneleap.domains.main import main
from oneleap.domains.speech import Voice


def test_figures_are_positive_and_ratios_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("num2words", "phonemizer"):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    Voice(acoustic(), vocoder()).save("voice", bits=32)
    assert main(["bench", "speech", "--voice", "voice", "--calls", "3", "--json", "f.json"]) == 0
    assert "speak_rtf_1step" in capsys.readouterr().out
    found = json.loads(Path("f.json").read_text())
    assert all(value > 0 for value in found.values())
    for name in ("edm50", "fm10"):
        ratio = found[f"{name}_acoustic_ms"] / found["1step_acoustic_ms"]
        assert found[f"{name}_over_1step"] == pytest.approx(ratio)
    assert main(["bench", "speech", "--calls", "0"]) == 2
    assert "calls: 0 is not positive" in capsys.readouterr().err
