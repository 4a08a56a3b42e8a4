"""``oneleap collect pointmaze``: collects PointMaze data as D4RL's maze2d does, for Minari."""

from pathlib import Path
from typing import Any, Literal

from oneleap.core.errors import InputError


def pointmaze(
    maze: Literal["umaze", "medium", "large"] = "umaze",
    steps: int = 1_000_000,
    seed: int = 0,
    perturbation: float | None = None,
    dataset_id: str | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Collect a PointMaze data set as D4RL's maze2d does, and measure its reference returns.

    Example: oneleap collect pointmaze --maze umaze --steps 1000000 --seed 0

    Args:
        maze: Maze of the data.
        steps: Number of steps to record.
        seed: Seed of everything. The data do not depend on the number of processors.
        perturbation: Share of the time that a ball is pushed off course by one random force, 0.1 to
            0.6 s long, so that the data cover corners and walls. D4RL has 0, the default in umaze.
            The default in medium and large is 0.25.
        dataset_id: Minari id; by default oneleap/pointmaze-MAZE-v0.
        out: Folder to write, in place of Minari's own (see MINARI_DATASETS_PATH).
        overwrite: Replace the data set.

    Raises:
        InputError: The data set exists, or ``steps`` is not positive.
    """
    from rich.console import Console
    from rich.progress import Progress

    from oneleap.domains.rl.data.minari import dataset_folder, write_minari
    from oneleap.domains.rl.demonstrators import pointmaze as recording
    from oneleap.domains.rl.envs.lookup import make_environment
    from oneleap.domains.rl.envs.mazes import maze_named
    from oneleap.domains.rl.envs.registration import POINTMAZE

    if steps < 1:
        raise InputError(f"steps: {steps} is not positive")
    share = maze_named(maze).perturbation if perturbation is None else perturbation
    if not 0 <= share < 1:
        raise InputError(f"perturbation: {share} is not in [0, 1)")
    dataset_id = dataset_id or f"oneleap/pointmaze-{maze}-v0"
    folder = dataset_folder(dataset_id, out, overwrite)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("collecting", total=steps)
        recorded = recording.record_trajectories(maze, steps, seed, share, progress, task)
        references = recording.measure_references(maze)
        episodes = list(recording.split_episodes(maze, recorded))
        write_minari(
            folder,
            dataset_id,
            progress.track(episodes, description="writing"),
            make_environment(POINTMAZE, {"maze": maze}),
            _metadata(f"PointMaze {maze}, {steps} steps, seed {seed}", share, references),
        )
    _print_references(f"{folder}: {steps} steps in {len(episodes)} episodes", references)
    print(_next_command(maze, str(out or dataset_id)))


def _metadata(title: str, share: float, references: dict[str, float]) -> dict[str, Any]:
    """Metadata of a data set, with its reference returns."""
    from oneleap.domains.rl.data.minari_tasks import REFERENCES_KEY

    return {
        "algorithm_name": "waypoint controller of D4RL's maze2d, noise 0.5, off course for "
        f"{100 * share:g} % of the time",
        "description": f"{title}. The rewards are the dense ones of the fixed goal. Episodes are "
        "truncated where the goal of the controller moves.",
        "ref_min_score": references["dense_random"],
        "ref_max_score": references["dense_controller"],
        REFERENCES_KEY: references,
    }


def _next_command(maze: str, path: str) -> str:
    """The line that trains on the data, with the maze's own configuration or that of umaze."""
    from oneleap.core.cli.advice import next_line
    from oneleap.core.cli.configs import shipped_configs
    from oneleap.domains.rl.envs.mazes import maze_named

    own = f"rl/ofql_pointmaze-{maze}" in shipped_configs()
    words = ["fit", "--config", f"rl/ofql_pointmaze-{maze if own else 'umaze'}"]
    if not own or path != f"oneleap/pointmaze-{maze}-v0":
        words += ["--data.path", path]
    if not own:
        x, y = maze_named(maze).goal
        words.append(f"--data.reward.goal=[{x}, {y}]")
    return next_line(*words)


def _print_references(title: str, references: dict[str, float]) -> None:
    """Print the reference returns of a data set."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    table.add_column("mean return, fixed goal")
    table.add_column("random actions (score 0)", justify="right")
    table.add_column("controller (score 100)", justify="right")
    for kind in ("dense", "sparse"):
        returns = (references[f"{kind}_{who}"] for who in ("random", "controller"))
        table.add_row(f"{kind} reward", *(f"{value:.1f}" for value in returns))
    Console().print(table)
