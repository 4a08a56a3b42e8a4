"""Models as a folder: ``model.safetensors`` + ``config.json`` (+ ``README.md``), no pickle.

The file names are those of ``huggingface_hub.PyTorchModelHubMixin``. ``config.json`` says how to
build the model in the words of the YAML files: an object is ``{"class_path", "init_args"}``, read
off the object itself by the rule that each constructor argument is kept under its own name.
"""

import json
import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, load_model, save_model
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub.config import from_config, to_config
from oneleap.core.hub.legacy import migrate

P = TypeVar("P", bound="Pretrained")
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"

SLIM = "slim"
"""Key of ``config.json`` that says that the trained network is left out, for its average."""


class Pretrained:
    """Mixin that lets a module be saved to, and loaded from, a folder or a Hugging Face repository.

    The module must keep each argument of its constructor under that argument's name; arguments
    are plain values, tuples, lists, dictionaries, dataclasses and modules of the same kind.
    """

    def save_pretrained(self, folder: str | os.PathLike[str], *, card: str | None = None) -> None:
        """Write weights and configuration, and ``card`` as ``README.md``.

        The configuration is written last: a folder that has one is complete. Graphs that were
        exported of earlier weights are removed.
        """
        module, folder = _module(self), Path(folder)
        config = {**to_config(module), "oneleap_version": _version()}
        for stale in (folder / CONFIG, *folder.glob("*.onnx"), *folder.glob("*.pt")):
            stale.unlink(missing_ok=True)
        with replacing(folder / WEIGHTS) as path:
            save_model(module, str(path), metadata={"format": "pt"})
        if card is not None:
            with replacing(folder / CARD) as path:
                path.write_text(card, encoding="utf-8")
        with replacing(folder / CONFIG) as path:
            path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(
        cls: type[P],
        path_or_repo_id: str | os.PathLike[str],
        *,
        revision: str | None = None,
        trusted: tuple[str, ...] = (),
    ) -> P:
        """Load a model of this class, on the CPU and in evaluation mode.

        Args:
            path_or_repo_id: A folder, or else a repository ``owner/name`` on huggingface.co.
            revision: Branch, tag or commit of the repository.
            trusted: Top-level packages, beside oneleap itself, whose classes may be built.

        Raises:
            InputError: If it is missing, damaged, of another class, or its weights do not fit.
        """
        model = load_pretrained(path_or_repo_id, revision=revision, trusted=trusted)
        if not isinstance(model, cls):
            raise InputError(
                f"{path_or_repo_id} holds a {type(model).__name__}, not a {cls.__name__}: "
                f"use {type(model).__name__}.from_pretrained"
            )
        return model


def load_pretrained(
    path_or_repo_id: str | os.PathLike[str],
    *,
    revision: str | None = None,
    trusted: tuple[str, ...] = (),
) -> Pretrained:
    """Load whatever model a folder or repository holds; see :meth:`Pretrained.from_pretrained`.

    Raises:
        InputError: If it is missing, damaged, or its weights do not fit.
    """
    folder = Path(path_or_repo_id)
    if not folder.is_dir():
        folder = _download(str(path_or_repo_id), revision)
    file = folder / CONFIG
    config = read_config(folder)
    slim = config.pop(SLIM, False)
    model = from_config(config, trusted=trusted, where=str(file))
    if not (isinstance(model, Pretrained) and isinstance(model, nn.Module)):
        raise InputError(f"{file}: {type(model).__name__} is not a model")
    (load_release_weights if slim else load_weights)(model, folder / WEIGHTS)
    model.eval()
    return model


def read_config(folder: Path) -> dict[str, Any]:
    """The parsed ``config.json`` of a model folder, not yet built.

    Raises:
        InputError: If it is missing or no such file.
    """
    file = folder / CONFIG
    if not file.is_file():
        run = (
            f"; a run keeps its model in {folder / 'model'}" if (folder / "model").is_dir() else ""
        )
        raise InputError(f"{folder} holds no model: {CONFIG} is missing{run}")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is not JSON ({error}): save the model again") from None
    if not isinstance(config, dict) or not isinstance(config.get("class_path"), str):
        raise InputError(f"{file}: no class_path: was it written by save_pretrained of oneleap?")
    migrated: dict[str, Any] = migrate(config, described=True)
    return migrated


def load_weights(module: nn.Module, file: Path) -> None:
    """Load weights of exactly the module's names and sizes.

    Raises:
        InputError: Naming the first weight that is missing, unknown or of another size.
    """
    if not file.is_file():
        raise InputError(f"{file} is missing: save the model again")
    own = {name: list(weight.shape) for name, weight in module.state_dict().items()}
    try:
        with safe_open(file, framework="pt") as weights:
            sizes = {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise InputError(f"{file} is damaged ({error}): save the model again") from None
    for name in sizes.keys() & own.keys():
        if sizes[name] != own[name]:
            raise InputError(
                f"{file}: {name} has size {sizes[name]}, the model of {CONFIG} {own[name]}"
            )
    missing, unknown = load_model(module, str(file), strict=False)
    for problem, names in (("is missing", missing), ("is not a weight of the model", unknown)):
        if names:
            raise InputError(f"{file}: {min(names)} {problem} ({len(names)} such, see {CONFIG})")


def load_release_weights(module: nn.Module, file: Path) -> None:
    """Load weights saved without a network beside its average, at 32 bits.

    Raises:
        InputError: If the file is missing, damaged, or of another model.
    """
    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{file} is missing or damaged ({error}): save the model again") from None
    averages = [name for name in weights if name.startswith("average.")]
    weights = {f"net.{name.removeprefix('average.')}": weights[name] for name in averages} | weights
    try:
        module.load_state_dict({name: weight.to(torch.float32) for name, weight in weights.items()})
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{file} does not fit {CONFIG}: {reason}") from None


def _module(value: object) -> nn.Module:
    """The module that a mixin's ``self`` is."""
    if not isinstance(value, nn.Module):
        raise TypeError(f"{type(value).__name__} mixes in Pretrained but is no torch.nn.Module")
    return value


def _download(repo_id: str, revision: str | None) -> Path:
    """Fetch the files of a model from the Hugging Face Hub, or find them in its cache.

    Raises:
        InputError: If there is no such repository, or no way to it.
    """
    if repo_id.count("/") != 1 or repo_id.startswith((".", "/", "~")):
        raise InputError(f"{repo_id}: no such folder")
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError:
        raise InputError(
            f"{repo_id}: no such folder; to look for it on huggingface.co, "
            "pip install 'oneleap[export]'"
        ) from None
    try:
        files = [WEIGHTS, CONFIG, CARD]
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=files))
    except (OSError, ValueError) as error:  # of the network, and of the name
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{repo_id}: no such folder, and not on the Hub ({reason})") from None


def _version() -> str:
    try:
        return version("oneleap")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"
