"""The data module of a finished run, rebuilt from the run's configuration."""

import re
from argparse import ArgumentError
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning as L
from jsonargparse import ArgumentParser

from oneleap.core.cli.explain import explain, original_error
from oneleap.core.cli.paths import PATHS
from oneleap.core.errors import InputError
from oneleap.core.hub.trust import known_packages
from oneleap.core.training.run import CONFIG, read_run_config


def load_datamodule(run: Path) -> L.LightningDataModule:
    """Build the data module that a run was trained on, with the run's validation split.

    The configuration of a run is a file that may come from anyone. A class that it names is
    therefore imported only from oneleap, or from a package that the user trusts or imports.

    Args:
        run: Folder of the run.

    Returns:
        The data module.

    Raises:
        InputError: If the run's configuration has no data, they cannot be built, or a class is not
            trusted.
    """
    data = read_run_config(run).get("data")
    for name in _foreign_names(data):
        raise InputError(
            f"{run / CONFIG}: {name} is not a class of oneleap: if you trust its code, add "
            f"--trusted {name.partition('.')[0]}"
        )
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(L.LightningDataModule, "data", required=True)
    try:
        parsed = parser.parse_object({"data": data})
        built: L.LightningDataModule = parser.instantiate(parsed).data
    except ArgumentError as error:
        raise InputError(f"{run / CONFIG}: {explain(str(error))}") from None
    except ValueError as error:
        raise original_error(error) from None
    return built


def _foreign_names(value: Any, key: str = "") -> Iterator[str]:
    """Yield the dotted names that jsonargparse might import and the user has not allowed."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _foreign_names(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from _foreign_names(item, key)
    elif isinstance(value, str) and key not in PATHS and re.fullmatch(r"[^\W\d]\w*(\.\w+)+", value):
        top = value.partition(".")[0]
        if top not in known_packages() and (key == "class_path" or find_spec(top) is not None):
            yield value
