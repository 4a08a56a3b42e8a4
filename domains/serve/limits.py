"""Limits of a server: what one request may ask for, and how many may wait."""

from dataclasses import dataclass, fields

from oneleap.core.errors import require_positive


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Attributes:
        workers: Threads that work, each with one request and one thread of torch.
        queue: Requests that may wait for a worker; a further one gets status 503.
        seconds: Longest time of a request, its waiting included.
        characters: Longest text to speak.
        kilobytes: Largest body of a request.
        observations: Largest number of observations of a request.

    Raises:
        InputError: If one is not positive.
    """

    workers: int = 2
    queue: int = 64
    seconds: float = 60.0
    characters: int = 4096
    kilobytes: int = 1024
    observations: int = 1024

    def __post_init__(self) -> None:
        """Check all limits."""
        require_positive(**{field.name: getattr(self, field.name) for field in fields(self)})
