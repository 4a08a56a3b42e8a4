"""The configurations that ship with oneleap: names, purposes and files."""

import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from oneleap.core.errors import InputError, suggest
from oneleap.core.reading.guard import reading
from oneleap.core.reading.text import read_yaml

SUFFIX = ".yaml"

SECTIONS = ("trainer", "checkpoints", "export", "progress", "data", "model")
"""Groups of settings. Without any setting below it, the name of a group says nothing."""


def shipped_configs() -> dict[str, Path]:
    """Return the path of each shipped configuration by name, such as ``rl/ofql_hopper-medium``."""
    root = Path(str(files("oneleap.configs")))
    paths = sorted(root.rglob(f"*{SUFFIX}"))
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in paths}


def find_config(name: str) -> Path:
    """Return the file of a configuration, given a shipped name or a path.

    Raises:
        InputError: If it is neither.
    """
    path, known = Path(name), shipped_configs()
    if name in known:
        return known[name]
    if path.is_file():
        return path
    own = path / f"config{SUFFIX}"
    if own.is_file():
        raise InputError(f"config: {name} is a folder: name its file: --config {own}")
    raise InputError(
        f"no configuration '{name}'{suggest(name, known)} (oneleap configs lists them; "
        "a path to a YAML file will do too)"
    )


def run_name(name: str) -> str:
    """Return the folder name for runs of a configuration: its shipped name or its file's stem.

    For a run's own ``config.yaml`` it is the name of the folder that contains the run.
    """
    path = Path(name)
    if name in shipped_configs():
        return name
    return path.resolve().parent.parent.name if path.name == f"config{SUFFIX}" else path.stem


def runs_name(names: Sequence[str]) -> str:
    """Return the folder name for runs of one or several configurations.

    Several are joined by ``+``: runs of the same algorithm on different tasks stay apart.

    Args:
        names: Names or paths of the configurations, in the order in which they apply.

    Returns:
        For example ``rl/ofql_hopper-medium+dql_d4rl``.
    """
    first, *others = [run_name(name) for name in names]
    return "+".join([first, *(name.rpartition("/")[2] for name in others)])


def config_purpose(path: Path) -> str:
    """Return the first comment of a configuration, which states its purpose."""
    line = path.read_text(encoding="utf-8").partition("\n")[0]
    return line.removeprefix("#").strip()


def with_current_names(path: Path) -> str:
    """Translate a configuration of an earlier version.

    Args:
        path: YAML file.

    Returns:
        The path, if all names in the file are current; else the translated configuration as text.

    Raises:
        InputError: If the file holds something other than settings.
    """
    import yaml

    from oneleap.core.hub.legacy import migrate

    config = read_yaml(path)
    if not isinstance(config, dict):
        raise InputError(f"{path}: holds no settings: expected lines such as 'trainer:'")
    with reading(path, "a configuration"):
        migrated = migrate(config)
        current = {k: v for k, v in migrated.items() if v is not None or k not in SECTIONS}
        return str(path) if current == config else yaml.safe_dump(current, sort_keys=False)


def configs() -> None:
    """List the shipped configurations, each with its purpose.

    Example: oneleap configs
    """
    known = shipped_configs()
    width = max(map(len, known), default=0)
    for name, path in known.items():
        print(f"{name:<{width}}  {config_purpose(path)}")
    print("to train one: oneleap fit --config NAME", file=sys.stderr)
