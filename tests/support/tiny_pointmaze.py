"""A short recording of PointMaze."""

from rich.progress import Progress

from oneleap.domains.rl.demonstrators.pointmaze import Trajectories, record_trajectories


def recorded(
    steps: int = 1000, seed: int = 0, maze: str = "umaze", perturbation: float = 0.0
) -> Trajectories:
    with Progress(disable=True) as progress:
        return record_trajectories(maze, steps, seed, perturbation, progress, progress.add_task(""))
