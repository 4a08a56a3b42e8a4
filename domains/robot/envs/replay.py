"""Replays a recorded demonstration, to see whether its actions mean what they are taken for."""

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.robot.envs.robosuite import RobotEnv, disable_opengl
from oneleap.domains.robot.envs.task import Task


def solves(
    task: Task, absolute: bool, state: NDArray[np.float64], act: NDArray[np.float64]
) -> bool:
    """Execute recorded actions from a recorded state.

    Args:
        task: Environment.
        absolute: Whether the actions are poses.
        state: State of the simulation before the first action, (s,).
        act: Actions in the environment's form, (n, a).

    Returns:
        Whether the task is solved after one of the actions.

    Raises:
        InputError: The environment cannot be built, or state or actions do not fit it.
    """
    disable_opengl()
    env = RobotEnv(task, absolute=absolute)
    try:
        env.reset_to(state)
        return any(env.step(action, render=False)[1] for action in act)
    finally:
        env.close()
