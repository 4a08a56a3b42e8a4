"""Where voices lie: those that ship with oneleap, folders of voices, runs."""

import os
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub.config import class_path
from oneleap.core.hub.pretrained import CARD
from oneleap.core.hub.registry import find_shipped, model_folder, shipped_models
from oneleap.core.training.release import load_release
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.speech.models.acoustic import Acoustic

DEFAULT = "allison"
"""The voice that speaks if none is named."""

ACOUSTIC, VOCODER = "acoustic", "vocoder"
"""Folders of a voice; beside them lies its card."""


def shipped() -> dict[str, Path]:
    """Folders of the voices that come with oneleap, by name."""
    return shipped_models("oneleap.domains.speech", "voices", ACOUSTIC)


def find(name: str | os.PathLike[str]) -> Path:
    """The folder of a shipped voice, or the folder itself.

    Raises:
        InputError: If it is neither.
    """
    return find_shipped("voice", name, shipped())


def load_acoustic(folder: Path) -> Acoustic:
    """The acoustic model of a voice, of a run, or of a model folder.

    Raises:
        InputError: If there is none.
    """
    folder = model_folder(folder / ACOUSTIC if (folder / ACOUSTIC).is_dir() else folder)
    model = load_release(folder)
    if not isinstance(model, Acoustic):
        held = class_path(type(model))
        raise InputError(f"{folder} holds a {held}, which does not read text")
    return model


def load_vocoder(folder: Path) -> Vocos:
    """The vocoder of a voice, of a run, or of a model folder.

    Raises:
        InputError: If there is none.
    """
    if not folder.is_dir():
        raise InputError(f"vocoder: {folder}: no such folder; griffin-lim needs none")
    folder = model_folder(folder / VOCODER if (folder / VOCODER).is_dir() else folder)
    model = load_release(folder)
    if not isinstance(model, Vocos):
        raise InputError(f"vocoder: {folder} holds a {type(model).__name__}, which makes no sound")
    return model


def write_card(folder: Path, card: str) -> None:
    """Write what a voice is, beside its models."""
    with replacing(folder / CARD) as path:
        path.write_text(card, encoding="utf-8")
