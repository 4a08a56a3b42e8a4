"""Simulations in processes of their own; one that dies is replaced, and its job is lost."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeVar

from oneleap.core.errors import InputError, Notice

J = TypeVar("J")
R = TypeVar("R")

HOPELESS = 3
"""Deaths in a row, with nothing done between, after which no more workers are started."""


@dataclass
class Worker(Generic[J]):
    """A process at work, and what it works on."""

    process: SpawnProcess
    pipe: "connection.Connection[object, object]"
    job: J


def each(
    make: Callable[[], Callable[[J], R]], jobs: Iterable[J], workers: int
) -> Iterator[tuple[J, R | None]]:
    """Do jobs in processes; yield each with its result as it is done, in no order.

    A process that dies is restarted: its job has the result ``None``, and there is a warning.

    Args:
        make: Called once in each process, returns what does a job; both are pickled.
        jobs: Taken as workers fall idle; may be endless, for the caller may stop iterating.
        workers: Processes.

    Raises:
        InputError: One was raised by a worker, or workers die without ever doing a job.
    """
    if workers < 1:
        raise InputError(f"workers: {workers} is not positive")
    queue, crew, deaths, done = iter(jobs), list[Worker[J]](), 0, 0
    idle: list[tuple[SpawnProcess, connection.Connection[object, object]]] = []
    try:
        while True:
            for job in _take(queue, workers - len(crew)):
                process, pipe = idle.pop() if idle else _start(make)
                with suppress(OSError):  # it died meanwhile, and reading will tell
                    pipe.send(job)
                crew.append(Worker(process, pipe, job))
            if not crew:
                if deaths and not done:
                    raise InputError("all workers died; what they said is above")
                return
            ready = connection.wait([worker.pipe for worker in crew])
            for worker in [worker for worker in crew if worker.pipe in ready]:
                crew.remove(worker)
                try:
                    answer: Any = worker.pipe.recv()
                except (EOFError, OSError):
                    deaths += 1
                    _bury(worker, deaths)
                    yield worker.job, None
                    continue
                if answer[0] == "input":
                    raise InputError(answer[1])
                deaths, done = 0, done + 1
                idle.append((worker.process, worker.pipe))
                yield worker.job, answer[1]
    finally:
        for process in [w.process for w in crew] + [process for process, _ in idle]:
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
    theirs.close()  # or its end would never be seen
    return process, ours


def _bury(worker: Worker[J], deaths: int) -> None:
    worker.process.join()
    code = worker.process.exitcode
    if deaths >= HOPELESS:
        raise InputError(
            f"workers die before they have done anything (exit status {code}); what they said is "
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
    """What a process does: jobs until the pipe is closed."""
    os.environ["OMP_NUM_THREADS"] = "1"  # as many processes as cores are at work
    try:
        work = make()
        while True:
            pipe.send(("done", work(pipe.recv())))
    except InputError as error:
        pipe.send(("input", str(error)))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        return
