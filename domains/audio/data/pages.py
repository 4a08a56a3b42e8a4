"""The page of the documentation that a refused file is explained on."""

from collections.abc import Iterator
from contextlib import contextmanager

from oneleap.core.errors import InputError

SOUNDS = "docs/howto/data.md"
"""Page on folders of sound files."""


@contextmanager
def refers_to(page: str) -> Iterator[None]:
    """Add the page that says what data must hold to the messages of refusals.

    It is also a decorator.

    Args:
        page: Path of the page in the repository.

    Raises:
        InputError: The one that was raised inside, with the page.
    """
    try:
        yield
    except InputError as error:
        text = str(error)
        if page in text:
            raise
        raise InputError(f"{text} (what the data must hold: {page})") from None
