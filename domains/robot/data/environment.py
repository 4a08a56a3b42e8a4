"""The environment that a file's policy is evaluated in: checked before training."""

import json
from collections.abc import Mapping
from typing import Any

from oneleap.core.errors import InputError
from oneleap.domains.robot.envs.panda import panda_env_args
from oneleap.domains.robot.envs.task import unknown_name, why_no_task

MEND = (
    "--data.env NAME chooses one of robosuite's, --data.env none trains without one and without "
    "this notice"
)


def choose_env_args(
    args: Mapping[str, Any] | None, env: str | None, where: str
) -> tuple[str | None, list[str]]:
    """Choose the environment of a file, without importing a simulator or anything the file names.

    Args:
        args: ``env_args`` of the file; ``None`` if there are none.
        env: Name of an environment of robosuite, or ``none``; ``None`` follows the file.
        where: File and field, for messages.

    Returns:
        Description of the environment, ``None`` if there is none; and notes for the user.

    Raises:
        InputError: ``env`` is no environment of robosuite, or ``env_kwargs`` is no mapping.
    """
    if env == "none":
        return None, []
    reason = why_no_task(None if args is None else dict(args))
    if env is not None:
        unknown = unknown_name(env)
        if unknown:
            raise InputError(f"data.env: robosuite {unknown}; none trains without any")
        if args is None or reason:
            return panda_env_args(env), []
        return json.dumps({**args, "env_name": env}), []
    if args is None or reason:
        return None, [
            f"{where} {reason}: the policy trains without an environment, and its action error is "
            f"measured on demonstrations that are held out ({MEND})"
        ]
    if not isinstance(args.get("env_kwargs", {}), dict):
        raise InputError(f"{where}: env_kwargs must be a mapping")
    unknown = unknown_name(str(args["env_name"]))
    if unknown is None:
        return json.dumps(args), []
    return json.dumps(args), [
        f"{where}: robosuite {unknown}: the policy trains, and can be evaluated only where the "
        f"package that registers that name is imported ({MEND})"
    ]
