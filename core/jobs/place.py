"""Where jobs run: in processes of this machine, or on a Ray cluster."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oneleap.core.errors import InputError
from oneleap.core.jobs.processes import Job, run_processes


@dataclass(frozen=True)
class Place:
    """Where jobs run, and how many.

    Attributes:
        at_once: Largest number of jobs at the same time. ``None`` means two on this machine, and on
            a cluster as many as there is room for.
        threads: Threads of each job; on a cluster, the cores that it takes.
        ray: Address of a Ray cluster, see :func:`oneleap.core.jobs.cluster.run_on_ray`; ``None``
            for this machine.
        gpus: GPUs that each job takes on a cluster; a fraction shares one.
    """

    at_once: int | None = None
    threads: int = 1
    ray: str | None = None
    gpus: float = 0.0

    def __post_init__(self) -> None:
        """Reject numbers that make no sense.

        Raises:
            InputError: If there is one.
        """
        if self.threads < 1 or (self.at_once is not None and self.at_once < 1):
            raise InputError("at_once and threads must be positive")
        if self.gpus < 0 or (self.gpus > 0 and self.ray is None):
            raise InputError("gpus: GPUs are given to jobs by Ray: set --ray, or leave --gpus out")

    def run(self, jobs: Mapping[str, Job], finished: Callable[[str], None]) -> dict[str, str]:
        """Run jobs; one that fails does not affect the others.

        Args:
            jobs: Jobs by name.
            finished: Called with the name of each job that succeeds.

        Returns:
            The reason of each failure by name; jobs that succeed are not in it.

        Raises:
            InputError: The cluster is missing or too small.
        """
        for job in jobs.values():
            job.log.parent.mkdir(parents=True, exist_ok=True)
        if self.ray is None:
            return run_processes(jobs, self.at_once or 2, finished)
        from oneleap.core.jobs.cluster import run_on_ray

        return run_on_ray(
            jobs,
            self.ray,
            finished,
            at_once=self.at_once,
            threads=self.threads,
            gpus=self.gpus,
        )
