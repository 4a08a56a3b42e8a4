"""Where episodes without a terminal end, in files that do not say so."""

import warnings

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError, Notice

Flags = NDArray[np.bool_]


def derive_timeouts(
    source: str,
    terminal: Flags,
    *,
    episode_ends: Flags | None = None,
    breaks: Flags | None = None,
    limit: int | None = None,
) -> Flags:
    """Mark the steps at which a time limit or the recording cut an episode, and say how.

    The first of these that is known decides: the flags of the last steps of all episodes; steps
    whose next observation is not the observation of the row that follows; a largest number of
    steps, counted from the beginning of each episode. Otherwise only terminals end an episode.

    Args:
        source: File or data set, for the message.
        terminal: Steps that ended the task, (n,).
        episode_ends: Last steps of the episodes, (n,).
        breaks: Whether the row that follows does not continue, (n - 1,).
        limit: Largest number of steps of an episode.

    Returns:
        The flags, (n,).

    Raises:
        InputError: ``episode_ends`` has another length.
    """
    n = len(terminal)
    if episode_ends is not None:
        if episode_ends.shape != (n,):
            raise InputError(
                f"{source}: episode_terminals has shape {episode_ends.shape}, terminals ({n},)"
            )
        ends, how = episode_ends, "episode_terminals tell where episodes end"
    elif breaks is not None:
        ends = np.append(breaks, False)
        how = "an episode ends where next_observations are not the observations that follow"
    elif limit is not None:
        ends = _count_off(terminal, limit)
        how = f"an episode ends after {limit} steps, if no terminal ends it before"
    else:
        ends, how = (
            np.zeros(n, bool),
            "only terminals end an episode; --data.horizon N sets a limit",
        )
    timeout = ends & ~terminal
    warnings.warn(
        f"{source}: has no timeouts: {how}; {int(timeout.sum())} timeouts", Notice, stacklevel=2
    )
    return timeout


def _count_off(terminal: Flags, limit: int) -> Flags:
    """Flags of every ``limit``-th step of an episode; a terminal starts the count again."""
    here = np.arange(len(terminal))
    start = np.where(np.append(True, terminal[:-1]), here, 0)
    step: NDArray[np.int64] = here - np.maximum.accumulate(start)
    flags: Flags = (step + 1) % limit == 0
    return flags
