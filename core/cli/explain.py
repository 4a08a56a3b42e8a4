"""jsonargparse's error messages in one line: the field, the problem, the closest valid name."""

import dataclasses
import importlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from typing import get_args, get_type_hints

from oneleap.core.errors import suggest

UNKNOWN = re.compile(
    r"Option '([^']+)' is not accepted"
    r"|(?:Group '([^']+)'|Subcommand '\w+') does not accept option '([^']+)'"
    r"|[Uu]nrecognized arguments: -*([^\s=]+)"
    r"|Key '([^']+)' is not expected"
)
NO_VALUE = re.compile(r"argument (?:-\w/)?--([\w.]+)\S*: expected one argument")
MISSING = re.compile(r"arguments are required: (.+)")
WRONG = re.compile(r"Expected (?:an? )?<class '(.+?)'>(?:\. Got value: (.*))?")
CHOICE = re.compile(r"Literal\[(.+)\]\. Got value: (.*)")
LITERAL = re.compile(r"Expected a typing\.Literal\[(.+)\]$")
NO_CLASS = re.compile(r"module '(\S+)' has no attribute '(\w+)'|dot import path string: (\S+)")
NOISE = re.compile(
    r"Does not validate|Subtypes:|Errors:|Given value type|Expected a path but|.*NoneType"
)
GIVEN = re.compile(r"Given value: (.*)")

OTHER_TYPE = re.compile(r"Import path \S+ does not correspond to a subclass of")
"""What is said of the other types that a field may have, beside the real problem."""


def explain(message: str, options: Iterable[str] = ()) -> str:
    """Summarize an error message of several lines in one line.

    Args:
        message: Message of jsonargparse's ``ArgumentError``.
        options: Option names of the command; those of classes are found from the message.

    Returns:
        One line.
    """
    keys: list[str] = []
    reasons: list[str] = []
    others: list[str] = []
    given = ""
    known = list(options)
    for line in (line.strip().removeprefix("- ") for line in message.splitlines()):
        if NOISE.match(line):
            continue
        if found := GIVEN.match(line):
            given = found[1]
            continue
        if found := re.match(r"Parser key \"?([^\"]+)\"?:(.*)", line):
            keys.append(found[1])
            line = found[2].strip()
        elif found := re.match(r"Problem with given class_path '(.+)':", line):
            known += [".".join((*keys, name)) for name in _arguments(found[1])]
            line = ""
        (others if OTHER_TYPE.match(line) else reasons).extend([line] if line else [])
    return _reason(reasons or others or [message], ".".join(keys), known, given)


def original_error(error: BaseException) -> BaseException:
    """Return the error that a constructor raised, without jsonargparse's wrapper about types."""
    while str(error).startswith("Does not validate") and error.__cause__ is not None:
        error = error.__cause__
    return error


def _reason(reasons: list[str], where: str, known: list[str], given: str) -> str:
    """Say what jsonargparse means about the field ``where``, which has the value ``given``."""
    first = reasons[0]
    if WRONG.search(first):  # a value that may be of several types: what is known of one says more
        told = (r for r in reasons for kind in (UNKNOWN, MISSING, NO_CLASS) if kind.search(r))
        first = next(told, first)
    if found := UNKNOWN.search(first):
        name = ".".join(part for part in (where, *found.groups()) if part)
        return f"no option '{name}'{suggest(name, known)}"
    at = f"{where}: " if where else ""
    if found := NO_VALUE.search(first):
        return f"{found[1]}: the value is missing"
    if found := MISSING.search(first):
        names = [name.partition(".")[2] or name for name in found[1].split(", ")]
        return f"{at}{', '.join(names)} {'is' if len(names) == 1 else 'are'} missing"
    if choices := _choices(reasons):
        return f"{at}expected {' or '.join(choices)}" + (f", not '{given}'" if given else "")
    if found := WRONG.search(first):
        if found[1] in ("tuple", "list") and found[2]:
            return f"{at}expected a list such as '[{found[2]}]', not '{found[2]}'"
        value = found[2] or given
        return f"{at}expected {found[1]}" + (f", not '{value}'" if value else "")
    if found := CHOICE.search(first):
        choices = found[1].replace("'", "").split(", ")
        return f"{at}expected {' or '.join(choices)}, not '{found[2]}'{suggest(found[2], choices)}"
    if found := NO_CLASS.search(first):
        name = (found[2] or found[3]).rpartition(".")[2]
        return f"{at}no class '{name}'{suggest(name, _classes())}"
    return at + (" ".join(reasons) if first.startswith("Problems parsing") else first)


def _choices(reasons: list[str]) -> list[str]:
    """Return what a value may be, if some of its types are lists of choices."""
    if not any(map(LITERAL.search, reasons)):
        return []
    found: dict[str, None] = {}
    for reason in reasons:
        if literal := LITERAL.search(reason):
            found |= dict.fromkeys(literal[1].replace("'", "").split(", "))
        elif wrong := WRONG.search(reason):
            found[wrong[1]] = None
    return list(found)


def _arguments(class_path: str) -> Iterator[str]:
    """Yield names of a class's arguments, and dotted names of fields of dataclass arguments."""
    module, _, name = class_path.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        return
    hints = get_type_hints(cls.__init__)
    for argument in inspect.signature(cls).parameters:
        yield argument
        hint = hints.get(argument)
        for kind in (hint, *get_args(hint)):
            if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                path = f"{kind.__module__}.{kind.__qualname__}"
                yield from (f"{argument}.{inner}" for inner in _arguments(path))


def _classes() -> list[str]:
    """Return the names of all classes of oneleap that are imported or public."""
    modules = [m for n, m in sys.modules.items() if n.startswith("oneleap.")]
    classes = [c for m in modules for c in vars(m).values() if inspect.isclass(c)]
    imported = {c.__name__ for c in classes if c.__module__.startswith("oneleap.")}
    public = {name for m in modules for name in getattr(m, "__all__", ()) if name[0].isupper()}
    return sorted(imported | public)
