"""Small fields and data sets of offline reinforcement learning."""

import numpy as np
import torch

from oneleap.domains.rl.data.transitions import OfflineDataset
from oneleap.domains.rl.data.validation import (
    DIMENSIONS,
)


def fields(n=12, obs=3, act=2):
    rng = np.random.default_rng(0)
    sizes = {"observations": (n, obs), "next_observations": (n, obs), "actions": (n, act)}
    found = {name: rng.uniform(-1, 1, sizes.get(name, n)) for name in DIMENSIONS}
    return found | {"terminals": np.zeros(n, bool), "timeouts": np.arange(n) % 4 == 3}


def dataset(reward, bounds, terminal=None, timeout=None, next_obs=None) -> OfflineDataset:
    n = len(reward)
    zeros = torch.zeros(n)
    obs = torch.arange(2.0 * n).reshape(n, 2)
    return OfflineDataset(
        obs,
        torch.zeros(n, 1),
        torch.as_tensor(reward),
        obs + 2 if next_obs is None else next_obs,
        zeros if terminal is None else terminal,
        zeros if timeout is None else timeout,
        torch.tensor(bounds),
    )


def images(n: int, size: int = 8, seed: int = 0) -> np.ndarray:
    g = np.random.default_rng(seed)
    return g.integers(0, 256, (n, size, size, 3), dtype=np.uint8)
