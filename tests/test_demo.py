"""The demonstration: one command, one page with a policy, a voice, a song and music."""

from pathlib import Path

import pytest

from oneleap.domains.main import main


def test_the_demonstration_writes_one_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("gymnasium_robotics", "espeakng_loader", "pyopenjtalk", "mido", "pyworld"):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    small = ["--collect_steps", "3000", "--bc_steps", "500", "--ofql_steps", "4"]
    assert main(["demo", *small, "--episodes", "1"]) == 0
    assert "report: runs/demo/report.html" in capsys.readouterr().out
    page = (tmp_path / "runs" / "demo" / "report.html").read_text()
    for title in ("A policy", "A voice", "A song", "A piece of music", "What a result costs"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<audio controls") == 3
    assert page.count("<img ") >= 8
    assert "one action" in page


def test_a_missing_score_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--score", "nowhere.musicxml"]) == 2
    assert capsys.readouterr().err == "oneleap: score: nowhere.musicxml: no such file\n"
    assert not list(tmp_path.iterdir())
