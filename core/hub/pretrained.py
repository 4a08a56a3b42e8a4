"""Models as a folder: ``model.safetensors`` + ``config.json`` (+ ``README.md``), no pickle.

The file names are those of ``huggingface_hub.PyTorchModelHubMixin``. ``config.json`` describes how
to build the model, in the format of the YAML files: an object is ``{"class_path", "init_args"}``,
see :mod:`oneleap.core.hub.config`.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_model, save_model
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.hub.budget import Budget
from oneleap.core.hub.config import from_config, to_config
from oneleap.core.hub.legacy import migrate
from oneleap.core.hub.quantization import widen_weights
from oneleap.core.reading.guard import reading
from oneleap.core.reading.tensors import read_tensors, require_finite_tensors, tensor_shapes
from oneleap.core.reading.text import read_json

P = TypeVar("P", bound="Pretrained")
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"

EXPORTED = (".onnx", ".pt2", ".pt")
"""Suffixes of exported graphs, which belong to one set of weights."""

SLIM = "slim"
"""Key of ``config.json`` for a release, which omits the trained network beside its average."""


class Pretrained:
    """Mixin for modules that are saved to, and loaded from, a folder or a Hugging Face repository.

    Each constructor argument must be an attribute of the same name. Arguments are plain values,
    tuples, lists, dictionaries, dataclasses, and modules of this kind.
    """

    def save_pretrained(self, folder: str | os.PathLike[str], *, card: str | None = None) -> None:
        """Write weights and configuration, and ``card`` as ``README.md``.

        The configuration is written last, so a folder with a configuration is complete. Graphs that
        were exported from earlier weights are removed.
        """
        module, folder = _module(self), Path(folder)
        config = {**to_config(module), "oneleap_version": _version()}
        exported = (path for suffix in EXPORTED for path in folder.glob(f"*{suffix}"))
        for stale in (folder / CONFIG, *exported):
            stale.unlink(missing_ok=True)
        with atomic_write(folder / WEIGHTS) as path:
            save_model(module, str(path), metadata={"format": "pt"})
        if card is not None:
            with atomic_write(folder / CARD) as path:
                path.write_text(card, encoding="utf-8")
        with atomic_write(folder / CONFIG) as path:
            path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    def next_step(self, run: str) -> tuple[str, ...] | None:
        """Return what a user can do after training; ``oneleap fit`` prints it at its end.

        Args:
            run: Folder of the run.

        Returns:
            Command of oneleap and its arguments, which must work as they are; by default ``None``.
        """
        return None

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
            trusted: Top-level packages, besides oneleap and that of this class, whose classes may
                be built.

        Returns:
            The model.

        Raises:
            InputError: If it is missing, damaged or of another class, or its weights do not fit.
        """
        trusted = (*trusted, cls.__module__.partition(".")[0])
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
    """Load a model of any class, on the CPU and in evaluation mode.

    Args:
        path_or_repo_id: A folder, or else a repository ``owner/name`` on huggingface.co.
        revision: Branch, tag or commit of the repository.
        trusted: Top-level packages, besides oneleap and those of the option ``--trusted``, whose
            classes may be built.

    Returns:
        The model.

    Raises:
        InputError: If it is missing or damaged, or its weights do not fit.
    """
    folder = Path(path_or_repo_id)
    if not folder.is_dir():
        folder = _download(str(path_or_repo_id), revision)
    file = folder / CONFIG
    config = read_config(folder)
    slim = config.pop(SLIM, False)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise InputError(f"{weights} is missing: save the model again")
    with _one_thread():
        with (
            reading(file, "the configuration of a model", "save the model again"),
            Budget(str(file), weights.stat().st_size),
        ):
            model = from_config(config, trusted=trusted, where=str(file))
        if not (isinstance(model, Pretrained) and isinstance(model, nn.Module)):
            raise InputError(f"{file}: {type(model).__name__} is not a model")
        (load_release_weights if slim else load_weights)(model, weights)
    model.eval()
    return model


@contextmanager
def _one_thread() -> Iterator[None]:
    """Load on one thread: for many small tensors, starting threads costs more than it saves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def read_config(folder: Path) -> dict[str, Any]:
    """Read the ``config.json`` of a model folder, with old names translated.

    Raises:
        InputError: If it is missing or invalid.
    """
    file = folder / CONFIG
    if not file.is_file():
        subfolder = folder / "model"
        hint = f"; the run's model is in {subfolder}" if subfolder.is_dir() else ""
        raise InputError(f"{folder} holds no model: {CONFIG} is missing{hint}")
    config = read_json(file)
    if not isinstance(config, dict) or not isinstance(config.get("class_path"), str):
        raise InputError(f"{file}: no class_path: was it written by save_pretrained of oneleap?")
    with reading(file, "the configuration of a model", "save the model again"):
        migrated: dict[str, Any] = migrate(config, described=True)
    return migrated


def load_weights(module: nn.Module, file: Path) -> None:
    """Load weights whose names and shapes must equal those of the module.

    Raises:
        InputError: If they differ; the message names the first weight that is missing, unknown or
            of another shape.
    """
    if not file.is_file():
        raise InputError(f"{file} is missing: save the model again")
    expected = {name: list(weight.shape) for name, weight in module.state_dict().items()}
    sizes = tensor_shapes(file)
    for name in sizes.keys() & expected.keys():
        if sizes[name] != expected[name]:
            raise InputError(
                f"{file}: {name} has shape {sizes[name]}, but {CONFIG} gives {expected[name]}"
            )
    with reading(file, "a safetensors file", "save the model again"):
        missing, unknown = load_model(module, str(file), strict=False)
    for problem, names in (("is missing", missing), ("is not a weight of the model", unknown)):
        if names:
            raise InputError(f"{file}: {min(names)} {problem} ({len(names)} such, see {CONFIG})")
    require_finite_tensors(file, module.named_parameters())


def load_release_weights(module: nn.Module, file: Path) -> None:
    """Load weights that were saved without the trained network, and convert them to 32 bits.

    Raises:
        InputError: If the file is missing, damaged, or of another model.
    """
    weights = widen_weights(read_tensors(file), str(file))
    averages = [name for name in weights if name.startswith("average.")]
    weights = {f"net.{name.removeprefix('average.')}": weights[name] for name in averages} | weights
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{file} does not fit {CONFIG}: {reason}") from None


def _module(value: object) -> nn.Module:
    """Return the mixin's ``self`` as a module."""
    if not isinstance(value, nn.Module):
        raise TypeError(f"{type(value).__name__} mixes in Pretrained, but is not a torch.nn.Module")
    return value


def _download(repo_id: str, revision: str | None) -> Path:
    """Fetch the files of a model from the Hugging Face Hub, or find them in its cache.

    Raises:
        InputError: If there is no such repository, or it cannot be reached.
    """
    owner = Path(repo_id.partition("/")[0])  # a folder here: a path was meant, not a repository
    if repo_id.count("/") != 1 or repo_id.startswith((".", "/", "~")) or owner.is_dir():
        raise InputError(f"{repo_id}: no such folder")
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError:
        raise InputError(
            f"{repo_id}: no such folder; to search huggingface.co, pip install 'oneleap[export]'"
        ) from None
    try:
        files = [WEIGHTS, CONFIG, CARD]
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=files))
    except (OSError, ValueError) as error:  # network errors, and invalid names
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{repo_id}: no such folder, and not on the Hub ({reason})") from None


def _version() -> str:
    try:
        return version("oneleap")
    except PackageNotFoundError:  # a source tree that was never installed
        return "unknown"
