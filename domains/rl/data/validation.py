"""Checks of the fields of an offline data set, and their conversion to tensors."""

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
"""Number of axes of each field, by its name in D4RL's files."""

FLAGS = ("terminals", "timeouts")
"""Fields that hold 0 and 1 only."""

LARGEST_BOUND = 1e6
"""Bounds of actions from here on mean that there is no bound."""


def validate_fields(
    source: str,
    raw: Mapping[str, NDArray[Any]],
    optional: tuple[str, ...] = (),
) -> dict[str, NDArray[np.float32]]:
    """Check all fields of a file and convert them to float32.

    Args:
        source: File or data set, for the message.
        raw: Arrays by the names of :data:`DIMENSIONS`.
        optional: Fields that may be missing.

    Returns:
        The fields.

    Raises:
        InputError: A field is missing, not numeric, empty, of the wrong shape or length, or holds
            NaN or infinity, or a flag is neither 0 nor 1.
    """
    fields: dict[str, NDArray[np.float32]] = {}
    for name, axes in DIMENSIONS.items():
        if name not in raw:
            if name in optional:
                continue
            names = ", ".join(sorted(raw)) or "none"
            raise InputError(f"{source}: no field {name!r}; its fields are {names}")
        convert = validate_flags if name in FLAGS else _to_float32
        fields[name] = convert(f"{source}: {name}", raw[name], axes)
    lengths = {name: len(array) for name, array in fields.items()}
    if len(set(lengths.values())) > 1:
        sizes = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"{source}: fields differ in length: {sizes}")
    if not lengths["observations"]:
        raise InputError(f"{source}: contains no steps")
    if "next_observations" in fields:
        width, other = fields["observations"].shape[1], fields["next_observations"].shape[1]
        if width != other:
            raise InputError(
                f"{source}: observations have {width} columns, next_observations have {other}"
            )
    return fields


def validate_flags(where: str, array: NDArray[Any], axes: int = 1) -> NDArray[np.float32]:
    """Convert flags to float32; refuse all values but 0 and 1.

    Args:
        where: File and field, for the message.
        array: Flags as stored, (n,) or (n, 1).
        axes: Number of axes that they need.

    Returns:
        The flags.

    Raises:
        InputError: The array is not numeric or has another number of axes, or a value is neither 0
            nor 1.
    """
    flags = _to_float32(where, array, axes)
    others = np.unique(flags[(flags != 0) & (flags != 1)])
    if len(others):
        shown = ", ".join(f"{value:g}" for value in others[:4])
        more = f" and {len(others) - 4} more values" if len(others) > 4 else ""
        raise InputError(
            f"{where}: holds {shown}{more}, which are no flags; store 0 and 1, or booleans"
        )
    return flags


def _to_float32(where: str, array: NDArray[Any], axes: int) -> NDArray[np.float32]:
    """Convert an array to float32; refuse another number of axes, and values not finite."""
    if not isinstance(array, np.ndarray):
        raise InputError(f"{where}: is a group, not an array of numbers")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{where}: holds {array.dtype}, not numbers")
    if axes == 1 and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != axes:
        raise InputError(f"{where}: has shape {array.shape}, but needs {axes} axes")
    if axes == 2 and not array.shape[1]:
        raise InputError(f"{where}: has shape {array.shape}: there is nothing in a row")
    with np.errstate(over="ignore"):
        out = array.astype(np.float32)
    bad = ~np.isfinite(out)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(f"{where}: {array[place]} in row {place[0]}; correct or drop that row")
    return out


