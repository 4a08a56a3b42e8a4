"""Looks up environments among what is registered with Gymnasium; never imports what a name says.

Names of environments come from data files and saved models. Gymnasium itself imports the module of
a name ``module:id``, so such a file could run any code. Here the module is ignored: the id must be
registered already, by Gymnasium, by gymnasium-robotics, by this package, or by a package that the
user imported.
"""

import contextlib
import difflib
import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec, find_highest_version, parse_env_id, registry

from oneleap.core.errors import InputError
from oneleap.domains.rl.envs.ogbench import SINGLE, seeded

KNOWN = ("oneleap.domains.rl.envs.registration", "gymnasium_robotics", "ogbench")
"""Modules that register environments, and that are imported where they are installed."""

FORWARDING = ("GymV21Environment", "GymV26Environment")
"""Environments of shimmy that make another, named by an argument, and import its module."""

UNHELPFUL = (".*is out of date", ".*precision lowered", ".*DISPLAY environment variable")
"""Warnings about versions, which the data determine, about OGBench's spaces, and no display."""

SHOWN = 3
"""Largest number of ids that a message proposes."""

TRIED = 8
"""Largest number of ids that are made to find those proposals."""


def find_environment(env: str) -> EnvSpec:
    """Look up an environment. Of an id without a version, the newest is taken.

    Args:
        env: Gymnasium id. A module before it, as in ``module:id``, is ignored.

    Returns:
        Its registration.

    Raises:
        InputError: It is not registered; the message names ids that would do.
    """
    module, _, name = env.rpartition(":")
    if name not in registry:
        _register_known()
        if SINGLE in name.split("-"):
            import_module("ogbench")  # if it is missing, the command names the extra
    with contextlib.suppress(gymnasium.error.Error):
        namespace, plain, version = parse_env_id(name)
        newest = find_highest_version(namespace, plain) if version is None else None
        spec = registry.get(name) or registry.get(f"{name}-v{newest}")
        if spec is not None:
            return spec
    missing = f"environment {env}: not registered{proposals(name)}; "
    if module:
        raise InputError(f"{missing}its module is only imported by --import {module}")
    raise InputError(f"{missing}--import PACKAGE imports the package that registers it")


def make_environment(env: str, arguments: Mapping[str, Any]) -> "gymnasium.Env[Any, Any]":
    """Make a registered environment.

    Args:
        env: Gymnasium id.
        arguments: Arguments of ``gymnasium.make``.

    Returns:
        The environment.

    Raises:
        InputError: It is not registered, cannot be made here, or does not accept the arguments.
    """
    spec = find_environment(env)
    if spec.name in FORWARDING:
        raise InputError(f"environment {env}: makes others by name, which could import any module")
    try:
        with warnings.catch_warnings():
            for message in UNHELPFUL:
                warnings.filterwarnings("ignore", message)
            return seeded(gymnasium.make(spec.id, **arguments))
    except Exception as error:  # environments raise errors of any kind
        parts = error.args if all(isinstance(part, str) for part in error.args) else ()
        reason = " ".join(" ".join(parts or (str(error),)).split()) or type(error).__name__
        raise InputError(f"environment {env}: {reason}{proposals(spec.id)}") from None


def proposals(name: str) -> str:
    """Registered ids that can be made here and are like ``name``, as the end of a message.

    Other versions of the same environment are proposed, or else those whose names are alike.
    """
    try:
        _, plain, _ = parse_env_id(name)
    except gymnasium.error.Error:
        plain = name
    by_name: dict[str, list[str]] = {}
    for spec in registry.values():
        by_name.setdefault(spec.name.lower(), []).append(spec.id)
    near = difflib.get_close_matches(plain.lower(), by_name, n=1, cutoff=0.6)
    alike = by_name[near[0]] if near else []
    newest_first = sorted(alike, key=lambda key: -(registry[key].version or 0))
    found = [key for key in newest_first[:TRIED] if key != name and _can_be_made(key)][:SHOWN]
    return f"; {' or '.join(found)} would do" if found else ""


def _can_be_made(env: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            gymnasium.make(env, disable_env_checker=True).close()
        except Exception:  # environments raise errors of any kind
            return False
    return True


def _register_known() -> None:
    """Import the modules of :data:`KNOWN` that are installed."""
    for module in KNOWN:
        if find_spec(module.partition(".")[0]) is not None:
            import_module(module)
