"""The data module of a finished run, rebuilt from the run's configuration."""

from argparse import ArgumentError
from pathlib import Path

import lightning as L
from jsonargparse import ArgumentParser

from oneleap.core.cli.explain import explain, original_error
from oneleap.core.errors import InputError
from oneleap.core.training.run import CONFIG, read_run_config


def load_datamodule(run: Path) -> L.LightningDataModule:
    """Build the data module that a run was trained on, with the run's validation split.

    Args:
        run: Folder of the run.

    Returns:
        The data module.

    Raises:
        InputError: If the run's configuration has no data, or they cannot be built.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(L.LightningDataModule, "data", required=True)
    try:
        parsed = parser.parse_object({"data": read_run_config(run).get("data")})
        built: L.LightningDataModule = parser.instantiate(parsed).data
    except ArgumentError as error:
        raise InputError(f"{run / CONFIG}: {explain(str(error))}") from None
    except ValueError as error:
        raise original_error(error) from None
    return built
