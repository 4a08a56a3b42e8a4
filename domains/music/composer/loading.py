"""Where composers lie: those that ship with oneleap, folders, runs; and what is in them."""

import json
import math
import os
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub.pretrained import CONFIG, read_config
from oneleap.core.hub.registry import find_shipped, model_folder, shipped_models
from oneleap.core.training.release import load_release
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.music.models.model import MusicModel

DEFAULT = "tunes"
"""The composer at work if none is named."""

BASE, STUDENT, VOCODER = "base", "student", "vocoder"
"""Parts of a composer's folder; beside them lie its ``config.json`` and its card."""

CLASS = "oneleap.domains.music.composer.composer.Composer"


def shipped() -> dict[str, Path]:
    """Folders of the composers that come with oneleap, by name."""
    return shipped_models("oneleap.domains.music", "composers")


def find(name: str | os.PathLike[str]) -> Path:
    """The folder of a shipped composer, or the folder itself.

    Raises:
        InputError: If it is neither.
    """
    return find_shipped("composer", name, shipped())


def load_model(folder: Path) -> MusicModel:
    """The music model of a folder, or of a run.

    Raises:
        InputError: If there is none.
    """
    model = load_release(_of_run(folder))
    if not isinstance(model, MusicModel):
        raise InputError(f"{folder} holds a {type(model).__name__}, which makes no music")
    return model


def load_vocoder(folder: Path) -> Vocos:
    """The vocoder of a folder, or of a run.

    Raises:
        InputError: If there is none.
    """
    model = load_release(_of_run(folder))
    if not isinstance(model, Vocos):
        raise InputError(f"vocoder: {folder} holds a {type(model).__name__}, which makes no sound")
    return model


def write_settings(folder: Path, guidance: float) -> None:
    """Write what a composer is beside its parts; last, for a folder that has it is complete."""
    settings = {"class_path": CLASS, "init_args": {"guidance": guidance}}
    with replacing(folder / CONFIG) as path:
        path.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def read_guidance(folder: Path) -> float:
    """The guidance scale of a composer's folder.

    Raises:
        InputError: If the folder holds no composer, or its settings are damaged.
    """
    config = read_config(folder)
    if config["class_path"] != CLASS:
        raise InputError(f"{folder / CONFIG}: {config['class_path']} is no composer")
    try:
        scale = float(config["init_args"]["guidance"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / CONFIG} is damaged ({error!r}): pack it again") from None
    if not 0 <= scale < math.inf:
        raise InputError(f"{folder / CONFIG}: guidance is a scale from 0 up, not {scale}")
    return scale


def _of_run(folder: Path) -> Path:
    """A model's folder, or that of a run's model.

    Raises:
        InputError: If there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    return model_folder(folder)
