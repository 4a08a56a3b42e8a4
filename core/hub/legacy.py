"""Old names in saved models and configurations.

Configurations name classes by the public package that exports them, ``oneleap.core.MeanFlow`` or
``oneleap.domains.rl.OFQL``. Earlier versions named the file, ``oneleap.domains.rl.ofql.OFQL``.
:func:`migrate` translates: it drops the file and applies the :class:`Tables` of the package.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Tables:
    """Old names of one package; a package's module ``legacy`` has them as constants.

    Attributes:
        CLASSES: Old class name (or ``file.Class``, where two files had the same) to new class path.
        ARGUMENTS: Old class name to its renamed arguments, old to new. A new name ``group.name``
            lies inside a group; an empty one drops the argument. ``*`` stands for every class.
        DEFAULTS: Old class name to arguments that it lacked and its successor needs, as
            configurations write them.
        GROUPS: Class path of a group that is a plain dataclass, by the argument's name.
        OBJECTS: Class path of a group that is one of several subclasses, by the argument's name.
    """

    CLASSES: Mapping[str, str] = field(default_factory=dict)
    ARGUMENTS: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    DEFAULTS: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    GROUPS: Mapping[str, str] = field(default_factory=dict)
    OBJECTS: Mapping[str, str] = field(default_factory=dict)


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
    GROUPS={"recipe": "oneleap.core.Recipe"},
)


def migrate(config: Any, *, described: bool = False) -> Any:
    """Translate old names anywhere in a configuration.

    Args:
        config: What YAML or JSON holds; it is not changed.
        described: Whether every group of arguments is written with its class, as in the
            ``config.json`` of a model, or plainly, as in YAML.

    Returns:
        The configuration in today's names.
    """
    if isinstance(config, list):
        return [migrate(item, described=described) for item in config]
    if not isinstance(config, dict):
        return config
    found = {name: migrate(item, described=described) for name, item in config.items()}
    path = found.get("class_path")
    package = _package_of_file(path) if isinstance(path, str) else None
    if package is None:
        return found
    assert isinstance(path, str)
    name, inner = path.rpartition(".")[2], path.removeprefix(f"{package}.")
    tables = _tables(package)
    found["class_path"] = tables.CLASSES.get(inner, tables.CLASSES.get(name, f"{package}.{name}"))
    given = found.get("init_args", {})
    if isinstance(given, dict):
        names: dict[str, str] = {}
        for key in ("*", name, inner):
            names |= tables.ARGUMENTS.get(key, {})
        groups = {**CORE.GROUPS, **tables.GROUPS} if described else {}
        classes = {**tables.OBJECTS, **groups}
        added = {**tables.DEFAULTS.get(name, {}), **tables.DEFAULTS.get(inner, {})}
        renamed = {**added, **_renamed(given, names, classes)}
        if renamed or "init_args" in found:
            found["init_args"] = renamed
    return found


def _package_of_file(path: str) -> str | None:
    """Return the public package of a class path that names a file, ``None`` for other paths."""
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


def _renamed(
    given: Mapping[str, Any], names: Mapping[str, str], classes: Mapping[str, str]
) -> dict[str, Any]:
    """Rename arguments.

    Args:
        given: Arguments under their old names.
        names: Old name to new name; ``group.name`` moves into a group.
        classes: Class path of those groups that are written with their class.
    """
    found: dict[str, Any] = {}
    for old, value in given.items():
        *where, name = names.get(old, old).split(".")
        inside = found
        for group in where:
            if group in classes:
                new = {"class_path": classes[group], "init_args": {}}
                inside = inside.setdefault(group, new)["init_args"]
            else:
                inside = inside.setdefault(group, {})
        if name:
            inside[name] = value
    return found
