import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from oneleap.core.errors import InputError, Notice
from oneleap.domains.robot.evaluation.workers import HOPELESS, each


@dataclass(frozen=True)
class Squares:
    """Squares numbers; some kill their process, some are refused."""

    deadly: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()

    def __call__(self) -> Callable[[int], int]:
        return self.square

    def square(self, job: int) -> int:
        if job in self.deadly:
            os._exit(7)
        if job in self.refused:
            raise InputError(f"{job} is not to be squared")
        return job * job


def test_every_job_is_done_once() -> None:
    assert dict(each(Squares(), range(7), 2)) == {k: k * k for k in range(7)}
    assert dict(each(Squares(), (), 2)) == {}


def test_a_process_that_dies_is_replaced_and_its_job_lost() -> None:
    with pytest.warns(Notice, match="died with exit status 7; its job 2 counts as failed"):
        found = dict(each(Squares(deadly=(2,)), range(5), 1))
    assert found == {0: 0, 1: 1, 2: None, 3: 9, 4: 16}


@pytest.mark.filterwarnings("ignore:a worker died")
def test_processes_that_only_die_are_given_up() -> None:
    jobs = tuple(range(HOPELESS))
    with pytest.raises(InputError, match="workers die before they have done anything"):
        list(each(Squares(deadly=jobs), jobs, 1))


@pytest.mark.filterwarnings("ignore:a worker died")
def test_where_nothing_was_done_there_is_no_result() -> None:
    with pytest.raises(InputError, match="all workers died"):
        list(each(Squares(deadly=(0,)), range(1), 1))


def test_a_refusal_is_the_callers() -> None:
    with pytest.raises(InputError, match=r"^1 is not to be squared$"):
        list(each(Squares(refused=(1,)), range(3), 1))
    with pytest.raises(InputError, match="workers: 0 is not positive"):
        list(each(Squares(), range(3), 0))
