"""Folders of voices: those that ship with oneleap, saved voices, and runs."""

import os
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.hub.config import class_path
from oneleap.core.hub.pretrained import CARD
from oneleap.core.hub.registry import find_shipped, shipped_models
from oneleap.core.training.release import load_release
from oneleap.core.training.run import ModelPath, find_model
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.text.voices import DEFAULT_VOICE as DEFAULT_VOICE

ACOUSTIC, VOCODER = "acoustic", "vocoder"
"""Names of the two model folders in the folder of a voice. The model card is beside them."""


def shipped_voices() -> dict[str, Path]:
    """Return the folders of the voices that ship with oneleap, by name."""
    return shipped_models("oneleap.domains.speech", "voices", ACOUSTIC)


def find_voice(name: str | os.PathLike[str]) -> Path:
    """Return the folder of a shipped voice, or ``name`` itself if it is a folder.

    Raises:
        InputError: If it is neither.
    """
    return find_shipped("voice", name, shipped_voices())


def find_home(folder: Path) -> ModelPath:
    """Find where files about a run, an acoustic model or a saved voice are written.

    Raises:
        InputError: If the folder holds no model.
    """
    found = find_model(folder, ACOUSTIC)
    return ModelPath(folder, None) if (folder / ACOUSTIC).is_dir() else found


def output_folder(name: Path, out: Path | None, kind: str) -> Path | None:
    """Return the folder for files about a voice if it is not that of the voice.

    Nothing is written to the installed package.

    Args:
        name: Name of a shipped voice, or a folder.
        out: Folder that the user wants.
        kind: Folder of the current one in which a shipped voice gets a folder of its name.
    """
    return Path(kind, name) if out is None and str(name) in shipped_voices() else out


def load_acoustic(folder: Path) -> AcousticModel:
    """Load the acoustic model of a voice, of a run or of a model folder.

    Raises:
        InputError: If there is none.
    """
    folder = find_model(folder, ACOUSTIC).model
    model = load_release(folder)
    if not isinstance(model, AcousticModel):
        found = class_path(type(model))
        raise InputError(f"{folder} holds a {found}, not an acoustic model of speech")
    return model


def load_vocoder(folder: Path) -> Vocos | SourceFilterVocoder:
    """Load the vocoder of a voice, of a run or of a model folder.

    Raises:
        InputError: If there is none.
    """
    if not folder.is_dir():
        raise InputError(f"vocoder: {folder}: no such folder; griffin-lim needs none")
    folder = find_model(folder, VOCODER).model
    model = load_release(folder)
    if not isinstance(model, Vocos | SourceFilterVocoder):
        raise InputError(f"vocoder: {folder} holds a {type(model).__name__}, not a vocoder")
    return model


def write_card(folder: Path, card: str) -> None:
    """Write the model card of a voice."""
    with atomic_write(folder / CARD) as path:
        path.write_text(card, encoding="utf-8")
