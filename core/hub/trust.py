"""Packages of the user: those to import first, and those whose classes saved models may name.

Both lists are environment variables while a command runs, because worker processes inherit these.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from oneleap.core.errors import InputError

PACKAGE = "oneleap"
"""Package whose classes a file may always name."""

IMPORT, TRUSTED = "ONELEAP_IMPORT", "ONELEAP_TRUSTED"
"""Environment variables with the names of packages, with commas between them."""

USER_OPTIONS = {
    "import": "package to import first, for example one that registers environments",
    "trusted": "package of yours whose classes a saved model may name",
}
"""Options of every command, which can be repeated; modules of the current folder count."""


def user_options(argv: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Separate :data:`USER_OPTIONS` from the other arguments."""
    rest, found = list[str](), {name: list[str]() for name in USER_OPTIONS}
    words = iter(argv)
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in USER_OPTIONS:
            rest.append(word)
            continue
        value = value if equals else next(words, "")
        if not value or value.startswith("-"):
            raise InputError(f"{name}: name a package: --{name} PACKAGE")
        found[name].append(value)
    return rest, found


def about_user_options() -> str:
    """Return what the help of each command says about :data:`USER_OPTIONS`."""
    options = (f"--{name} PACKAGE ({text})" for name, text in USER_OPTIONS.items())
    return f"Options of every command: {', '.join(options)}."


@contextmanager
def user_packages(imports: Sequence[str], trusted: Sequence[str]) -> Iterator[None]:
    """Import packages, and trust packages, while a command and its worker processes run.

    Args:
        imports: Packages or modules to import; an import may register environments.
        trusted: Top-level packages whose classes saved models may name.

    Raises:
        InputError: A name is no name of a package, or there is no such package.
    """
    for option, names in (("import", imports), ("trusted", trusted)):
        for name in names:
            if not all(part.isidentifier() for part in name.split(".")):
                raise InputError(f"{option}: '{name}' is not the name of a Python package")
    for name in trusted:
        if "." in name:
            top = name.partition(".")[0]
            raise InputError(f"trusted: name the whole package: --trusted {top}")
        _require(name, "trusted")
    before = {name: os.environ.get(name) for name in (IMPORT, TRUSTED)}
    for variable, names in ((IMPORT, imports), (TRUSTED, trusted)):
        os.environ[variable] = ",".join(dict.fromkeys([*_names(variable), *names]))
    try:
        import_packages()
        yield
    finally:
        for variable, value in before.items():
            if value is None:
                del os.environ[variable]
            else:
                os.environ[variable] = value


def import_packages() -> None:
    """Import the packages that the user named; a worker process calls this when it starts.

    Raises:
        InputError: There is no such package.
    """
    for name in _names(IMPORT):
        _require(name.partition(".")[0], "import")
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            raise InputError(f"import: {name} needs the module '{error.name}'") from None


def trusted_packages() -> tuple[str, ...]:
    """Return the top-level packages whose classes saved models may name, oneleap first."""
    return (PACKAGE, *_names(TRUSTED))


def known_packages() -> tuple[str, ...]:
    """Return the trusted packages, and those that the user imported."""
    return (*trusted_packages(), *(name.partition(".")[0] for name in _names(IMPORT)))


@contextmanager
def current_folder_importable() -> Iterator[None]:
    """Let modules of the current folder be imported, after those that are installed.

    ``python -P`` and ``PYTHONSAFEPATH`` switch this off, as for Python itself.
    """
    here = str(Path.cwd())
    added = not sys.flags.safe_path and here not in sys.path and "" not in sys.path
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added and here in sys.path:
            sys.path.remove(here)


def options() -> list[str]:
    """Return the options that name the packages of this command again, for a printed command."""
    pairs = [("--import", IMPORT), ("--trusted", TRUSTED)]
    return [word for option, name in pairs for value in _names(name) for word in (option, value)]


def _require(package: str, option: str) -> None:
    """Check that a top-level package exists, without importing it."""
    if package not in sys.modules and find_spec(package) is None:
        raise InputError(
            f"{option}: no package '{package}': install it, or work in the folder that holds it"
        )


def _names(variable: str) -> list[str]:
    return [name for name in os.environ.get(variable, "").split(",") if name]
