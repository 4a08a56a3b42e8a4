"""The demonstration: one command, one page with a policy, a voice, a song and music."""

import subprocess
import sys
from pathlib import Path

import pytest

from oneleap.domains.main import main


def test_the_demonstration_writes_one_page(tmp_path: Path) -> None:
    for module in ("gymnasium_robotics", "espeakng_loader", "pyopenjtalk", "mido", "pyworld"):
        pytest.importorskip(module)
    small = ["--collect_steps", "3000", "--bc_steps", "500", "--ofql_steps", "4", "--episodes", "1"]
    # In a process of its own, without shape checks: these do not compile.
    code = "from oneleap.domains.main import main; raise SystemExit(main())"
    argv = [sys.executable, "-c", code, "demo", *small]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "report: runs/demo/report.html" in done.stdout
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
