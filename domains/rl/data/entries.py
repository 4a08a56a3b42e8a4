"""Dictionary observations in data: which entries are used, in which order, and a notice of it."""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from oneleap.core.errors import InputError, Notice
from oneleap.domains.rl.envs.observations import entry, ordered_keys


def join_observations(
    source: str, fields: Mapping[str, Any], obs_keys: tuple[str, ...] = ()
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Join the entries of dictionary observations to vectors.

    Args:
        source: File or data set, for the message.
        fields: Arrays by name; ``observations`` and ``next_observations`` may be dictionaries.
        obs_keys: Entries, in order; by default all that are vectors, in the order of
            :func:`oneleap.domains.rl.envs.observations.ordered_keys`.

    Returns:
        The fields with arrays in place of dictionaries, and the entries; those that were given if
        the observations are vectors already.

    Raises:
        InputError: An entry is missing or no vector.
    """
    joined, seen = dict(fields), fields.get("observations")
    if not isinstance(seen, Mapping):
        return joined, obs_keys
    shapes = {name: np.shape(array) for name, array in _leaves(seen)}
    vectors = [name for name, shape in shapes.items() if len(shape) == 2]
    keys = obs_keys or ordered_keys(vectors)
    check_entries(source, keys, {name: shape[1:] for name, shape in shapes.items()})
    if not obs_keys:
        tell_entries(source, keys, shapes)
    for name in ("observations", "next_observations"):
        part = fields.get(name)
        if part is None:
            continue
        try:
            joined[name] = np.concatenate([np.asarray(entry(part, key)) for key in keys], axis=1)
        except (KeyError, TypeError, IndexError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{source}: {name}: the entries {', '.join(keys)} do not form vectors: {reason}"
            ) from None
    return joined, keys


def check_entries(
    source: str, keys: tuple[str, ...], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Check that there are entries, and that all of them are vectors.

    Args:
        source: File or data set, for the message.
        keys: Entries that are to be used.
        shapes: Shapes of all entries of one observation.

    Raises:
        InputError: There are none, or one is missing or no vector.
    """
    listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "nothing"
    if not keys:
        raise InputError(f"{source}: observations hold no vectors, but {listed}")
    for key in keys:
        if key not in shapes:
            raise InputError(f"{source}: observations have no entry {key!r}, but {listed}")
        if len(shapes[key]) != 1:
            raise InputError(
                f"{source}: observations: entry {key!r} is no vector; the entries are {listed}"
            )


def tell_entries(source: str, keys: tuple[str, ...], names: Iterable[str]) -> None:
    """Say which entries are used by default, and which are not."""
    left = [name for name in names if name not in keys]
    unused = f"; not used: {', '.join(left)}" if left else ""
    warnings.warn(
        f"{source}: observations are {' + '.join(keys)}{unused}; --data.obs_keys chooses others",
        Notice,
        stacklevel=2,
    )


def _leaves(node: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    """Arrays of a dictionary of dictionaries, by their paths."""
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{name}/")
        else:
            yield f"{path}{name}", value
