"""Errors and warnings for users, and helpers for their messages."""

import difflib
from collections.abc import Iterable

LONGEST = 1500
"""Number of characters of the longest message."""


class InputError(ValueError):
    """Invalid input; the message names the file or setting, the field, and the remedy.

    Commands print the message as a single line and exit with status 2.

    Args:
        message: The message. What it quotes from a file may hold line breaks, characters that
            control a terminal, and much text; these are taken out.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(_one_line(message))


def _one_line(message: str) -> str:
    """Return a message on one line, without characters that cannot be printed, and not too long."""
    if not message.isprintable():
        words = " ".join(message.split())
        message = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)
    return message if len(message) <= LONGEST else f"{message[:LONGEST]}..."


class SmallBatchError(InputError):
    """A batch has too few rows for the kinds of rows that an objective needs."""


class Notice(UserWarning):
    """A warning for users; commands print only its message, and the work continues."""


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` with the known name closest to ``name``, or ``""``."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def require_positive(**numbers: int | float) -> None:
    """Check that all numbers are above 0.

    Raises:
        InputError: If one is not; the message names the first.
    """
    for name, number in numbers.items():
        if not number > 0:
            raise InputError(f"{name}: {number} is not positive")


MAX_SEED = 2**32 - 1
"""Largest seed that NumPy, PyTorch and Lightning all accept."""


def check_seed(seed: int) -> None:
    """Check that a number can be a seed.

    Raises:
        InputError: If it is negative or above :data:`MAX_SEED`.
    """
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"seed: {seed} is {'negative' if seed < 0 else f'above {MAX_SEED}'}")


def require_decay(name: str, decay: float | None) -> None:
    """Check a decay per step.

    Args:
        name: Name of the setting, for the message.
        decay: Decay, or ``None`` if there is none.

    Raises:
        InputError: If it is not in [0, 1).
    """
    if decay is not None and not 0 <= decay < 1:
        raise InputError(f"{name}: {decay} is not in [0, 1)")
