"""A file appears whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from oneleap.core.files import atomic_write


def test_the_block_names_a_neighbour_with_the_same_suffix(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "deep" / "a.csv") as path:
        assert path.parent == tmp_path / "deep"
        assert path.suffix == ".csv"
        path.write_text("x")
        assert not (tmp_path / "deep" / "a.csv").exists()
    assert (tmp_path / "deep" / "a.csv").read_text() == "x"
    assert os.listdir(tmp_path / "deep") == ["a.csv"]


def test_a_failing_block_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "a") as path:
        path.write_text(f"half of the ne{1 / 0}")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_killed_process_leaves_no_half_file(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys\n"
        "from oneleap.core.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as path:\n"
        "    path.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "a").write_text("old")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_text() == "old"


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with atomic_write(tmp_path / "a") as path:
        path.unlink()
        os.close(os.open(path, os.O_CREAT, 0o600))  # as safetensors does
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode
