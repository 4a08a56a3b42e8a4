"""The data module of a finished run, built again from the run's configuration."""

from argparse import ArgumentError
from pathlib import Path

import lightning as L
from jsonargparse import ArgumentParser

from oneleap.core.cli.explain import explain, unwrapped
from oneleap.core.errors import InputError
from oneleap.core.training.run import CONFIG, read_run_config


def load_datamodule(run: Path) -> L.LightningDataModule:
    """Build the data module that a run was trained on; its validation split is the run's.

    Args:
        run: Folder of the run.

    Raises:
        InputError: If the run has no configuration of data, or they cannot be built.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(L.LightningDataModule, "data", required=True)
    try:
        parsed = parser.parse_object({"data": read_run_config(run).get("data")})
        built: L.LightningDataModule = parser.instantiate(parsed).data
    except ArgumentError as error:
        raise InputError(f"{run / CONFIG}: {explain(str(error))}") from None
    except ValueError as error:
        raise unwrapped(error) from None
    return built
