"""Collection of whole episodes with a demonstrator."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from oneleap.domains.rl.demonstrators.episodes import collect_episodes


class Short(gymnasium.Env[Any, Any]):
    """Episodes of four steps."""

    observation_space = Box(-9, 9, (1,), np.float64)
    action_space = Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.k = 0
        return np.zeros(1), {}

    def step(self, action: Any) -> Any:
        self.k += 1
        return np.full(1, float(self.k)), 1.0, self.k == 4, False, {}


def test_the_last_episode_is_cut_where_the_steps_end() -> None:
    found = list(collect_episodes(Short(), lambda obs: obs.astype(np.float32) / 9, 10, seed=0))
    assert [len(e.rewards) for e in found] == [4, 4, 2]
    assert [bool(e.terminations[-1]) for e in found] == [True, True, False]
    assert [bool(e.truncations[-1]) for e in found] == [False, False, True]
    np.testing.assert_allclose(found[2].observations[:, 0], [0, 1, 2])
    np.testing.assert_allclose(found[2].actions[:, 0], [0, 1 / 9], rtol=1e-6)
