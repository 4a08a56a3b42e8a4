"""The configurations that ship with oneleap: their names, what they are, where they lie."""

from importlib.resources import files
from pathlib import Path

from oneleap.core.errors import InputError, nearest

SUFFIX = ".yaml"


def shipped() -> dict[str, Path]:
    """Path of each shipped configuration by name, ``rl/ofql_pointmaze-umaze`` say, in order."""
    root = Path(str(files("oneleap.configs")))
    paths = sorted(root.rglob(f"*{SUFFIX}"))
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in paths}


def find(name: str) -> Path:
    """The file of a configuration, given the name of a shipped one or a path.

    Raises:
        InputError: If it is neither.
    """
    path, known = Path(name), shipped()
    if name in known:
        return known[name]
    if path.is_file():
        return path
    raise InputError(
        f"no configuration '{name}'{nearest(name, known)} (oneleap configs lists them; "
        "a path to a YAML file will do too)"
    )


def run_name(name: str) -> str:
    """What runs of a configuration are filed under: its shipped name, or its file's stem.

    The ``config.yaml`` that a run leaves behind goes by the folder of that run's siblings.
    """
    path = Path(name)
    if name in shipped():
        return name
    return path.resolve().parent.parent.name if path.name == f"config{SUFFIX}" else path.stem


def first_line(path: Path) -> str:
    """What a configuration is for: its first comment."""
    line = path.read_text(encoding="utf-8").partition("\n")[0]
    return line.removeprefix("#").strip()
