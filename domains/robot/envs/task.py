"""Description of an environment, as robomimic's files store it."""

import json
from dataclasses import dataclass
from typing import Any

from oneleap.core.errors import InputError

ROBOSUITE_TYPE = 1
"""robomimic's number for environments of robosuite."""

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

    def parsed(self) -> dict[str, Any]:
        """Parse ``env_args``; the environment is not built.

        Raises:
            InputError: ``env_args`` is not valid, see :func:`parse_env_args`.
        """
        return parse_env_args(self.env_args, "env_args")


def parse_env_args(text: object, where: str) -> dict[str, Any]:
    """Parse the environment description of a file in robomimic's layout.

    Args:
        text: JSON.
        where: File and field, for messages.

    Raises:
        InputError: The text is not JSON, names no environment, or names one of another simulator.
    """
    try:
        args = json.loads(text) if isinstance(text, str | bytes) else None
    except ValueError as error:
        raise InputError(f"{where} is not valid JSON ({error})") from None
    if not isinstance(args, dict) or not isinstance(args.get("env_name"), str):
        raise InputError(f"{where} names no environment: expected JSON with the key env_name")
    if not isinstance(args.get("env_kwargs", {}), dict):
        raise InputError(f"{where}: env_kwargs must be a mapping")
    if args.get("type", ROBOSUITE_TYPE) != ROBOSUITE_TYPE:
        raise InputError(
            f"{where}: type {args['type']} is not a robosuite environment (expected type 1)"
        )
    return args
