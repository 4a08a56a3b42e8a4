"""A full disk: one line, the last checkpoint stays whole, the run goes on when there is room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.tiny import CONFIG

from oneleap.domains.main import main

SIZE = 4 << 20


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of four megabytes, which needs the permission to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no permission to mount a file system")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, left: int) -> Path:
    """Fill a disk but for some bytes."""
    filler = folder / "filler"
    free = os.statvfs(folder)
    with filler.open("wb") as file:
        file.write(bytes(max(0, free.f_bavail * free.f_frsize - left)))
    return filler


@pytest.mark.slow
@pytest.mark.parametrize("left", [0, 4096, 8192, 16384, 24576])
def test_a_full_disk_is_a_line_and_costs_nothing(
    left: int, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = ["fit", "--config", "tiny.yaml"]
    assert main([*fit, "--run", "whole"]) == 0
    assert main([*fit, "--run", "disk/run", "--trainer.max_steps", "20"]) == 0
    filler = fill(disk, left)
    capsys.readouterr()
    resume = [*fit, "--run", "disk/run", "--ckpt_path", "last"]
    status = main(resume)
    said = capsys.readouterr().err.splitlines()
    assert status == 2
    assert said[-1].startswith("oneleap: disk/run/")
    assert said[-1].endswith("No space left on device")
    assert torch.load("disk/run/checkpoints/last.ckpt", weights_only=True)["global_step"] >= 20
    filler.unlink()
    assert main(resume) == 0
    one, two = (load_file(f"{run}/model/model.safetensors") for run in ("disk/run", "whole"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    texts = [Path(run, "metrics.csv").read_text() for run in ("disk/run", "whole")]
    assert texts[0] == texts[1]
    assert not [path for path in disk.rglob(".*")]