def refuse_discrete(source: str, actions: NDArray[Any] | None, box: bool) -> None:
    """Refuse actions that are choices from a list, before they are taken for continuous.

    These are integers, or a single column of at least two whole numbers that are not negative,
    unless an environment with continuous actions is known.

    Args:
        source: File or data set, for the message.
        actions: Actions as stored; ``None`` if there are none.
        box: Whether an environment with continuous actions is known.

    Raises:
        InputError: The actions are discrete.
    """
    if actions is None or actions.dtype.kind not in "biuf" or not actions.size:
        return
    kind = actions.dtype.kind
    column = actions.ndim == 1 or (actions.shape[1:] == (1,) and not box)
    if kind == "f" and column and np.isfinite(actions).all():
        found = np.unique(actions)
        discrete = bool(len(found) > 1 and found[0] >= 0 and (found == np.round(found)).all())
    else:
        discrete = kind in "biu"
    if not discrete:
        return
    mends = ["store them as floats"] if kind != "f" else []
    mends += ["give them the shape (n, 1)"] if actions.ndim == 1 else []
    single = actions.ndim == 1 or actions.shape[1:] == (1,)
    mends += ["name their environment: --data.env ID"] if single else []
    what = "holds only whole numbers, like choices" if kind == "f" else "holds choices"
    raise InputError(
        f"{source}: actions: {actions.dtype} {actions.shape} {what}, such as "
        f"{actions.ravel()[0]:g}: policies of oneleap have continuous actions; if these are "
        f"continuous, {' and '.join(mends)}"
    )


def finite_bounds(
    low: NDArray[np.float32], high: NDArray[np.float32], act: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bounds of an action space, (a,) each; the range of the data where it has none.

    A bound beyond :data:`LARGEST_BOUND` is none. A bound of the data is moved so far that both
    bounds are in order.
    """
    if low.shape != act.shape[1:]:
        return low, high
    low = np.where(np.abs(low) < LARGEST_BOUND, low, np.minimum(act.min(0), high))
    high = np.where(np.abs(high) < LARGEST_BOUND, high, np.maximum(act.max(0), low))
    return low.astype(np.float32), high.astype(np.float32)


def validate_actions(
    source: str,
    act: NDArray[np.float32],
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    clip: bool,
) -> NDArray[np.float32]:
    """Check that actions lie within their bounds, up to rounding.

    Args:
        source: File or data set, for the message.
        act: Actions, (n, a).
        low: Smallest action, (a,).
        high: Largest action, (a,).
        clip: Whether to clip actions outside the bounds instead of refusing them.

    Returns:
        The actions, clipped to the bounds.

    Raises:
        InputError: The number of bounds differs, or an action is out of bounds and ``clip`` is
            false.
    """
    if low.shape != act.shape[1:]:
        raise InputError(
            f"{source}: actions have {act.shape[1]} dimensions, the environment takes {len(low)}; "
            "--data.env ID names the environment of these data"
        )
    out = (act < low - 1e-5) | (act > high + 1e-5)
    if out.any() and not clip:
        row, column = (int(i) for i in np.argwhere(out)[0])
        raise InputError(
            f"{source}: actions: {act[row, column]:g} in row {row}, column {column} is outside "
            f"[{low[column]:g}, {high[column]:g}] ({out.any(1).sum()} such rows); "
            "--data.clip_actions true clips them, as D4RL did"
        )
    return np.clip(act, low, high)


def episode_bounds(ends: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Convert flags of the last row of each episode, (n,), to ``OfflineDataset.bounds``."""
    stops = np.flatnonzero(ends) + 1
    if not len(stops) or stops[-1] != len(ends):
        stops = np.append(stops, len(ends))
    return np.concatenate([[0], stops]).astype(np.int64)


def build_dataset(
    fields: Mapping[str, NDArray[np.floating[Any]]], bounds: NDArray[np.int64]
) -> OfflineDataset:
    """Convert validated fields and the bounds of the episodes to tensors."""
    columns = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in fields.items()}
    return OfflineDataset(
        obs=columns["observations"],
        act=columns["actions"],
        reward=columns["rewards"],
        next_obs=columns["next_observations"],
        terminal=columns["terminals"],
        timeout=columns["timeouts"],
        bounds=torch.from_numpy(bounds),
    )
