"""Jobs in worker processes, in which simulations run; a worker that dies is replaced."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from oneleap.core.errors import InputError, Notice
from oneleap.core.hub.trust import import_packages

J = TypeVar("J")
R = TypeVar("R")

MAX_DEATHS = 3
"""Number of deaths in a row, without a job done in between, after which the run is given up."""


@dataclass
class Worker(Generic[J]):
    """A busy worker process.

    Attributes:
        process: The process.
        pipe: Connection to the process.
        job: Job that the process is doing.
    """

    process: SpawnProcess
    pipe: "connection.Connection[object, object]"
    job: J


def run_jobs(
    make: Callable[[], Callable[[J], R]], jobs: Iterable[J], workers: int
) -> Iterator[tuple[J, R | None]]:
    """Do jobs in worker processes; yield each job with its result when it is done, in any order.

    When a worker dies, its job has the result ``None``, a warning says so, and another worker
    starts.

    Args:
        make: Called once in each process; returns the function that does a job. It must be
            picklable.
        jobs: Jobs, taken when workers are idle. They may be endless: the caller may stop iterating.
        workers: Number of processes.

    Raises:
        InputError: A worker raised it, or workers die without doing any job.
    """
    if workers < 1:
        raise InputError(f"workers: {workers} is not positive")
    queue, busy, deaths, done = iter(jobs), list[Worker[J]](), 0, 0
    idle: list[tuple[SpawnProcess, connection.Connection[object, object]]] = []
    try:
        while True:
            for job in _take(queue, workers - len(busy)):
                process, pipe = idle.pop() if idle else _start(make)
                with suppress(OSError):  # if the worker has died, receiving will show it
                    pipe.send(job)
                busy.append(Worker(process, pipe, job))
            if not busy:
                if deaths and not done:
                    raise InputError("all workers died; their own messages are above")
                return
            ready = connection.wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                busy.remove(worker)
                try:
                    answer: Any = worker.pipe.recv()
                except (EOFError, OSError):
                    deaths += 1
                    _report_death(worker, deaths)
                    yield worker.job, None
                    continue
                if answer[0] == "input":
                    raise InputError(answer[1])
                deaths, done = 0, done + 1
                idle.append((worker.process, worker.pipe))
                yield worker.job, answer[1]
    finally:
        for process in [w.process for w in busy] + [process for process, _ in idle]:
            process.terminate()
            process.join()


def _take(queue: Iterator[J], n: int) -> Iterator[J]:
    for _ in range(n):
        try:
            yield next(queue)
        except StopIteration:
            return


def _start(
    make: Callable[[], Callable[[J], R]],
) -> "tuple[SpawnProcess, connection.Connection[object, object]]":
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, make), daemon=True)
    process.start()
    theirs.close()  # otherwise the end of the process would not close the pipe
    return process, ours


def _report_death(worker: Worker[J], deaths: int) -> None:
    """Warn of a worker's death, or give up after too many.

    Raises:
        InputError: :data:`MAX_DEATHS` is reached.
    """
    worker.process.join()
    code = worker.process.exitcode
    if deaths >= MAX_DEATHS:
        raise InputError(
            f"workers die before they finish a job (exit status {code}); their own messages are "
            "above"
        )
    warnings.warn(
        f"a worker died with exit status {code}; its job {worker.job} counts as failed",
        Notice,
        stacklevel=3,
    )


def _serve(
    pipe: "connection.Connection[object, object]", make: Callable[[], Callable[[object], object]]
) -> None:
    """Do jobs in a worker process until the pipe is closed."""
    os.environ["OMP_NUM_THREADS"] = "1"  # the workers together use the cores
    try:
        import_packages()  # they may register environments
        work = make()
        while True:
            pipe.send(("done", work(pipe.recv())))
    except InputError as error:
        pipe.send(("input", str(error)))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        return
