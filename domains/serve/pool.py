"""Worker threads with a bounded queue, and jobs that can be stopped."""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from typing import Any, Generic, TypeVar

from oneleap.domains.serve.errors import RequestError
from oneleap.domains.serve.limits import Limits
from oneleap.domains.serve.memory import IDLE_TRIM_S, TRIM_EVERY, trim_memory

T = TypeVar("T")

LONGEST_RETRY_S = 60
"""Largest number of seconds after which a client is told to try again."""


class Stopped(Exception):
    """A job ended because its client left, its time was over, or the server stops."""


class Job(Generic[T]):
    """Work of one request in a worker thread.

    Args:
        seconds: Time that it may take, its waiting included.
    """

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.future: Future[None]
        self._stop, self._value = Event(), list[T]()

    def check(self) -> None:
        """Raise if the job should end; the work calls this as often as it can.

        Raises:
            Stopped: If it should.
        """
        if self._stop.is_set() or time.monotonic() > self.end:
            raise Stopped

    def finish(self, value: T) -> None:
        """Keep the result of the work until it is taken."""
        self._value.append(value)

    def take(self) -> T:
        """Return the result of a job that has ended, once.

        The future does not hold it: futures and their callbacks refer to each other, so that only
        the garbage collector would free a sound of some hundred kilobytes.
        """
        return self._value.pop()

    def result(self, seconds: float | None = None) -> T:
        """Wait for the end of the job, and return its result, once.

        Args:
            seconds: Longest time to wait; by default without end.

        Raises:
            Stopped: If it was stopped while it worked.
            TimeoutError: If it has not ended.
        """
        self.future.result(seconds)
        return self.take()

    def stop(self) -> None:
        """End the job: at once if it still waits, else at its next :meth:`check`."""
        self._stop.set()
        self.future.cancel()


class Pool:
    """Worker threads with a bounded queue.

    Args:
        limits: Number of threads, length of the queue and time of a job.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.waiting = self.running = 0
        self._seconds, self._done, self._trimmed = 1.0, 0, time.monotonic()
        self._lock, self._jobs = Lock(), set[Job[Any]]()
        self._executor = ThreadPoolExecutor(limits.workers, "oneleap-worker", _one_thread)

    def submit(self, work: Callable[[Job[T]], T]) -> Job[T]:
        """Queue some work.

        Args:
            work: Function of its job, called in a worker thread.

        Returns:
            The job.

        Raises:
            RequestError: If the queue is full; status 503 with ``Retry-After``.
        """
        with self._lock:
            if self.waiting + self.running >= self.limits.workers + self.limits.queue:
                raise self._busy()
            self.waiting += 1
        job = Job[T](self.limits.seconds)
        job.future = self._executor.submit(self._run, job, work)
        job.future.add_done_callback(self._ended)
        return job

    def _busy(self) -> RequestError:
        ahead = self._seconds * (self.waiting + self.running) / self.limits.workers
        seconds = min(max(math.ceil(ahead), 1), LONGEST_RETRY_S)
        message = f"the server is busy: {self.waiting} requests wait; try again in {seconds} s"
        return RequestError(503, message, None, "busy", {"Retry-After": str(seconds)})

    def _run(self, job: Job[T], work: Callable[[Job[T]], T]) -> None:
        with self._lock:
            self.waiting -= 1
            self.running += 1
            self._jobs.add(job)
        start = time.monotonic()
        try:
            job.check()
            job.finish(work(job))
        finally:
            with self._lock:
                self.running -= 1
                self._jobs.discard(job)
                self._seconds += 0.1 * (time.monotonic() - start - self._seconds)
                self._done += 1
                trims = self._done % TRIM_EVERY == 0 or self._idle_for_long()
                if trims:
                    self._trimmed = time.monotonic()
            if trims:
                trim_memory()

    def _idle_for_long(self) -> bool:
        """Return whether nothing works or waits, and freed memory was not returned lately."""
        idle = self.waiting + self.running == 0
        return idle and time.monotonic() - self._trimmed > IDLE_TRIM_S

    def _ended(self, future: Future[None]) -> None:
        if future.cancelled():  # before it began
            with self._lock:
                self.waiting -= 1

    def close(self) -> None:
        """Stop all jobs, and wait until the threads have ended."""
        with self._lock:
            running = list(self._jobs)
        for job in running:
            job.stop()
        self._executor.shutdown(cancel_futures=True)


def _one_thread() -> None:
    """Let torch use one thread in this worker: several requests share the cores."""
    import torch

    torch.set_num_threads(1)
