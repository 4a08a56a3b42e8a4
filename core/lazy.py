"""Lazy public names of a package (PEP 562)."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make ``__getattr__``, ``__dir__`` and ``__all__`` for a package's ``__init__.py``.

    Importing the package then imports none of its modules. ``from package import Name`` imports
    only the module that defines ``Name``.

    Args:
        package: ``__name__`` of the package.
        modules: Public names, each with the module that defines it, relative to the package:
            ``{"OFQL": "algorithms.ofql"}``.

    Returns:
        The three objects, in this order.
    """

    def getattr_(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    names = sorted(modules)
    return getattr_, lambda: names, names
