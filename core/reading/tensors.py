"""Weights and checkpoints from files that others made. Nothing is unpickled but plain values."""

import math
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.reading.arrays import check_archive
from oneleap.core.reading.guard import check_size, reading

PARTS: dict[str, type] = {
    "state_dict": dict,
    "epoch": int,
    "global_step": int,
    "pytorch-lightning_version": str,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
}
"""What a checkpoint of a run holds."""

COUNTERS = "epoch_loop.batch_progress"
"""What Lightning counts; without it, a run would begin again without a word."""

COUNTS = ("ready", "started", "processed", "completed", "_batches_that_stepped")
"""Names of the counts in the state of Lightning's loops."""

LARGEST = 2**63
"""Counts are below this."""

VERSION = re.compile(r"\d+(\.\d+)*([a-z.+-]+[\w.+-]*)?")
"""Version of Lightning, which it parses."""


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the tensors of a safetensors file, on the CPU.

    Raises:
        InputError: If it cannot be read, is damaged, or holds numbers that are not finite.
    """
    from safetensors.torch import load_file

    with reading(path, "a safetensors file", "save the model again"):
        tensors: dict[str, Tensor] = load_file(path)
        require_finite_tensors(path, tensors.items())
    return tensors


def tensor_shapes(path: str | os.PathLike[str]) -> dict[str, list[int]]:
    """Read the shapes of the tensors of a safetensors file by name.

    Raises:
        InputError: If it cannot be read, or is damaged.
    """
    from safetensors import safe_open

    with (
        reading(path, "a safetensors file", "save the model again"),
        safe_open(path, framework="pt") as weights,
    ):
        return {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118 (no mapping)


def read_checkpoint(path: str | os.PathLike[str], device: Any = "cpu") -> dict[str, Any]:
    """Read a checkpoint of a run.

    Args:
        path: The file.
        device: Where its tensors go, as in ``torch.load``.

    Returns:
        The checkpoint.

    Raises:
        InputError: If it cannot be read, is damaged or something else, or holds numbers that are
            not finite.
    """
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is damaged or not a checkpoint of a run: name another")
    with reading(path, "a checkpoint of a run", "name another"):
        check_archive(path)
        found = torch.load(path, map_location=device, weights_only=True)
        missing = [
            name
            for name, kind in PARTS.items()
            if not isinstance(found, dict) or not isinstance(found.get(name), kind)
        ]
        if not missing and COUNTERS not in found["loops"].get("fit_loop", ()):
            missing = ["loops"]
        if missing:
            raise InputError(
                f"{path} is damaged or not a checkpoint of a run ({', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing): name another"
            )
        if not VERSION.fullmatch(found["pytorch-lightning_version"]):
            raise InputError(f"{path} is damaged: pytorch-lightning_version is no version")
        check_counts(path, found["loops"])
        weights = found["state_dict"]
        if not all(isinstance(n, str) and isinstance(w, Tensor) for n, w in weights.items()):
            raise InputError(f"{path} is damaged: state_dict holds other things than weights")
        tensors = list(_tensors(found, ""))
        stored = Path(path).stat().st_size
        check_size(path, sum(x.numel() * x.element_size() for _, x in tensors), stored)
        numbers = [(n, x) for n, x in tensors if n.startswith(("/state_dict", "/optimizer_states"))]
        require_finite_tensors(path, numbers)
    checkpoint: dict[str, Any] = found
    return checkpoint


def check_counts(path: str | os.PathLike[str], loops: Any, name: str = "loops") -> None:
    """Refuse loops whose counts are no whole numbers from 0.

    Args:
        path: The checkpoint, for the message.
        loops: State of Lightning's loops, or a part of it.
        name: Name of the part.

    Raises:
        InputError: If one is something else.
    """
    if not isinstance(loops, dict):
        raise InputError(f"{path} is damaged: {name} holds no counts")
    for key, value in loops.items():
        where = f"{name}/{key}"
        if key in COUNTS and not (type(value) is int and 0 <= value < LARGEST):
            raise InputError(f"{path} is damaged: {where} is no count")
        if isinstance(value, dict) or key in ("total", "current"):
            check_counts(path, value, where)


def require_finite_tensors(
    path: str | os.PathLike[str], named: Iterable[tuple[str, Tensor]]
) -> None:
    """Refuse a file with NaN or infinite numbers.

    Raises:
        InputError: If there is one; the message names its tensor.
    """
    name = not_finite(named)
    if name is not None:
        raise InputError(f"{path}: {name.lstrip('/')} holds numbers that are not finite")


def not_finite(named: Iterable[tuple[str, Tensor]]) -> str | None:
    """Return the name of the first tensor that holds NaN or an infinite number, if any does."""
    kept = [(name, x.detach()) for name, x in named if x.is_floating_point() and x.numel()]
    if not kept:
        return None
    wide = [x.half() if x.element_size() == 1 else x for _, x in kept]  # no norm of 8 bits
    largest = torch._foreach_norm(wide, ord=math.inf)
    bad = torch.stack([value.float() for value in largest]).isfinite().logical_not()
    return kept[int(bad.int().argmax())][0] if bool(bad.any()) else None


def _tensors(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """Yield all tensors in nested dictionaries and lists, by their paths."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _tensors(item, f"{name}/{key}")
    elif isinstance(value, list | tuple):
        for k, item in enumerate(value):
            yield from _tensors(item, f"{name}/{k}")
