import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from oneleap.core.errors import InputError, Notice
from oneleap.domains.robot.evaluation.workers import MAX_DEATHS, run_jobs


@dataclass(frozen=True)
class Squares:
    """Squares numbers; some numbers kill the process, some are refused."""

    deadly: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()

    def __call__(self) -> Callable[[int], int]:
        return self.square

    def square(self, job: int) -> int:
        if job in self.deadly:
            os._exit(7)
        if job in self.refused:
            raise InputError(f"{job} must not be squared")
        return job * job


def test_every_job_is_done_once() -> None:
    assert dict(run_jobs(Squares(), range(7), 2)) == {k: k * k for k in range(7)}
    assert dict(run_jobs(Squares(), (), 2)) == {}


def test_a_process_that_dies_is_replaced_and_its_job_is_lost() -> None:
    with pytest.warns(Notice, match="died with exit status 7; its job 2 counts as failed"):
        found = dict(run_jobs(Squares(deadly=(2,)), range(5), 1))
    assert found == {0: 0, 1: 1, 2: None, 3: 9, 4: 16}


@pytest.mark.filterwarnings("ignore:a worker died")
def test_too_many_deaths_end_the_run() -> None:
    jobs = tuple(range(MAX_DEATHS))
    with pytest.raises(InputError, match="workers die before they finish a job"):
        list(run_jobs(Squares(deadly=jobs), jobs, 1))


@pytest.mark.filterwarnings("ignore:a worker died")
def test_without_any_result_there_is_an_error() -> None:
    with pytest.raises(InputError, match="all workers died"):
        list(run_jobs(Squares(deadly=(0,)), range(1), 1))


def test_an_input_error_reaches_the_caller() -> None:
    with pytest.raises(InputError, match=r"^1 must not be squared$"):
        list(run_jobs(Squares(refused=(1,)), range(3), 1))
    with pytest.raises(InputError, match="workers: 0 is not positive"):
        list(run_jobs(Squares(), range(3), 0))
