"""Chunks of actions in execution: a queue of planned actions for each environment."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.errors import InputError

Plan = Callable[[NDArray[Any]], NDArray[np.float32]]
"""Maps observations (n, o) to chunks of actions (n, h, a)."""


class ActionQueue:
    """The planned actions of several environments; each takes its chunk one action at a time.

    Args:
        chunk: Number of actions in a chunk.
    """

    def __init__(self, chunk: int) -> None:
        self.chunk = chunk
        self._planned: NDArray[np.float32] | None = None
        self._taken = np.zeros(0, np.int64)

    def clear(self, environments: Sequence[int] | None = None) -> None:
        """Forget the planned actions of some environments, by default of all.

        Raises:
            InputError: There is no such environment.
        """
        if environments is None or self._planned is None:
            self._planned = None
            return
        rows = np.asarray(environments, np.int64)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self._taken):
            raise InputError(f"environments: {environments}, but there are {len(self._taken)}")
        self._taken[rows] = self.chunk

    def next(self, obs: NDArray[Any], plan: Plan) -> NDArray[np.float32]:
        """Return the next action of each environment; those without one are planned for first.

        Args:
            obs: Observations, (n, o), or (o,) of a single environment.
            plan: Plans chunks; it sees the environments without planned actions alone.

        Returns:
            Actions, (n, a) or (a,).
        """
        rows = np.atleast_2d(obs)
        if self._planned is None or len(self._taken) != len(rows):
            self._planned, self._taken = plan(rows), np.zeros(len(rows), np.int64)
        elif (empty := np.flatnonzero(self._taken >= self.chunk)).size:
            self._planned[empty], self._taken[empty] = plan(rows[empty]), 0
        actions: NDArray[np.float32] = self._planned[np.arange(len(rows)), self._taken]
        self._taken += 1
        return actions if np.ndim(obs) == 2 else actions.reshape(-1)

    def state_dict(self) -> dict[str, Any]:
        """Return the planned actions, for a checkpoint; nothing if there are none."""
        if self._planned is None:
            return {}
        return {"planned": torch.tensor(self._planned), "taken": torch.tensor(self._taken)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the planned actions of :meth:`state_dict`."""
        if state:
            self._planned, self._taken = state["planned"].numpy(), state["taken"].numpy()
