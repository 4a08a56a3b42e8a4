"""A file appears whole or not at all."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oneleap.core.files import atomic_write, naming, remove_leftovers


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


KILLED = (
    "import os, signal, sys\n"
    "from oneleap.core.files import atomic_write\n"
    "with atomic_write(sys.argv[1]) as path:\n"
    "    path.write_text('half')\n"
    "    os.kill(os.getpid(), signal.SIGKILL)\n"
)


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    keep = [".hidden-12345678.txt", ".a-tmp.txt", f".a-tmp{os.getpid()}-0123abcd.txt", "b.txt"]
    for name in keep:
        (tmp_path / name).touch()
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.txt")], check=False)
    (left,) = set(os.listdir(tmp_path)) - set(keep)
    assert left.startswith(".a-tmp")
    with atomic_write(tmp_path / "other.csv") as path:
        path.touch()
    assert sorted(os.listdir(tmp_path)) == sorted([*keep, "other.csv"])


HOLDER = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""
"""Program that locks a file until its input ends."""


def test_a_file_that_another_process_holds_is_not_removed(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    held = tmp_path / f".a-tmp{ended.pid}-0123abcd.txt"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(held)], **pipes) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        remove_leftovers(tmp_path)
        assert held.exists()
        holder.communicate()
    remove_leftovers(tmp_path)
    assert not held.exists()


def test_hdf5_takes_its_own_lock_of_a_file_that_is_written(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with atomic_write(tmp_path / "a.hdf5") as path, h5py.File(path, "w") as file:
        file["x"] = [1, 2]
    with h5py.File(tmp_path / "a.hdf5") as file:
        assert file["x"][:].tolist() == [1, 2]


WRITERS = {
    "torch": "import torch; torch.save({'a': torch.zeros(90_000)}, path)",
    "safetensors": (
        "import torch; from safetensors.torch import save_file\n"
        "    save_file({'a': torch.zeros(90_000)}, path)"
    ),
    "numpy": "import numpy; numpy.save(path, numpy.zeros(90_000), allow_pickle=False)",
    "text": "path.write_text('x' * 900_000)",
    "soundfile": "import soundfile; soundfile.write(path, [0.0] * 900_000, 8000, format='WAV')",
}
"""What fails by an error of its own when no more can be written."""


@pytest.mark.parametrize("writer", WRITERS)
def test_a_disk_that_takes_no_more_is_the_reason_and_the_file_is_named(
    writer: str, tmp_path: Path
) -> None:
    """The system's limit on the size of a file stands for a full disk."""
    pytest.importorskip("resource")
    if writer == "soundfile":
        pytest.importorskip("soundfile")
    code = (
        "import resource, sys\n"
        "from oneleap.core.files import atomic_write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "  with atomic_write(sys.argv[1]) as path:\n"
        f"    {WRITERS[writer]}\n"
        "except OSError as error:\n"
        "  print(error.filename, error.strerror)\n"
    )
    target = tmp_path / "a.npy"
    done = subprocess.run(
        [sys.executable, "-c", code, str(target)], check=False, capture_output=True, text=True
    )
    assert done.stdout == f"{target} {os.strerror(errno.EFBIG)}\n", done.stderr
    assert os.listdir(tmp_path) == []


def test_errors_that_are_not_the_disks_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="of its own"), naming(tmp_path / "a"):
        raise RuntimeError("of its own")
    with pytest.raises(FileNotFoundError) as error, naming(tmp_path / "a"):
        (tmp_path / "nowhere").read_bytes()
    assert error.value.filename == str(tmp_path / "nowhere")
    with pytest.raises(OSError, match="No space") as full, naming(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert full.value.filename == str(tmp_path / "a")
    assert os.listdir(tmp_path) == []
