"""What the tabs share: limits of inputs, errors in one line, sounds and pictures for a browser."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError, check_seed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from oneleap.domains.audio.wave import Wave

MODEL = "model"
"""Name of the queue of all work that runs a model; one piece of work runs at a time."""

MAX_WAITING = 16
"""Largest number of requests that wait; more are refused."""

Sound = tuple[int, NDArray[np.int16]]
"""Sample rate in Hz, and samples (n,)."""


@contextmanager
def clear_errors(extra: str) -> Iterator[None]:
    """Show a user's mistake, or a missing library, as one line in the browser.

    Args:
        extra: Extra of the package that installs the libraries of the tab.
    """
    import gradio

    try:
        yield
    except InputError as error:
        raise gradio.Error(str(error), print_exception=False) from None
    except ModuleNotFoundError as error:
        text = f"{error.name} is not installed: pip install 'oneleap[{extra}]'"
        raise gradio.Error(text, print_exception=False) from None


def nothing(count: int) -> Callable[[], tuple[None, ...]]:
    """Return what empties fields after a mistake, so that no older result stands beside it.

    Args:
        count: Number of the fields, 2 or more.
    """
    return lambda: (None,) * count


@contextmanager
def short_paths(*paths: str | Path | None) -> Iterator[None]:
    """Leave the temporary folder of an uploaded file out of messages about it.

    Args:
        paths: Uploaded files; ``None`` is no file.

    Raises:
        InputError: As the block does, with the file names only.
    """
    try:
        yield
    except InputError as error:
        message = str(error)
        for path in paths:
            if path is not None:
                message = message.replace(str(path), Path(path).name)
        raise InputError(message) from None


def check_upload(what: str, path: str | None, most_bytes: int) -> Path:
    """Return the path of an uploaded file.

    Args:
        what: Name of the input, for messages.
        path: The file, or ``None`` if none was uploaded.
        most_bytes: Largest size of the file in bytes.

    Raises:
        InputError: If there is no file, or it is too large.
    """
    if not path or not Path(path).is_file():
        raise InputError(f"{what}: upload a file first")
    size = Path(path).stat().st_size
    if size > most_bytes:
        raise InputError(
            f"{what}: {Path(path).name} has {size / 2**20:.1f} MiB; the studio takes up to "
            f"{most_bytes / 2**20:g} MiB"
        )
    return Path(path)


def check_range(what: str, value: int | float | None, low: float, high: float) -> float:
    """Return a number that is within a range.

    Args:
        what: Name of the input, for messages.
        value: The number; an emptied field is ``None``.
        low: Smallest value.
        high: Largest value.

    Raises:
        InputError: If it is missing, or outside the range.
    """
    if value is None or not low <= value <= high:
        given = "nothing" if value is None else f"{value:g}"
        raise InputError(f"{what}: must be from {low:g} to {high:g}, not {given}")
    return float(value)


def seed_of(value: int | float | None) -> int:
    """Return the seed in a field.

    Raises:
        InputError: If the field is empty, or the number cannot be a seed.
    """
    if value is None or not float(value).is_integer():
        raise InputError("seed: give a whole number")
    check_seed(int(value))
    return int(value)


def as_sound(wave: "Wave") -> Sound:
    """Convert a sound for the browser's player."""
    samples = np.rint(32767 * wave.samples.clip(-1, 1)).astype(np.int16)
    return wave.sample_rate, samples


def as_pixels(figure: "Figure") -> NDArray[np.uint8]:
    """Draw a figure of matplotlib as an image, (h, w, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)  # matplotlib has no types for these methods
    canvas.draw()
    pixels: NDArray[np.uint8] = np.asarray(canvas.buffer_rgba(), np.uint8)[..., :3].copy()
    return pixels
