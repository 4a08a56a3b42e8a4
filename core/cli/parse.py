"""The settings of ``oneleap fit``, parsed without building or writing anything."""

from collections.abc import Sequence
from contextlib import ExitStack

import lightning as L
from jsonargparse import ArgumentParser, Namespace

from oneleap.core.cli.explain import original_error
from oneleap.core.cli.fit import CLI


class Parser(CLI):
    """Parses the arguments of ``oneleap fit``, and stops there."""

    def _set_seed(self) -> None:
        """Seed nothing."""

    def before_instantiate_classes(self) -> None:
        """Choose no folder."""

    def instantiate_classes(self) -> None:
        """Build nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Train nothing."""


def parse_fit(argv: Sequence[str]) -> Namespace:
    """Parse the arguments of ``oneleap fit``.

    Args:
        argv: The arguments.

    Returns:
        All settings.

    Raises:
        InputError: If an argument or a configuration is wrong.
    """
    with ExitStack() as claims:  # nothing is claimed
        return Parser("fit", argv, claims).settings


def build_data(settings: Namespace) -> L.LightningDataModule:
    """Build the data module of parsed settings.

    Args:
        settings: Result of :func:`parse_fit`.

    Returns:
        The data module.

    Raises:
        InputError: If the data cannot be read.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(L.LightningDataModule, "data", required=True)
    try:
        parsed = parser.parse_object({"data": settings.data.as_dict()})
        built: L.LightningDataModule = parser.instantiate(parsed).data
    except ValueError as error:
        raise original_error(error) from None
    return built
