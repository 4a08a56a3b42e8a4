"""Paths in configurations: a run remembers them from the root of the file system."""

from pathlib import Path
from typing import Any

from jsonargparse import Namespace

PATHS = ("cache", "init_from", "path", "run", "teacher")
"""Settings of data and models that are paths of files or folders, or names of other kinds."""


def absolute_paths(settings: Namespace) -> Namespace:
    """Return a configuration in which paths of data and models do not depend on the folder.

    Names that are no files, such as those of Minari and Hugging Face, stay as they are.

    Args:
        settings: Settings of a command; unchanged by this function.

    Returns:
        A copy, in which each of :data:`PATHS` that exists is absolute.
    """
    copy = settings.clone()
    for part in ("data", "model"):
        copy[part] = _absolute(copy[part], part)
    return copy


def _absolute(value: Any, key: str) -> Any:
    if isinstance(value, Namespace):
        for name, item in vars(value).items():
            setattr(value, name, _absolute(item, name))
        return value
    if isinstance(value, dict):
        return {name: _absolute(item, str(name)) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_absolute(item, key) for item in value)
    if key in PATHS and isinstance(value, str) and value and Path(value).exists():
        return str(Path(value).absolute())
    return value
