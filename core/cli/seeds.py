"""``--seed N``: one seed for the data, the weights, the draws and the evaluations of a run.

A seed that is set by its own name wins over ``--seed`` in the same place, and the command line wins
over files: ``--data.seed``, then ``--seed``, then ``data.seed`` in a file, then ``seed`` in a file.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace

from oneleap.core.errors import InputError, check_seed

SEED = "seed"
OLD = "seed_everything"
"""Lightning's name for the same setting."""

PARTS = ("data", "model", "trainer")
"""Parts of a configuration that have seeds: data; weights and draws; evaluations."""


def spread_seed(
    settings: Namespace,
    files: Sequence[str],
    arguments: Sequence[str],
    resumed: int | None = None,
) -> int:
    """Give one seed to all parts of a configuration, except seeds that are set by name.

    Args:
        settings: Parsed settings of a command; they are changed in place.
        files: Configuration files, as paths or as text.
        arguments: Arguments of the command line, without the files.
        resumed: Seed that a resumed run was started with; it counts as ``--seed`` if none is given.

    Returns:
        The seed for everything else, 0 by default.

    Raises:
        InputError: If a seed is no seed.
    """
    seed = _common_seed(settings, resumed)
    by_argument = set(_given(arguments))
    by_file = {path for text in files for path in _seeds_of(_read(text), "")}
    from_arguments = resumed is not None or not by_argument.isdisjoint((SEED, OLD))
    explicit = by_argument if from_arguments else by_argument | by_file
    for part in PARTS:
        for owner, path in _owners(settings.get(part), part):
            if seed is not None and path not in explicit:
                owner[SEED] = seed
            elif isinstance(owner[SEED], int):
                check_seed(owner[SEED])
    return seed or 0


def _common_seed(settings: Namespace, resumed: int | None) -> int | None:
    """Return the seed of either name, and leave the current name alone in the settings."""
    seed, old = settings.get(SEED), settings.pop(OLD, None)
    if isinstance(old, bool):
        raise InputError(f"{OLD}: {old} is not a number: use --seed N")
    if seed is not None and old is not None and seed != old:
        raise InputError(f"{SEED} {seed} and {OLD} {old} differ: give --seed alone")
    settings[SEED] = seed = next((s for s in (seed, old, resumed) if s is not None), None)
    if seed is not None:
        check_seed(seed)
    return seed


def _owners(value: Any, path: str) -> Iterator[tuple[Any, str]]:
    """Yield each group of settings that has a seed, and the seed's path without ``init_args``."""
    if isinstance(value, list):
        for item in value:
            yield from _owners(item, path)
    elif isinstance(value, Namespace | dict):
        items = vars(value) if isinstance(value, Namespace) else value
        for name, item in list(items.items()):
            inner = path if name == "init_args" else f"{path}.{name}"
            if name == SEED and (item is None or isinstance(item, int)):
                yield value, inner
            else:
                yield from _owners(item, inner)


def _seeds_of(value: Any, path: str) -> Iterator[str]:
    """Yield the paths of all seeds in plain values."""
    if isinstance(value, list):
        for item in value:
            yield from _seeds_of(item, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = path if name == "init_args" else f"{path}.{name}".removeprefix(".")
            yield from [inner] if name in (SEED, OLD) else _seeds_of(item, inner)


def _given(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the paths of all seeds on the command line."""
    for i, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if not name.startswith("--"):
            continue
        parts = [part.rstrip("+") for part in name.removeprefix("--").split(".")]
        path = ".".join(part for part in parts if part != "init_args")
        if parts[-1] in (SEED, OLD):
            yield path
        else:
            following = arguments[i + 1] if i + 1 < len(arguments) else ""
            yield from _seeds_of(_parse(value if equals else following), path)


def _read(file: str) -> Any:
    """Read YAML from a file, or from text of several lines."""
    return _parse(file if "\n" in file else Path(file).read_text(encoding="utf-8"))


def _parse(text: str) -> Any:
    """Parse YAML; what is no YAML has no seeds."""
    try:
        return yaml.safe_load(text) if SEED in text else None
    except yaml.YAMLError:
        return None
