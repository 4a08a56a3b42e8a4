"""Description of an environment, as robomimic's files store it."""

import json
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from oneleap.core.errors import InputError, suggest
from oneleap.domains.robot.envs.control import Frame, is_absolute, pose_controllers, set_control

ROBOSUITE_TYPE = 1
"""robomimic's number for environments of robosuite."""

ROBOSUITE_NAMES = (
    "Door",
    "Lift",
    "NutAssembly",
    "NutAssemblyRound",
    "NutAssemblySingle",
    "NutAssemblySquare",
    "PickPlace",
    "PickPlaceBread",
    "PickPlaceCan",
    "PickPlaceCereal",
    "PickPlaceMilk",
    "PickPlaceSingle",
    "Stack",
    "ToolHang",
    "TwoArmHandover",
    "TwoArmLift",
    "TwoArmPegInHole",
    "TwoArmTransport",
    "Wipe",
)
"""Environments of robosuite 1.5; names are checked without importing it."""

FAST_RENDERING = "oneleap_quick_pictures"
"""Key of ``env_args`` that asks for fast rendering; other software ignores it."""


@dataclass(frozen=True)
class Task:
    """An environment of robosuite, described as in robomimic's files.

    Attributes:
        env_args: JSON with ``env_name``, ``env_version``, ``type`` and ``env_kwargs``.
        max_episode_steps: Number of steps after which an unsuccessful episode has failed.
    """

    env_args: str
    max_episode_steps: int = 400

    @property
    def name(self) -> str:
        """Name of the environment, for example ``Lift``."""
        return str(self.parsed()["env_name"])

    @property
    def version(self) -> str | None:
        """Version of robosuite that made the demonstrations.

        Files from before robomimic 0.3 do not state it.
        """
        version = self.parsed().get("env_version")
        return None if version is None else str(version)

    @property
    def fast_rendering(self) -> bool:
        """Whether images are rendered without costly effects, as ``oneleap collect`` does."""
        return bool(self.parsed().get(FAST_RENDERING, False))

    @property
    def absolute(self) -> bool:
        """Whether actions are poses instead of offsets."""
        return is_absolute(self.parsed())

    def with_control(self, absolute: bool, frame: Frame | None = None) -> "Task":
        """Return the same environment with arms that take poses, or offsets.

        Args:
            absolute: Whether actions are poses.
            frame: Frame of the poses, see :func:`oneleap.domains.robot.envs.control.set_control`.
        """
        args = self.parsed()
        for controller in pose_controllers(args):
            set_control(controller, absolute, frame)
        return replace(self, env_args=json.dumps(args))

    def parsed(self) -> dict[str, Any]:
        """Parse ``env_args``; the environment is not built.

        Raises:
            InputError: ``env_args`` is not valid, see :func:`parse_env_args`.
        """
        return parse_env_args(self.env_args, "env_args")


def parse_env_args(text: object, where: str) -> dict[str, Any]:
    """Parse the description of an environment of robosuite.

    Args:
        text: JSON.
        where: File and field, for messages.

    Raises:
        InputError: The text is not JSON, names no environment, or names one of another simulator.
    """
    args = read_env_args(text, where) or {}
    reason = why_no_task(args)
    if reason:
        raise InputError(f"{where} {reason}")
    if not isinstance(args.get("env_kwargs", {}), dict):
        raise InputError(f"{where}: env_kwargs must be a mapping")
    return args


def read_env_args(stored: object, where: str) -> dict[str, Any] | None:
    """Read the description of any environment, or none.

    Args:
        stored: JSON: text, bytes, or an array of one of them; ``None`` if the file has none.
        where: File and field, for messages.

    Returns:
        The description; ``None`` if there is none.

    Raises:
        InputError: It is not JSON, or not a mapping.
    """
    if isinstance(stored, np.ndarray):
        stored = stored.item() if stored.size == 1 else None
    if stored is None or stored in ("", b""):
        return None
    try:
        args = json.loads(stored) if isinstance(stored, str | bytes) else stored
    except ValueError as error:
        raise InputError(f"{where} is not valid JSON ({error})") from None
    if not isinstance(args, dict):
        raise InputError(f"{where} is not a mapping: expected JSON with the key env_name")
    return args


def why_no_task(args: dict[str, Any] | None) -> str | None:
    """Say why a file's environment cannot be one of robosuite; ``None`` if it can."""
    if args is None:
        return "is missing"
    if args.get("type", ROBOSUITE_TYPE) != ROBOSUITE_TYPE:
        return f"has the type {args['type']}, which is not robosuite (type 1)"
    if not isinstance(args.get("env_name"), str):
        return "names no environment: expected JSON with the key env_name"
    return None


def unknown_name(name: str) -> str | None:
    """Say which environment of robosuite may be meant by a name; ``None`` if it has that one.

    Nothing is imported. Names count that a package has registered which the user imported.
    """
    base = sys.modules.get("robosuite.environments.base")
    known = sorted({*ROBOSUITE_NAMES, *getattr(base, "REGISTERED_ENVS", ())})
    if name in known:
        return None
    hint = suggest(name, known) or f" (it has {', '.join(known)})"
    return f"has no environment '{name}'{hint}"
