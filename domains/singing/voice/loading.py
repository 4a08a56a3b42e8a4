"""Where singers lie: those that ship with oneleap, folders of singers, runs."""

import os
from pathlib import Path
from typing import TypeVar

from oneleap.core.errors import InputError
from oneleap.core.hub.config import class_path
from oneleap.core.hub.pretrained import CONFIG, Pretrained
from oneleap.core.hub.registry import find_shipped, model_folder, shipped_models
from oneleap.core.training.release import load_release

DEFAULT = "song070"
"""The singer that sings if none is named."""

ACOUSTIC, DURATIONS, PITCH, VOCODER, VARIANCE = (
    "acoustic",
    "durations",
    "pitch",
    "vocoder",
    "variance",
)
"""Folders of a singer; beside them lies its card."""

M = TypeVar("M", bound=Pretrained)


def shipped() -> dict[str, Path]:
    """Folders of the singers that come with oneleap, by name."""
    return shipped_models("oneleap.domains.singing", "voices", ACOUSTIC)


def find(name: str | os.PathLike[str]) -> Path:
    """The folder of a shipped singer, or the folder itself.

    Raises:
        InputError: If it is neither.
    """
    return find_shipped("voice", name, shipped())


def load_part(folder: Path, part: str, kind: type[M]) -> M:
    """One model of a singer; also from the folder of a run, or of the model itself.

    Raises:
        InputError: If there is none, or it is of another kind.
    """
    if not folder.is_dir():
        raise InputError(f"{part}: {folder}: no such folder")
    inner = folder / part if (folder / part).is_dir() else folder
    inner = model_folder(inner)
    if not (inner / CONFIG).is_file():
        raise InputError(f"{folder} holds no {part}: pack a singer with oneleap singer")
    model = load_release(inner)
    if not isinstance(model, kind):
        held = class_path(type(model))
        raise InputError(f"{part}: {inner} holds a {held}, not a {class_path(kind)}")
    return model
