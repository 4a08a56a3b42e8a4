"""Commands that are printed for the user, ready to be copied into a shell."""

import os
import shlex
from pathlib import Path

from oneleap.core.hub import trust


def shell_line(*words: object) -> str:
    """Return a command of oneleap, quoted for a shell, with the user's packages of this command.

    Args:
        words: The command and its arguments, without the program.

    Returns:
        A line that works in the current folder.
    """
    return shlex.join(["oneleap", *map(str, words), *trust.options()])


def next_line(*words: object) -> str:
    """Return ``next: oneleap ...``, see :func:`shell_line`."""
    return f"next: {shell_line(*words)}"


def example_line(script: str, *words: object) -> str | None:
    """Return ``next: python examples/SCRIPT ...``.

    Args:
        script: File of the folder ``examples``, which only a clone has.
        words: Its arguments.

    Returns:
        A line that works in the current folder, or ``None`` if there is no such file.
    """
    file = Path(__file__).resolve().parents[2] / "examples" / script
    if not file.is_file():
        return None
    shown = os.path.relpath(file) if file.is_relative_to(Path.cwd()) else str(file)
    return f"next: {shlex.join(['python', shown, *map(str, words)])}"
