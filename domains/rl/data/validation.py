"""The fields of an offline data set as files hold them, checked in one place."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.transitions import OfflineDataset

DIMENSIONS = {
    "observations": 2,
    "actions": 2,
    "rewards": 1,
    "next_observations": 2,
    "terminals": 1,
    "timeouts": 1,
}
"""Axes of each field as files name it."""


def checked(
    source: str,
    raw: Mapping[str, NDArray[Any]],
    optional: tuple[str, ...] = (),
) -> dict[str, NDArray[np.float32]]:
    """All fields of a file as float32, or the first fault in one line.

    Args:
        source: File or data set, for the message.
        raw: Arrays by the names of :data:`DIMENSIONS`.
        optional: Fields that may be missing.

    Raises:
        InputError: A field is missing, not numeric, of wrong shape or length, empty, or holds
            NaN or infinity.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for name, axes in DIMENSIONS.items():
        if name not in raw:
            if name in optional:
                continue
            names = ", ".join(sorted(raw)) or "none"
            raise InputError(f"{source}: no field {name!r}; it has {names}")
        found[name] = _numeric(f"{source}: {name}", raw[name], axes)
    lengths = {name: len(array) for name, array in found.items()}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"{source}: fields differ in length: {sizes}")
    if not lengths["observations"]:
        raise InputError(f"{source}: no steps in it")
    if "next_observations" in found:
        width, other = found["observations"].shape[1], found["next_observations"].shape[1]
        if width != other:
            raise InputError(f"{source}: observations have {width} columns, next ones {other}")
    return found


def _numeric(where: str, array: NDArray[Any], axes: int) -> NDArray[np.float32]:
    """``array`` as float32 with ``axes`` axes, all finite."""
    if array.dtype.kind not in "biuf":
        raise InputError(f"{where}: holds {array.dtype}, not numbers")
    if axes == 1 and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != axes:
        raise InputError(f"{where}: has shape {array.shape}, {axes} axes are needed")
    with np.errstate(over="ignore"):
        out = array.astype(np.float32)
    bad = ~np.isfinite(out)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"{where}: {array[place]} in row {place[0]}; mend or drop that row")
    return out


def bounded(
    source: str,
    act: NDArray[np.float32],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    clip: bool,
) -> NDArray[np.float32]:
    """Actions within their bounds, up to rounding; ``clip`` brings the others there.

    Raises:
        InputError: The number of bounds differs, or an action is out of them and ``clip`` is off.
    """
    if low.shape != act.shape[1:]:
        raise InputError(
            f"{source}: {act.shape[1]} actions a step, the environment takes {len(low)}; name "
            "the environment of these data in env"
        )
    out = (act < low - 1e-5) | (act > high + 1e-5)
    if out.any() and not clip:
        row, column = (int(i) for i in np.argwhere(out)[0])
        raise InputError(
            f"{source}: actions: {act[row, column]:g} in row {row}, column {column} is outside "
            f"[{low[column]:g}, {high[column]:g}] ({out.any(1).sum()} such rows); "
            "clip_actions: true clips them, as D4RL did"
        )
    return np.clip(act, low, high)


def episode_bounds(ends: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Row numbers between which the episodes lie, from the flags of their last rows."""
    stops = np.flatnonzero(ends) + 1
    if not len(stops) or stops[-1] != len(ends):
        stops = np.append(stops, len(ends))
    return np.concatenate([[0], stops]).astype(np.int64)


def assemble(found: Mapping[str, NDArray[np.float32]], bounds: NDArray[np.int64]) -> OfflineDataset:
    """Tensors of checked fields."""
    columns = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in found.items()}
    return OfflineDataset(
        obs=columns["observations"],
        act=columns["actions"],
        reward=columns["rewards"],
        next_obs=columns["next_observations"],
        terminal=columns["terminals"],
        timeout=columns["timeouts"],
        bounds=torch.from_numpy(bounds),
    )
