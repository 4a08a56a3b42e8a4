"""Objects as ``{"class_path", "init_args"}`` and back, in the format of the YAML files.

A description is read from the object itself: each constructor argument must be an attribute of
the same name. No second list of hyperparameters has to be maintained.
"""

import dataclasses
import importlib
import inspect
import sys
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from torch import nn

from oneleap.core.errors import InputError, suggest
from oneleap.core.hub.trust import PACKAGE, trusted_packages


def class_path(kind: type) -> str:
    """Return the name of a class in configurations, from the shortest package that exports it.

    The name of a class then does not change when its file moves.
    """
    name, parts = kind.__qualname__, kind.__module__.split(".")
    for depth in range(1, len(parts)):
        package = sys.modules.get(".".join(parts[:depth]))
        if getattr(package, name, None) is kind:
            return ".".join((*parts[:depth], name))
    return f"{kind.__module__}.{name}"


def to_config(value: object, where: str = "") -> Any:
    """Describe a value in JSON types; :func:`from_config` is the inverse.

    Raises:
        TypeError: If a class has no attribute named after a constructor argument, or a value cannot
            be described, such as a function.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [to_config(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, dict):
        if "class_path" in value or not all(isinstance(key, str) for key in value):
            raise TypeError(f"{where}: keys of a dictionary must be strings other than class_path")
        return {key: to_config(item, f"{where}[{key!r}]") for key, item in value.items()}
    cls = type(value)
    if not _describable(cls):
        raise TypeError(
            f"{where or cls.__name__}: a {cls.__name__} cannot be written in a configuration"
        )
    arguments = {}
    for name in _parameters(cls):
        if not hasattr(value, name):
            raise TypeError(f"{cls.__name__} has no attribute named after its argument '{name}'")
        arguments[name] = to_config(getattr(value, name), f"{where or cls.__name__}.{name}")
    return {"class_path": class_path(cls), "init_args": arguments}


def from_config(
    config: object, hint: object = Any, *, trusted: tuple[str, ...] = (), where: str = "config"
) -> Any:
    """Build the object that :func:`to_config` described.

    Only dataclasses and modules defined in oneleap (or a ``trusted`` package) are built, and no
    other module is imported. A configuration from an untrusted source can thus select among these
    classes, but cannot run other code.

    Args:
        config: Description.
        hint: Declared type of the value. JSON has no tuples, so the type distinguishes them from
            lists.
        trusted: Further top-level packages, besides those of the option ``--trusted``.
        where: Location for error messages.

    Returns:
        The object.

    Raises:
        InputError: If a class or an argument is unknown, or a class is not allowed.
    """
    if isinstance(config, list):
        kind, item_hints = _sequence_hint(hint, len(config))
        built = (
            from_config(item, item_hints[i], trusted=trusted, where=f"{where}[{i}]")
            for i, item in enumerate(config)
        )
        return kind(built)
    if not isinstance(config, dict):
        return config
    if "class_path" in config:
        cls = find_class(config["class_path"], trusted, where)
        arguments, where = config.get("init_args", {}), f"{where}: {cls.__name__}"
        _check_names(cls, arguments, where)
        hints: dict[str, Any] = get_type_hints(cls.__init__)
        build: type[Any] = cls
    else:
        arguments, build = config, dict
        hints = dict.fromkeys(config, _value_hint(hint))
    return build(
        **{
            name: from_config(item, hints.get(name, Any), trusted=trusted, where=f"{where}.{name}")
            for name, item in arguments.items()
        }
    )


def _check_names(cls: type, arguments: object, where: str) -> None:
    """Reject arguments that the constructor does not take, and missing required arguments."""
    if not isinstance(arguments, dict):
        raise InputError(f"{where}: init_args must be a mapping")
    parameters = _parameters(cls)
    for name in arguments.keys() - parameters.keys():
        raise InputError(f"{where} has no argument '{name}'{suggest(name, parameters)}")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in arguments:
            raise InputError(f"{where} needs the argument '{name}'")


def _describable(cls: type) -> bool:
    return dataclasses.is_dataclass(cls) or issubclass(cls, nn.Module)


def _parameters(cls: type) -> Mapping[str, inspect.Parameter]:
    """Return constructor arguments by name; ``*args`` and ``**kwargs`` cannot be described."""
    parameters = inspect.signature(cls).parameters
    for parameter in parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"the constructor of {cls.__name__} must not take *args or **kwargs")
    return parameters


def _members(hint: object) -> tuple[object, ...]:
    """Return the alternatives of a union, or the hint alone."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _value_hint(hint: object) -> object:
    """Return the declared type of a dictionary's values."""
    return next((get_args(m)[1] for m in _members(hint) if get_origin(m) is dict), Any)


def _sequence_hint(hint: object, n: int) -> tuple[type, list[object]]:
    """Return whether an array of ``n`` items was a tuple or a list, and the types of its items."""
    for member in _members(hint):
        items = get_args(member)
        if member is list or get_origin(member) is list:
            return list, [*items, Any][:1] * n
        if get_origin(member) is tuple and Ellipsis in items:
            return tuple, [items[0]] * n
        if get_origin(member) is tuple and len(items) == n:
            return tuple, list(items)
    return tuple, [Any] * n


def _allowed(module: str, trusted: tuple[str, ...]) -> bool:
    return module.partition(".")[0] in (*trusted_packages(), *trusted)


def find_class(class_path: object, trusted: tuple[str, ...], where: str) -> type[Any]:
    """Import a class that a configuration names, if it is allowed.

    Args:
        class_path: Name of the class with its module.
        trusted: Further top-level packages, besides those of the option ``--trusted``.
        where: Location for error messages.

    Returns:
        The class, a dataclass or a module.

    Raises:
        InputError: If there is no such class, it is defined elsewhere, or it is neither a dataclass
            nor a module.
    """
    module, _, name = str(class_path).rpartition(".")
    package = module.partition(".")[0]
    if not _allowed(module, trusted):
        raise InputError(
            f"{where}: {class_path} is not a class of {PACKAGE}: if you trust its code, add "
            f"--trusted {package or 'PACKAGE'} (in Python, trusted=('{package or 'package'}',))"
        )
    try:
        cls = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError as error:
        if error.name == package:
            raise InputError(
                f"{where}: no package '{package}': install it, or work in the folder that holds it"
            ) from None
        if not str(error.name).startswith(package):
            raise  # an optional dependency; the command names the extra
        cls = None
    if not (isinstance(cls, type) and _allowed(cls.__module__, trusted) and _describable(cls)):
        raise InputError(f"{where}: no class {class_path}; it may have been renamed")
    return cls
