"""Translation of old names in saved models and configurations.

Configurations name classes by the public package that exports them, ``oneleap.core.MeanFlow`` or
``oneleap.domains.rl.OFQL``. Earlier versions named the file, ``oneleap.domains.rl.ofql.OFQL``.
:func:`migrate` removes the file and applies the :class:`Tables` of the package.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Tables:
    """Old names of one package; a package defines them as constants of its module ``legacy``.

    Attributes:
        CLASSES: New class path of each old class name (or ``file.Class``, if two files had classes
            of that name).
        ARGUMENTS: Renamed arguments by old class name, old name to new name. A new name
            ``group.name`` is inside a group; an empty one removes the argument. ``*`` stands for
            every class.
        DEFAULTS: Arguments by old class name that the old class did not have and the new class
            needs, in the format of configurations.
        GROUPS: Class path of each group that is a plain dataclass, by the argument's name.
        OBJECTS: Class path of each group that is one of several subclasses, by the argument's name.
        ITEMS: Old class name of the plain items of a list, by the list argument's old name.
    """

    CLASSES: Mapping[str, str] = field(default_factory=dict)
    ARGUMENTS: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    DEFAULTS: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    GROUPS: Mapping[str, str] = field(default_factory=dict)
    OBJECTS: Mapping[str, str] = field(default_factory=dict)
    ITEMS: Mapping[str, str] = field(default_factory=dict)


CORE = Tables(
    CLASSES={
        "Adam": "oneleap.core.AdamConfig",
        "Ancestral": "oneleap.core.DDPMSampler",
        "Consistency": "oneleap.core.ConsistencySampler",
        "EDMSolver": "oneleap.core.EDMSampler",
        "Euler": "oneleap.core.EulerSampler",
        "Foreign": "oneleap.core.ExternalTeacher",
        "Implicit": "oneleap.core.DDIMSampler",
        "Leap": "oneleap.core.FlowMapSampler",
    },
    DEFAULTS={
        "ConsistencyDistillation": {"target_ema": None},
        "ConsistencyTraining": {"mu0": None},
        "ConsistencyTrajectory": {"denoise_to": "teacher", "target_ema": None},
    },
    GROUPS={"recipe": "oneleap.core.Recipe"},
)


def migrate(config: Any, *, described: bool = False) -> Any:
    """Translate old names anywhere in a configuration.

    Args:
        config: Contents of a YAML or JSON file; unchanged by this function.
        described: Whether every group of arguments includes its class, as in the ``config.json`` of
            a model, or not, as in YAML.

    Returns:
        The configuration with current names.
    """
    if isinstance(config, list):
        return [migrate(item, described=described) for item in config]
    if not isinstance(config, dict):
        return config
    result = {name: migrate(item, described=described) for name, item in config.items()}
    path = result.get("class_path")
    package = _package_of_file(path) if isinstance(path, str) else None
    if package is None:
        return result
    assert isinstance(path, str)
    name, inner = path.rpartition(".")[2], path.removeprefix(f"{package}.")
    tables = _tables(package)
    result["class_path"] = tables.CLASSES.get(inner, tables.CLASSES.get(name, f"{package}.{name}"))
    arguments = result.get("init_args", {})
    if isinstance(arguments, dict):
        names: dict[str, str] = {}
        for key in ("*", name, inner):
            names |= tables.ARGUMENTS.get(key, {})
        groups = {**CORE.GROUPS, **tables.GROUPS} if described else {}
        classes = {**tables.OBJECTS, **groups}
        arguments = {key: _renamed_items(key, item, tables) for key, item in arguments.items()}
        defaults = {**tables.DEFAULTS.get(name, {}), **tables.DEFAULTS.get(inner, {})}
        renamed = {**defaults, **_renamed(arguments, names, classes)}
        if renamed or "init_args" in result:
            result["init_args"] = renamed
    return result


def _package_of_file(path: str) -> str | None:
    """Return the public package if a class path names a file, ``None`` for other paths."""
    parts = path.split(".")
    depth = {"oneleap.core": 2, "oneleap.domains": 3}.get(".".join(parts[:2]))
    if depth is None or len(parts) <= depth + 1:
        return None
    return ".".join(parts[:depth])


def _tables(package: str) -> Tables:
    """Return the old names of a package."""
    if package == "oneleap.core":
        return CORE
    try:
        module = vars(import_module(f"{package}.legacy"))
    except ModuleNotFoundError as error:
        if not str(error.name).startswith(package):
            raise
        return Tables()
    return Tables(**{f.name: module[f.name] for f in fields(Tables) if f.name in module})


def _renamed_items(name: str, value: Any, tables: Tables) -> Any:
    """Rename the arguments of the items of a list that YAML writes without their class."""
    if name not in tables.ITEMS or not isinstance(value, list):
        return value
    names = tables.ARGUMENTS.get(tables.ITEMS[name], {})
    return [
        _renamed(item, names, {}) if isinstance(item, dict) and "class_path" not in item else item
        for item in value
    ]


def _renamed(
    arguments: Mapping[str, Any], names: Mapping[str, str], classes: Mapping[str, str]
) -> dict[str, Any]:
    """Rename arguments.

    Args:
        arguments: Arguments by old name.
        names: New name of each old name; ``group.name`` moves an argument into a group.
        classes: Class path of each group that is written with its class.

    Returns:
        Arguments by new name.
    """
    result: dict[str, Any] = {}
    for old, value in arguments.items():
        *groups, name = names.get(old, old).split(".")
        target = result
        for group in groups:
            if group in classes:
                empty = {"class_path": classes[group], "init_args": {}}
                target = target.setdefault(group, empty)["init_args"]
            else:
                target = target.setdefault(group, {})
        if name:
            target[name] = value
    return result
