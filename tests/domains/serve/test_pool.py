"""Workers: a bounded queue, jobs that stop, and figures that add up."""

import gc
import os
import threading
import time
import weakref

import pytest
import torch

from oneleap.domains.serve import memory
from oneleap.domains.serve import pool as pool_module
from oneleap.domains.serve.errors import RequestError
from oneleap.domains.serve.limits import Limits
from oneleap.domains.serve.pool import Job, Pool, Stopped


class Gate:
    """Work that waits until it is let go, or its job is stopped."""

    def __init__(self) -> None:
        self.open, self.begun = threading.Event(), threading.Event()

    def __call__(self, job: Job[int]) -> int:
        self.begun.set()
        while not self.open.wait(0.005):
            job.check()
        return 1


def test_the_queue_is_bounded_and_says_when_to_come_back() -> None:
    pool, gate = Pool(Limits(workers=1, queue=2)), Gate()
    jobs = [pool.submit(gate)]
    assert gate.begun.wait(10)
    jobs += [pool.submit(gate) for _ in range(2)]
    assert (pool.waiting, pool.running) == (2, 1)
    with pytest.raises(RequestError) as refused:
        pool.submit(gate)
    assert refused.value.status == 503
    assert int(refused.value.headers["Retry-After"]) >= 1
    gate.open.set()
    assert [job.result(10.0) for job in jobs] == [1, 1, 1]
    pool.close()
    assert (pool.waiting, pool.running) == (0, 0)


def test_a_job_that_waits_is_dropped_and_makes_room() -> None:
    pool, gate, late = Pool(Limits(workers=1, queue=1)), Gate(), Gate()
    first = pool.submit(gate)
    assert gate.begun.wait(10)
    second = pool.submit(late)
    second.stop()
    assert pool.waiting == 0
    third = pool.submit(gate)
    gate.open.set()
    assert first.result(10.0) == third.result(10.0) == 1
    pool.close()
    assert not late.begun.is_set()


def test_a_job_at_work_stops_at_its_next_check() -> None:
    pool, gate = Pool(Limits(workers=1, queue=1)), Gate()
    job = pool.submit(gate)
    assert gate.begun.wait(10)
    job.stop()
    with pytest.raises(Stopped):
        job.result(10.0)
    pool.close()
    assert pool.running == 0


def test_a_job_whose_time_is_over_does_not_begin() -> None:
    pool, gate, late = Pool(Limits(workers=1, queue=1, seconds=0.05)), Gate(), Gate()
    slow = pool.submit(gate)
    job = pool.submit(late)
    with pytest.raises(Stopped):
        slow.result(10.0)
    time.sleep(0.06)
    with pytest.raises(Stopped):
        job.result(10.0)
    pool.close()


def test_closing_stops_what_waits_and_what_works() -> None:
    pool, gate = Pool(Limits(workers=2, queue=8)), Gate()
    jobs = [pool.submit(gate) for _ in range(6)]
    assert gate.begun.wait(10)
    pool.close()
    assert all(job.future.done() for job in jobs)
    assert (pool.waiting, pool.running) == (0, 0)


def test_a_worker_has_one_thread_and_a_fault_does_not_end_it() -> None:
    pool = Pool(Limits(workers=1, queue=4))

    def fail(job: Job[int]) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pool.submit(fail).result(10.0)
    assert pool.submit(lambda job: torch.get_num_threads()).result(10.0) == 1
    pool.close()
    assert pool.running == 0


def test_freed_memory_is_returned_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed = list[int]()
    monkeypatch.setattr(pool_module, "trim_memory", lambda: trimmed.append(1))
    monkeypatch.setattr(pool_module, "IDLE_TRIM_S", 1e9)
    pool = Pool(Limits(workers=1, queue=64))
    jobs = [pool.submit(lambda job: 1) for _ in range(2 * memory.TRIM_EVERY + 1)]
    assert [job.result(10.0) for job in jobs] == [1] * len(jobs)
    pool.close()
    assert len(trimmed) == 2


def test_an_idle_server_returns_freed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed = list[int]()
    monkeypatch.setattr(pool_module, "trim_memory", lambda: trimmed.append(1))
    monkeypatch.setattr(pool_module, "IDLE_TRIM_S", -1.0)
    pool = Pool(Limits(workers=1, queue=64))
    assert pool.submit(lambda job: 1).result(10.0) == 1
    pool.close()
    assert len(trimmed) == 1


def test_the_number_of_compiled_operators_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(memory.PRIMITIVES, raising=False)
    memory.bound_primitives()
    assert os.environ[memory.PRIMITIVES] == str(memory.KEPT_PRIMITIVES)
    monkeypatch.setenv(memory.PRIMITIVES, "7")
    memory.bound_primitives()
    assert os.environ[memory.PRIMITIVES] == "7"
    memory.trim_memory()  # does no harm anywhere


def test_a_result_is_freed_when_it_was_taken() -> None:
    class Sound(bytearray):
        """A large result that weak references can watch."""

    pool = Pool(Limits(workers=1, queue=1))
    job = pool.submit(lambda job: Sound(1000))
    found = weakref.ref(job.result(10.0))
    gc.disable()  # no help from the garbage collector
    try:
        assert pool.submit(lambda job: 1).result(10.0) == 1  # the worker forgets the last work
        assert found() is None
    finally:
        gc.enable()
    pool.close()
