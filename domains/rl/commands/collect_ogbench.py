"""``oneleap collect ogbench``: records data sets of OGBench again, with its scripted oracles."""

from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.outputs import check_output


def ogbench(
    env: str = "cube-double-play",
    episodes: int | None = None,
    seed: int = 0,
    workers: int = 2,
    out: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Record a data set of OGBench again, for training and for validation.

    The scripted oracles of the package act: in cube, scene and puzzle, and in pointmaze. Blocks of
    episodes are stored in FILE.parts until all are there: a collection that was interrupted
    continues there. The data depend on the seed alone.

    Example: oneleap collect ogbench --env cube-double-play --episodes 1000

    Args:
        env: Data set, such as cube-double-play, scene-play, puzzle-3x3-play,
            pointmaze-medium-navigate.
        episodes: Episodes for training; a tenth as many follow for validation. By default as many
            as OGBench has.
        seed: Seed of all draws.
        workers: Number of processes.
        out: Folder of the two files, NAME-v0.npz and NAME-v0-val.npz; by default data/ogbench.
        overwrite: Replace existing files.

    Raises:
        InputError: There is no such data set, the files exist, or FILE.parts holds another
            recording.
    """
    from dataclasses import replace

    from oneleap.core.cli.advice import next_line
    from oneleap.core.errors import check_seed, require_positive
    from oneleap.domains.rl.demonstrators.ogbench import collect_ogbench, origin, validation_file
    from oneleap.domains.rl.envs.ogbench import task_name

    check_seed(seed)
    require_positive(workers=workers, episodes=1 if episodes is None else episodes)
    recording = replace(origin(env), seed=seed)
    if episodes is not None:
        recording = replace(recording, episodes=episodes)
    path = (out or Path("data/ogbench")) / f"{env.removesuffix('-v0')}-v0.npz"
    for file in (path, validation_file(path)):
        check_output(file)
        if file.exists() and not overwrite:
            raise InputError(f"{file} exists already: --overwrite replaces it, --out names another")
    train, validation = collect_ogbench(recording, path, workers)
    print(f"{path}: {train} steps, {validation} for validation")
    task = task_name(path.stem).replace("singletask", "singletask-task1")
    print(next_line("fit", "--config", "rl/fql_d4rl", "--data.path", path, "--data.env", task))
