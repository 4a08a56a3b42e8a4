"""An environment in which only some extras of oneleap are installed, without installing anything.

The packages of an extra are found by the metadata of what is installed, markers included. Modules
of all other packages are hidden from import by a ``sitecustomize.py``.
"""

import re
from collections.abc import Iterable, Set
from importlib.metadata import (
    PackageNotFoundError,
    distribution,
    distributions,
    packages_distributions,
)
from pathlib import Path

from packaging.requirements import Requirement

HIDE = """import sys

HIDDEN = {hidden!r}


class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Hidden())
"""
"""Program that runs when Python starts."""

FOUND_BY_CHANCE = {"setuptools", "pkg_resources", "_distutils_hack"}
"""Modules that stay visible: Python's own environments have them."""


def normalized(name: str) -> str:
    """Return the name of a package as the index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(package: str, extras: Iterable[str]) -> set[str]:
    """Return the names of a package and of all that it requires with some of its extras.

    Args:
        package: Name of the package.
        extras: Its extras.
    """
    found, todo = set[tuple[str, str]](), [(package, extra) for extra in ("", *extras)]
    while todo:
        name, extra = todo.pop()
        if (normalized(name), extra) in found:
            continue
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found.add((normalized(name), extra))
        for line in lines:
            required = Requirement(line)
            if required.marker is None or required.marker.evaluate({"extra": extra}):
                todo += [(required.name, inner) for inner in ("", *required.extras)]
    return {name for name, _ in found}


def hidden_modules(kept: Set[str]) -> set[str]:
    """Return the top modules that belong to none of some packages.

    Args:
        kept: Names of the packages, see :func:`closure`.
    """
    owners = packages_distributions()
    known = {normalized(d.metadata["Name"]) for d in distributions()}
    assert {"torch", "oneleap"} <= known
    hidden = {m for m, names in owners.items() if not {normalized(n) for n in names} & kept}
    return hidden - FOUND_BY_CHANCE - {"oneleap", "sitecustomize"}


def write_environment(folder: Path, extras: Iterable[str]) -> Path:
    """Write a folder for ``PYTHONPATH`` that leaves only some extras of oneleap importable.

    Args:
        folder: The folder.
        extras: The extras; none for the core alone.

    Returns:
        The folder.
    """
    hidden = hidden_modules(closure("oneleap", extras))
    folder.mkdir(parents=True, exist_ok=True)
    text = HIDE.format(hidden=frozenset(sorted(hidden)))
    (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
    return folder
