"""The benchmark of cold starts, with processes that end at once."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oneleap.core.bench import startup
from oneleap.core.errors import InputError

NAMES = ["import torch", "import oneleap.core", "help", "speak", "sing", "compose"]


def test_the_commands_write_into_the_folder(tmp_path: Path) -> None:
    timed = startup.commands(tmp_path)
    assert list(timed) == NAMES
    assert all(argv[:2] == [sys.executable, "-c"] for argv in timed.values())
    assert timed["import torch"][2:] == ["import torch"]
    for name in ("help", "speak", "sing", "compose"):
        assert timed[name][2] == startup.PROGRAM
    score = Path(timed["sing"][4])
    assert score.read_text(encoding="utf-8") == startup.SCORE
    for name in ("speak", "sing", "compose"):
        assert Path(timed[name][-1]).parent == tmp_path
        assert timed[name][3] == name


def test_every_command_runs_once_a_round_and_the_medians_are_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fake clock: the k-th process takes k seconds of user and half as many of system time."""
    called: list[list[str]] = []

    def fake(argv: list[str], **_: Any) -> SimpleNamespace:
        called.append(argv)
        return SimpleNamespace(returncode=0, stderr="")

    def usage(_: int) -> SimpleNamespace:
        n = len(called)
        total = n * (n + 1) / 2
        return SimpleNamespace(ru_utime=total, ru_stime=total / 2)

    monkeypatch.setattr(subprocess, "run", fake)
    monkeypatch.setattr(startup.resource, "getrusage", usage)
    startup.bench(rounds=3, json=tmp_path / "startup.json")
    assert len(called) == 3 * len(NAMES)
    assert called[: len(NAMES)] == called[len(NAMES) : 2 * len(NAMES)]  # in turn
    figures = json.loads((tmp_path / "startup.json").read_text())
    for k, name in enumerate(NAMES, start=1):
        median = 1.5 * (k + len(NAMES))  # the second round
        assert figures[f"{name}, CPU s"] == pytest.approx(median)
        assert figures[f"{name}, over import torch"] == pytest.approx(median / (1.5 * 7))
    assert "cold start, median of 3" in capsys.readouterr().out


def test_the_time_of_a_process_is_measured() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    assert 0.3 <= startup.cpu_seconds([sys.executable, "-c", busy]) < 3


@pytest.mark.parametrize(
    ("code", "reason"),
    [("raise ValueError('no voice')", "ValueError: no voice"), ("exit(3)", "no message")],
)
def test_a_command_that_fails_is_named_with_its_last_line(code: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        startup.cpu_seconds([sys.executable, "-c", code, "speak", "Hello."])
    assert str(caught.value) == f"speak Hello. failed: {reason}"


def test_there_must_be_a_round() -> None:
    with pytest.raises(InputError, match="rounds: 0 is not positive"):
        startup.bench(rounds=0)
