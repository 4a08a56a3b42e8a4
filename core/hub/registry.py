"""Models that ship with oneleap, by name, and folders named instead."""

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from oneleap.core.errors import InputError, suggest
from oneleap.core.hub.pretrained import CONFIG


def shipped_models(package: str, folder: str, part: str = "") -> dict[str, Path]:
    """Return the model folders that ship with a package, by name.

    Args:
        package: Name of the package.
        folder: Folder of the package that contains the model folders.
        part: Subfolder of each model folder that must contain a ``config.json``.

    Returns:
        Path of each folder with a ``config.json``.
    """
    folders = sorted((Path(str(files(package))) / folder).glob("*"))
    return {path.name: path for path in folders if (path / part / CONFIG).is_file()}


def find_shipped(kind: str, name: str | os.PathLike[str], known: Mapping[str, Path]) -> Path:
    """Return the folder of a shipped model, or the folder itself.

    Args:
        kind: Kind of model, for the error message.
        name: Name of a shipped model, or path of a folder.
        known: Folders of the shipped models by name.

    Returns:
        The folder.

    Raises:
        InputError: If it is neither; the message begins with ``kind``.
    """
    folder = known.get(str(name), Path(name))
    if not folder.is_dir():
        names = f"shipped: {', '.join(known)}" if known else "none is shipped"
        suggestion = suggest(str(name), known)
        raise InputError(f"{kind}: no '{name}'{suggestion} ({names}; or name a folder)")
    return folder
