"""Training over two nodes: two launchers on this machine, each with a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.ddp.launch import TESTS, free_port
from support.tiny import CONFIG

from oneleap.domains.main import main

NODES = 2


def launched(folder: Path, *options: str) -> list[subprocess.CompletedProcess[str]]:
    """Run ``torchrun`` once per node, as SLURM or a person would."""
    env = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    port, started = free_port(), []
    for node in range(NODES):
        argv = [sys.executable, "-m", "torch.distributed.run", "--nnodes", str(NODES)]
        argv += ["--node_rank", str(node), "--nproc_per_node", "1"]
        argv += ["--master_addr", "127.0.0.1", "--master_port", port]
        argv += ["-m", "oneleap.domains.main", "fit", "--config", "tiny.yaml"]
        argv += ["--trainer.num_nodes", str(NODES), "--trainer.devices", "1"]
        argv += ["--trainer.strategy", "ddp", "--trainer.accelerator", "cpu", *options]
        with (folder / f"node{node}.log").open("w") as log:
            started.append(subprocess.Popen(argv, env=env, cwd=folder, stdout=log, stderr=log))
    try:
        codes = [process.wait(timeout=900) for process in started]
    finally:
        for process in started:
            process.kill()
    texts = [(folder / f"node{node}.log").read_text() for node in range(NODES)]
    return [
        subprocess.CompletedProcess([], code, text) for code, text in zip(codes, texts, strict=True)
    ]


@pytest.mark.slow
def test_two_nodes_share_one_run_and_resume_it(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    for more in ([], ["--ckpt_path", "last", "--trainer.max_steps", "60"]):
        nodes = launched(tmp_path, *more)
        assert [node.returncode for node in nodes] == [0, 0], "\n".join(n.stdout for n in nodes)
        (run,) = (tmp_path / "runs" / "tiny").iterdir()
        model = f"model: {run.relative_to(tmp_path)}/model\n"
        assert [model in node.stdout for node in nodes] == [True, False]  # the first node says it
    lines = (run / "metrics.csv").read_text().splitlines()[1:]
    steps = [line.split(",")[0] for line in lines]
    assert len(steps) == len(set(steps))
    assert max(map(int, steps)) == 60
    text = (run / "model" / "README.md").read_text()
    assert "60" in text


@pytest.mark.parametrize(
    "strategy",
    [
        "fsdp",
        "fsdp_cpu_offload",
        "deepspeed_stage_2",
        '{"class_path": "lightning.pytorch.strategies.ModelParallelStrategy"}',
    ],
)
def test_strategies_that_split_the_weights_are_refused(
    strategy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    assert main(["fit", "--config", "tiny.yaml", "--trainer.strategy", strategy]) == 2
    err = capsys.readouterr().err
    assert "trainer.strategy: " in err
    assert "use ddp" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "runs").exists()
