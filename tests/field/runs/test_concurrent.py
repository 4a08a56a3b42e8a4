"""Several commands that start in the same second: each has a folder of its own."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.tiny import CONFIG, complain

from oneleap.core.training.run import claimed_folder
from oneleap.domains.main import main
from oneleap.domains.rl.commands import sweep as sweeping
from oneleap.domains.rl.commands import sweep_check

TESTS = Path(__file__).parents[2]
SAME_SECOND = """
import sys, time
time.strftime = lambda *args: "2026-01-01_00-00-00"
from oneleap.domains.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return tmp_path


def test_of_many_at_once_each_gets_another_folder(here: Path) -> None:
    n = 16
    start = threading.Barrier(n)

    def claim(_: int) -> Path:
        start.wait()
        return held.enter_context(claimed_folder(here / "runs" / "x" / "now", fresh=True))

    with ExitStack() as held, ThreadPoolExecutor(n) as pool:
        folders = list(pool.map(claim, range(n)))
        names = {"now", *(f"now-{k}" for k in range(2, n + 1))}
        assert {folder.name for folder in folders} == names
    assert not list(here.glob("runs/x/*"))  # all stayed empty


def test_two_runs_of_the_same_second_are_two_runs(here: Path) -> None:
    command = [sys.executable, "-c", SAME_SECOND, "fit", "--config", "tiny.yaml"]
    env = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    runs = [
        subprocess.Popen([*command, f"--model.seed={seed}"], env=env, stderr=subprocess.PIPE)
        for seed in (0, 1)
    ]
    for run in runs:
        said = run.communicate(timeout=300)[1].decode()
        assert run.returncode == 0, said
    folders = sorted((here / "runs" / "tiny").iterdir())
    assert [f.name for f in folders] == ["2026-01-01_00-00-00", "2026-01-01_00-00-00-2"]
    rows = [(folder / "metrics.csv").read_text() for folder in folders]
    assert all(len(text.splitlines()) == 1 + 8 + 4 for text in rows)  # losses and scores of one
    assert rows[0] != rows[1]
    weights = [(folder / "model" / "model.safetensors").read_bytes() for folder in folders]
    assert weights[0] != weights[1]


def test_a_run_in_use_is_neither_resumed_nor_started_again(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--config", "tiny.yaml", "--run", "a"]) == 0
    capsys.readouterr()
    with claimed_folder(here / "a"):
        for more in ("", " --ckpt_path last --trainer.max_steps 60"):
            said = complain(capsys, f"fit --config tiny.yaml --run a{more}")
            assert said.startswith("a is in use by another process: wait for its end")
    resumed = ["--ckpt_path", "last", "--trainer.max_steps", "50"]
    assert main(["fit", "--config", "tiny.yaml", "--run", "a", *resumed]) == 0


def test_a_refused_run_leaves_no_folder(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    complain(capsys, "fit --config tiny.yaml --data.path nowhere")
    assert not (here / "runs").exists()


def test_a_sweep_and_a_demonstration_have_their_folder_alone(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_run", lambda *args: 0)
    monkeypatch.setattr(sweep_check, "check_sweep", lambda *args: None)
    with claimed_folder(here / "swept"), claimed_folder(here / "shown"):
        assert "is in use by another process" in complain(capsys, "sweep rl/ofql_d4rl --out swept")
        (here / "score.musicxml").touch()
        said = complain(capsys, "demo --run shown --score score.musicxml")
        assert said.startswith("shown is in use by another process")
    assert sweeping.sweep("rl/ofql_d4rl", out=here / "swept") == 0
