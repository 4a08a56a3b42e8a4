"""What a policy must know of its environment and of the demonstrations it learns from."""

import json
from dataclasses import dataclass
from typing import Any

from oneleap.core.errors import InputError

ROBOSUITE = 1
"""robomimic's number for environments of robosuite."""

QUICK = "oneleap_quick_pictures"
"""Key of ``env_args``, which others do not look at: the images are simple ones."""


@dataclass(frozen=True)
class Task:
    """An environment of robosuite, described as robomimic's files do.

    Attributes:
        env_args: JSON with ``env_name``, ``env_version``, ``type`` and ``env_kwargs``.
        horizon: Steps after which an episode that has not succeeded has failed.
    """

    env_args: str
    horizon: int = 400

    @property
    def name(self) -> str:
        """Of the environment, ``Lift`` say."""
        return str(self.parsed()["env_name"])

    @property
    def version(self) -> str | None:
        """Of robosuite when the demonstrations were made; files before robomimic 0.3 lack it."""
        version = self.parsed().get("env_version")
        return None if version is None else str(version)

    @property
    def quick_pictures(self) -> bool:
        """Whether images are drawn without what costs most, as ``oneleap collect`` does."""
        return bool(self.parsed().get(QUICK, False))

    def parsed(self) -> dict[str, Any]:
        """The description, not yet built.

        Raises:
            InputError: It is no such JSON.
        """
        return parse_env_args(self.env_args, "env_args")


def parse_env_args(text: object, where: str) -> dict[str, Any]:
    """The environment that a file of robomimic's layout names.

    Args:
        text: JSON.
        where: File and field, for messages.

    Raises:
        InputError: It is no JSON, names no environment, or one of another simulator.
    """
    try:
        args = json.loads(text) if isinstance(text, str | bytes) else None
    except ValueError as error:
        raise InputError(f"{where} is not readable as JSON ({error})") from None
    if not isinstance(args, dict) or not isinstance(args.get("env_name"), str):
        raise InputError(f"{where} names no environment: JSON with env_name is needed")
    if not isinstance(args.get("env_kwargs", {}), dict):
        raise InputError(f"{where}: env_kwargs must be a mapping")
    if args.get("type", ROBOSUITE) != ROBOSUITE:
        raise InputError(f"{where}: type {args['type']} is no robosuite environment, which is 1")
    return args


@dataclass(frozen=True)
class Spec:
    """Sizes and statistics a policy is built from; stored with its weights.

    Attributes:
        obs_keys: Low-dimensional observations, in the order they are stacked in.
        obs_sizes: Numbers in each.
        obs_steps: Observations a policy sees, the present one included.
        act_dim: Numbers in an action as the network has it: of absolute actions, the rotation
            counts 6.
        chunk: Actions predicted at once.
        obs_shift: Subtracted from observations, per number of one step.
        obs_scale: Observations are then divided by it.
        act_shift: Subtracted from actions.
        act_scale: Actions are then divided by it; the network works on about [-1, 1].
        cameras: Keys of images, ``agentview_image`` say.
        image_size: Their height and width in pixels; 0 without images.
        absolute: Actions are poses of the gripper in the world, not offsets from the present one.
        task: Where to evaluate; ``None`` if unknown.
    """

    obs_keys: tuple[str, ...]
    obs_sizes: tuple[int, ...]
    obs_steps: int
    act_dim: int
    chunk: int
    obs_shift: tuple[float, ...]
    obs_scale: tuple[float, ...]
    act_shift: tuple[float, ...]
    act_scale: tuple[float, ...]
    cameras: tuple[str, ...] = ()
    image_size: tuple[int, int] = (0, 0)
    absolute: bool = False
    task: Task | None = None

    @property
    def obs_dim(self) -> int:
        """Numbers of one step's observations."""
        return sum(self.obs_sizes)
