"""``oneleap collect robosuite``: scripted demonstrations, in robomimic's layout."""

from pathlib import Path
from typing import Literal

from oneleap.core.errors import InputError, require_positive
from oneleap.core.outputs import check_output

CAMERAS = ("agentview_image", "robot0_eye_in_hand_image")
"""Images that are stored with ``--images``."""

TaskName = Literal["Lift", "PickPlaceCan", "NutAssemblySquare"]
CONFIG_NAMES = {"Lift": "lift", "PickPlaceCan": "can", "NutAssemblySquare": "square"}
"""Names of the tasks in shipped configurations."""


def robosuite(
    task: TaskName = "Lift",
    demos: int = 200,
    images: bool = False,
    seed: int = 0,
    out: Path | None = None,
    image_size: int = 84,
    workers: int = 2,
    overwrite: bool = False,
) -> None:
    """Collect scripted demonstrations of a robosuite task, in robomimic's layout.

    Only successes are kept. Attempts are stored in OUT.parts until there are enough: a collection
    that was interrupted continues there. The data depend on the seed alone.

    Example: oneleap collect robosuite --task Lift --demos 200

    Args:
        task: Task to demonstrate.
        demos: Number of demonstrations.
        images: Whether to store the images of two cameras as well; takes minutes.
        seed: Seed of all draws.
        out: HDF5 file to write, by default data/robot/TASK.hdf5, or TASK_image.hdf5 with images.
        image_size: Height and width of the images, pixels.
        workers: Number of processes.
        overwrite: Whether to replace an existing file.

    Raises:
        InputError: The file exists, or OUT.parts holds attempts of another collection.
    """
    from oneleap.core.cli.advice import next_line
    from oneleap.core.cli.configs import shipped_configs
    from oneleap.domains.robot.commands.attempts import collect_demos

    require_positive(demos=demos, image_size=image_size)
    if seed < 0:
        raise InputError(f"seed: {seed} is negative")
    path = out or Path("data/robot", f"{task}{'_image' if images else ''}.hdf5")
    check_output(path)
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists (--overwrite replaces it)")
    cameras = CAMERAS if images else ()
    steps, attempts = collect_demos(task, path, demos, seed, cameras, image_size, workers)
    print(
        f"{path}: {demos} demonstrations of {steps / demos:.0f} steps on average, "
        f"from {attempts} attempts"
    )
    config = f"robot/dm1{'-image' if images else ''}_{CONFIG_NAMES[task]}"
    if config in shipped_configs():
        print(next_line("fit", "--config", config, "--data.path", path))
