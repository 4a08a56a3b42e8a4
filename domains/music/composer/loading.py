"""Folders of composers: those that ship with oneleap, those of users, and runs."""

import json
import math
import os
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.hub.pretrained import CONFIG, read_config
from oneleap.core.hub.registry import find_shipped, shipped_models
from oneleap.core.training.release import load_release
from oneleap.core.training.run import find_model
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.music.models.model import MusicModel

DEFAULT = "tunes"
"""Name of the default composer."""

BASE, STUDENT, VOCODER = "base", "student", "vocoder"
"""Subfolders of a composer's folder, which also holds ``config.json`` and the model card."""

PACKAGE = "oneleap.domains.music"
CLASS = f"{PACKAGE}.Composer"
"""Class that a composer's ``config.json`` names."""


def shipped_composers() -> dict[str, Path]:
    """Return the folders of the composers that ship with oneleap, by name."""
    return shipped_models(PACKAGE, "composers")


def find_composer(name: str | os.PathLike[str]) -> Path:
    """Return the folder of a shipped composer, or else the folder of that name.

    Raises:
        InputError: If there is neither.
    """
    return find_shipped("composer", name, shipped_composers())


def load_music_model(folder: Path) -> MusicModel:
    """Load a music model from its folder or from a run.

    Raises:
        InputError: If there is none.
    """
    model = load_release(find_model(folder).model)
    if not isinstance(model, MusicModel):
        raise InputError(f"{folder} holds a {type(model).__name__}, not a music model")
    return model


def load_vocoder(folder: Path) -> Vocos:
    """Load a vocoder from its folder or from a run.

    Raises:
        InputError: If there is none.
    """
    model = load_release(find_model(folder).model)
    if not isinstance(model, Vocos):
        raise InputError(f"vocoder: {folder} holds a {type(model).__name__}, not a vocoder")
    return model


def write_composer_config(folder: Path, guidance: float) -> None:
    """Write the ``config.json`` of a composer. It is written last: its folder is then complete."""
    settings = {"class_path": CLASS, "init_args": {"guidance": guidance}}
    with atomic_write(folder / CONFIG) as path:
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def read_guidance(folder: Path) -> float:
    """Read the default guidance scale of a composer's folder.

    Raises:
        InputError: If the folder holds no composer, or its configuration is damaged.
    """
    config = read_config(folder)
    if config["class_path"] != CLASS:
        raise InputError(f"{folder / CONFIG}: {config['class_path']} is not a composer")
    try:
        scale = float(config["init_args"]["guidance"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / CONFIG} is damaged ({error!r}): pack it again") from None
    if not 0 <= scale < math.inf:
        raise InputError(f"{folder / CONFIG}: guidance must be finite and not negative: {scale}")
    return scale
