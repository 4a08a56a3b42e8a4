"""What was saved by earlier code loads, goes on and sounds as it did.

The runs here were made by oneleap 0.1.0 before its modules moved (``make.py``): ``config.yaml``,
``config.json`` and checkpoints have its class paths and flat arguments. The hashes of continued
weights hold to the bit on a machine as the one that made them; everywhere else numbers are near.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from legacy import outputs as by

HERE = Path(__file__).parent
NAMES = sorted(by.OUTPUTS)
FAST = ("rl_ofql", "robot_dm1", "speech_flow", "singing_acoustic", "audio_nsf")
"""Kinds of runs that are gone on with in every test run."""

QUICK = ("compose tunes",)
"""Commands that are given in every test run."""

NEEDS = {
    "rl": ("h5py", "gymnasium"),
    "robot": ("h5py",),
    "speech": ("soundfile", "soxr", "numba"),
    "singing": ("soundfile", "soxr", "pyworld"),
    "music": ("soundfile", "soxr"),
    "audio": ("soundfile", "soxr", "pyworld"),
    "sing": ("soundfile", "defusedxml", "pyopenjtalk"),
    "compose": ("soundfile",),
}


ALONE = """
import sys
import torch
torch.set_num_threads(1)
from oneleap.domains.main import main
sys.exit(main(sys.argv[1:]))
"""
"""Program that gives a command as the process that made the runs did."""


def need(name: str) -> None:
    for module in NEEDS[name.partition(" ")[0].partition("_")[0]]:
        pytest.importorskip(module)


def expected(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / name / "expected.json").read_text(encoding="utf-8"))
    return found


def near(
    got: Mapping[str, list[float]],
    wanted: Mapping[str, list[float]],
    rtol: float = 1e-5,
    atol: float = 1e-6,
) -> None:
    assert got.keys() == wanted.keys()
    for key, values in wanted.items():
        a, b = torch.tensor(got[key]).double(), torch.tensor(values).double()
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol, msg=lambda m, k=key: f"{k}: {m}")


def slow_unless(fast: Sequence[str], names: list[str]) -> list[Any]:
    slow = pytest.mark.slow
    return [name if name in fast else pytest.param(name, marks=slow) for name in names]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all runs and data, as the present folder: their paths are relative to it."""
    for name in [*NAMES, "data"]:
        shutil.copytree(HERE / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def same_figures(
    got: list[dict[str, str]], wanted: list[dict[str, str]], rtol: float = 1e-4
) -> None:
    assert [row["step"] for row in got] == [row["step"] for row in wanted]
    for mine, theirs in zip(got, wanted, strict=True):
        assert mine.keys() == theirs.keys()
        for key, value in theirs.items():
            assert float(mine[key]) == pytest.approx(float(value), rel=rtol, abs=1e-5), (
                f"{key} at step {theirs['step']}"
            )


def test_all_runs_are_here() -> None:
    assert sorted(p.parent.name for p in HERE.glob("*/config.yaml")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_loads_and_gives_what_it_gave(name: str) -> None:
    near(by.outputs(name, HERE / name / "model"), expected(name)["outputs"])


@pytest.mark.parametrize("name", slow_unless(FAST, [n for n in NAMES if n not in by.FRESH]))
def test_a_run_is_gone_on_with(name: str, runs: Path) -> None:
    need(name)
    run = ["--config", f"{name}/config.yaml", "--run", name]
    argv = ["fit", *run, "--ckpt_path", "last", "--trainer.max_steps", "20"]
    # In a process of its own: what other tests ran before changes the last bits of sums.
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", ALONE, *argv], check=False)
    assert done.returncode == 0
    wanted = expected(name)
    same_figures([row for row in by.rows(runs / name) if int(row["step"]) >= 10], wanted["metrics"])
    before = [row for row in by.rows(HERE / name) if int(row["step"]) < 10]
    assert [row for row in by.rows(runs / name) if int(row["step"]) < 10] == before
    near(by.outputs(name, runs / name / "model"), wanted["outputs_after_20"], 1e-3, 1e-4)
    if by.machine() == wanted["made_with"]:
        same_weights(by.hashes(runs / name / "model"), wanted["weights"])


def same_weights(got: dict[str, str], wanted: dict[str, str]) -> None:
    """To the bit; names may have changed, and what only training needs may be left out."""
    if got.keys() == wanted.keys():
        assert got == wanted
    averages = {w for n, w in wanted.items() if n.startswith("average.")}
    assert (averages or set(wanted.values())) <= set(got.values()) <= set(wanted.values())


@pytest.mark.parametrize("name", slow_unless(["music_ctd"], NAMES))
def test_an_old_configuration_trains_as_it_did(name: str, runs: Path) -> None:
    need(name)
    assert by.main("fit", "--config", f"{name}/config.yaml", "--run", "anew") == 0
    same_figures(by.rows(runs / "anew"), by.rows(HERE / name))
    near(by.outputs(name, runs / "anew" / "model"), expected(name)["outputs"], 1e-3, 1e-4)


@pytest.mark.parametrize("command", slow_unless(QUICK, list(by.COMMANDS)))
def test_what_ships_sounds_as_it_did(command: str, tmp_path: Path) -> None:
    need(command)
    wanted = expected("shipped")["commands"][command]
    got = by.sound(command, tmp_path)
    assert (got["count"], got["sample_rate"]) == (wanted["count"], wanted["sample_rate"])
    samples, before = got["samples"], wanted["samples"]
    if not command.startswith("compose"):
        samples, before = releveled(samples, before), before[1:-1]
    near({"wave": samples}, {"wave": before}, 0, 1e-4)


def releveled(samples: list[float], before: list[float]) -> list[float]:
    """Undo the one loudness of speech and songs, which is newer: a gain, and fades at the ends.

    Args:
        samples: Samples of the sound of today, its first and last among them.
        before: The same samples of the sound of before.

    Returns:
        The samples between the ends, times the gain that fits best, and shifted by at most 1e-3.
    """
    now, then = (torch.tensor(row[1:-1]).double() for row in (samples, before))
    terms = torch.stack([now, torch.ones_like(now)], 1)
    gain, offset = torch.linalg.lstsq(terms, then.unsqueeze(1)).solution[:, 0]
    assert 0.05 < float(gain) < 20
    assert abs(float(offset)) < 1e-3
    return [float(x) for x in gain * now + offset]


def test_what_ships_does_as_it_did() -> None:
    need("compose")
    near(by.by_hand(), expected("shipped")["functions"], 1e-4, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rl_ofql", "singing_durations", "music_flow", "audio_nsf"])
def test_it_loads_in_a_process_that_imported_nothing_else(name: str) -> None:
    code = "import sys; from oneleap.core import load_pretrained; load_pretrained(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, str(HERE / name / "model")], check=True)
