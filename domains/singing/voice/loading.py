"""Where singers are stored: the shipped ones, folders of singers, and runs."""

import os
from pathlib import Path
from typing import TypeVar

from oneleap.core.errors import InputError
from oneleap.core.hub.config import class_path
from oneleap.core.hub.pretrained import CONFIG, Pretrained
from oneleap.core.hub.registry import find_shipped, shipped_models
from oneleap.core.training.release import load_release
from oneleap.core.training.run import MODEL, find_model

DEFAULT = "song070"
"""Name of the default singer."""

ACOUSTIC, DURATIONS, PITCH, VOCODER, VARIANCE = (
    "acoustic",
    "durations",
    "pitch",
    "vocoder",
    "variance",
)
"""Folders of the models of a singer; its card is beside them."""

M = TypeVar("M", bound=Pretrained)


def shipped_singers() -> dict[str, Path]:
    """Folders of the singers that ship with oneleap, by name."""
    return shipped_models("oneleap.domains.singing", "voices", ACOUSTIC)


def find_singer(name: str | os.PathLike[str]) -> Path:
    """Folder of a shipped singer, or the folder that ``name`` is the path of.

    Raises:
        InputError: There is no such singer and no such folder.
    """
    return find_shipped("voice", name, shipped_singers())


def load_part(folder: Path, part: str, kind: type[M]) -> M:
    """Load one model of a singer.

    Args:
        folder: Folder of a singer, of a run, or of the model itself.
        part: Folder of the model within a singer, which messages mention.
        kind: Expected class of the model.

    Returns:
        The model, ready for inference.

    Raises:
        InputError: There is no model, or it has another class.
    """
    places = (folder / part, folder, folder / MODEL)
    if folder.is_dir() and not any((place / CONFIG).is_file() for place in places):
        raise InputError(f"{folder} holds no {part}: pack a singer with oneleap singer")
    found = find_model(folder, part).model
    model = load_release(found)
    if not isinstance(model, kind):
        name = class_path(type(model))
        raise InputError(f"{part}: {found} holds a {name}, not a {class_path(kind)}")
    return model
