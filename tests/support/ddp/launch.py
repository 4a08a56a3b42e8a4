"""Runs a worker in several processes that train together by gloo."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy

PROCESSES = 2
TESTS = Path(__file__).parents[2]


def free_port() -> str:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return str(server.getsockname()[1])


def together(worker: Path, folder: Path, *arguments: str) -> list[Any]:
    """Run ``worker FILE arguments`` once per rank; what each wrote to its file by ``torch.save``.

    Shapes are not checked in these processes.
    """
    port, workers = free_port(), []
    for rank in range(PROCESSES):
        own = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        own |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "WORLD_SIZE": str(PROCESSES)}
        with (folder / f"{rank}.log").open("w") as log:
            argv = [sys.executable, str(worker), str(folder / f"{rank}.pt"), *arguments]
            env = {**os.environ, **own, "PYTHONPATH": str(TESTS)}
            workers.append(subprocess.Popen(argv, env=env, stdout=log, stderr=log, cwd=folder))
    try:
        codes = [worker.wait(timeout=600) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    logs = "\n".join((folder / f"{rank}.log").read_text() for rank in range(PROCESSES))
    assert codes == [0] * PROCESSES, logs
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(PROCESSES)]


def ddp(**options: Any) -> dict[str, Any]:
    """Arguments of a trainer in such a process."""
    environment = LightningEnvironment()
    strategy = DDPStrategy(process_group_backend="gloo", cluster_environment=environment, **options)
    return {"devices": PROCESSES, "strategy": strategy}
