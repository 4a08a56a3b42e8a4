"""The one error a user can mend, the one warning, and what helps to tell of them."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: the message names the file or setting, the field, and the mend.

    Commands print it as a single line and exit with status 2.
    """


class Notice(UserWarning):
    """What a user should know of, though the work goes on; commands print its message alone."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the known name closest to ``name``, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def positive(**numbers: int | float) -> None:
    """Refuse the first number that is not above 0.

    Raises:
        InputError: Naming it.
    """
    for name, number in numbers.items():
        if not number > 0:
            raise InputError(f"{name}: {number} is not positive")
