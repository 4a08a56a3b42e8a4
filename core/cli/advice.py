"""Commands that are printed for the user, ready to be copied into a shell."""

import os
import re
import shlex
from pathlib import Path

from oneleap.core.hub import trust
from oneleap.core.hub.pretrained import CONFIG, Pretrained
from oneleap.core.training.run import CONFIG as RUN_CONFIG
from oneleap.core.training.run import LAST, MODEL


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


def resume_line(run: Path | None) -> str:
    """Say how an interrupted run continues, if it can.

    Args:
        run: Folder of the run, if it has one.
    """
    if run is None or not (run / LAST).is_file():
        return "nothing was saved yet (see --checkpoints.every_n_steps)"
    options = ("--config", run / RUN_CONFIG, "--run", run, "--ckpt_path", "last")
    return f"to resume: {shell_line('fit', *options)}"


def after_training(model: Pretrained | None, run: Path) -> str:
    """Say what can be done with a trained model, or where it is.

    Args:
        model: The model.
        run: Folder of the run, in which the model is saved.
    """
    words = None if model is None else model.next_step(str(run))
    if words is None:
        return f"model: {run / MODEL}"
    return next_line(*words, *_trust_options(run / MODEL))


def _trust_options(model: Path) -> list[str]:
    """Return the options that a saved model needs because it names classes of other packages."""
    found = re.findall(r'"class_path": "(\w+)\.', (model / CONFIG).read_text(encoding="utf-8"))
    foreign = [name for name in dict.fromkeys(found) if name not in trust.trusted_packages()]
    return [word for name in foreign for word in ("--trusted", name)]


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
