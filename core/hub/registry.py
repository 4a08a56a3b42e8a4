"""Models that ship with oneleap, by name; and folders that are named instead."""

import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from oneleap.core.errors import InputError, nearest
from oneleap.core.hub.pretrained import CONFIG


def shipped_models(package: str, folder: str, part: str = "") -> dict[str, Path]:
    """Folders that come with a package, by name: those that hold a ``config.json``.

    Args:
        package: That they come with.
        folder: Of it, in which they lie.
        part: Folder of each in which its ``config.json`` is.
    """
    found = sorted((Path(str(files(package))) / folder).glob("*"))
    return {path.name: path for path in found if (path / part / CONFIG).is_file()}


def find_shipped(kind: str, name: str | os.PathLike[str], known: Mapping[str, Path]) -> Path:
    """The folder of what ships under a name, or the folder itself.

    Raises:
        InputError: If it is neither, beginning with ``kind``.
    """
    folder = known.get(str(name), Path(name))
    if not folder.is_dir():
        names = f"shipped: {', '.join(known)}" if known else "none is shipped"
        close = nearest(str(name), known)
        raise InputError(f"{kind}: no '{name}'{close} ({names}; or name a folder)")
    return folder
