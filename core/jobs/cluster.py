"""Runs jobs on the nodes of a Ray cluster, which share their folders."""

import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from oneleap.core.errors import InputError
from oneleap.core.jobs.processes import Job, run_job

RETRIES = 3
"""How often a job starts again if its node dies."""

TIED = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
"""Program that runs another one, which Linux kills when the process that started it ends.

Ray kills its processes when a command is interrupted, and their jobs must not train on. 1 is
``PR_SET_PDEATHSIG``, 9 is ``SIGKILL``.
"""

ANSWER_S = 10.0
"""How long to wait for a cluster to answer, in seconds."""

START = "start one with ray start --head, and join other nodes to it (docs/howto/scale.md)"
"""What to do without a cluster."""


def run_on_ray(
    jobs: Mapping[str, Job],
    address: str,
    finished: Callable[[str], None],
    *,
    at_once: int | None = None,
    threads: int = 1,
    gpus: float = 0.0,
) -> dict[str, str]:
    """Run jobs on the nodes of a cluster, each where there is room for it.

    The jobs run in the current folder, which every node must see under the same name. If a node
    dies, its jobs start again on another.

    Args:
        jobs: Jobs by name.
        address: Address of a running cluster, ``HOST:PORT``; ``auto`` finds the one that this
            machine belongs to.
        finished: Called with the name of each job that succeeds.
        at_once: Largest number of jobs at the same time; by default as many as the cluster has
            room for.
        threads: Cores that each job takes.
        gpus: GPUs that each job takes; a fraction shares one.

    Returns:
        The reason of each failure by name; jobs that succeed are not in it.

    Raises:
        InputError: There is no such cluster, or none of its nodes has room for a job.
    """
    import ray

    here, waiting, running = str(Path.cwd()), list(jobs), dict[Any, str]()
    failed: dict[str, str] = {}
    with connected(address):
        require_room(ray.nodes(), {"CPU": threads, "GPU": gpus})
        task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=RETRIES)(on_node)
        while waiting or running:
            while waiting and len(running) < (at_once or len(jobs)):
                name = waiting.pop(0)
                running[task.remote(jobs[name], here, gpus > 0)] = name
            (done, *_), _ = ray.wait(list(running))
            name = running.pop(done)
            try:
                reason = ray.get(done)
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[-1]
            if reason is None:
                finished(name)
            else:
                failed[name] = reason
    return failed


def on_node(job: Job, folder: str, gpu: bool = False) -> str | None:
    """Run a job on this node.

    Args:
        job: The job.
        folder: Folder in which it runs.
        gpu: Whether it may use the GPUs that Ray gives it; else it sees none.

    Returns:
        The reason if it fails.
    """
    for path in (folder, job.log.parent):
        if not Path(path).is_dir():
            return f"{socket.gethostname()}: {path} is missing: all nodes must see this folder"
    env = {} if gpu else {"CUDA_VISIBLE_DEVICES": ""}
    if sys.platform == "linux":
        job = replace(job, arguments=("-c", TIED, *job.arguments))
    return run_job(job, Path(folder), env)


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Connect to a running cluster, unless this process is connected already.

    Raises:
        InputError: There is none.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else Ray warns of a change
    try:
        require_answer(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"ray: no cluster at {address} ({reason}): {START}") from None
    try:
        yield
    finally:
        ray.shutdown()


def require_answer(address: str) -> None:
    """Try to reach a cluster; Ray itself tries for minutes.

    Args:
        address: ``HOST:PORT``, with or without ``ray://``; another address, such as ``auto``, is
            left to Ray.

    Raises:
        OSError: Nothing answers there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S):
            pass


def require_room(nodes: list[dict[str, Any]], wanted: Mapping[str, int | float]) -> None:
    """Refuse jobs that would wait for ever, because no node is large enough.

    Args:
        nodes: Ray's description of the nodes.
        wanted: Amount of each resource that a job takes.

    Raises:
        InputError: No living node has them.
    """
    rooms = [node["Resources"] for node in nodes if node["Alive"]]
    if not any(all(room.get(k, 0.0) >= n for k, n in wanted.items()) for room in rooms):
        kinds = {"CPU": "--threads", "GPU": "--gpus"}
        most = {k: max((room.get(k, 0.0) for room in rooms), default=0.0) for k in kinds}
        asked = ", ".join(f"{kinds[k]} {n:g} of at most {most[k]:g}" for k, n in wanted.items())
        raise InputError(f"ray: no node has room for a job: {asked}")
