import numpy as np
from support.tiny_robot import EYE, spec

from oneleap.domains.robot.envs.robosuite import RobotEnv
from oneleap.domains.robot.evaluation.rollouts import (
    ObsHistory,
    Rollout,
    evaluation_seed,
    play_episode,
)
from oneleap.domains.robot.spec import Spec


class Corridor(RobotEnv):
    """Replaces the simulator: each step adds its action; the task is solved at 5."""

    def __init__(self) -> None:
        self.steps, self.place = 0, 0.0

    def observe(self, render: bool = True) -> dict[str, np.ndarray]:
        image = np.full((4, 6, 3), self.steps, np.uint8)
        return {"hand": np.full(3, self.place), "object": np.zeros(2), EYE: image}

    def reset(self, seed: int) -> dict[str, np.ndarray]:
        self.steps, self.place = 0, float(seed)
        return self.observe()

    def step(self, action: np.ndarray, render: bool = True) -> tuple[dict[str, np.ndarray], bool]:
        self.steps, self.place = self.steps + 1, self.place + float(action[0])
        return self.observe(), self.place >= 5

    def render(self, camera: str, size: tuple[int, int]) -> np.ndarray:
        return np.full((*size, 3), self.steps, np.uint8)


def play(step: float, horizon: int, camera: str | None = None) -> tuple[Rollout, list[float]]:
    """Play with chunks of equal actions; also return the observations at each decision."""
    seen = list[float]()

    def act(obs: np.ndarray, images: np.ndarray | None) -> np.ndarray:
        seen.append(float(obs[0, -1, 0]))
        return np.full((1, horizon, 7), step)

    return play_episode(Corridor(), spec(), act, seed=0, max_steps=12, camera=camera), seen


def test_a_chunk_is_executed_before_the_policy_decides_again() -> None:
    rollout, seen = play(1.0, horizon=3)
    assert (rollout.success, rollout.length) == (True, 5)  # in the middle of a chunk
    assert seen == [0.0, 3.0]
    rollout, seen = play(0.1, horizon=4)
    assert (rollout.success, rollout.length) == (False, 12)
    np.testing.assert_allclose(seen, [0.0, 0.4, 0.8])


def test_a_recording_includes_the_last_frame() -> None:
    rollout, _ = play(1.0, horizon=3, camera="agentview")
    assert rollout.frames is not None
    assert rollout.frames[:, 0, 0, 0].tolist() == [0, 4, 5]


def test_the_history_is_as_in_training() -> None:
    two: Spec = spec(n_obs_steps=2, cameras=(EYE,), image_size=(4, 6))
    env = Corridor()
    history = ObsHistory(two, env.reset(1))
    obs, images = history.arrays()
    assert images is not None
    assert obs[0, :, 0].tolist() == [1, 1]
    history.append(env.step(np.ones(7))[0])
    obs, images = history.arrays()
    assert images is not None
    assert obs[0, :, 0].tolist() == [1, 2]
    assert images.shape == (1, 1, 2, 3, 4, 6)
    assert images[0, 0, :, 0, 0, 0].tolist() == [0, 1]


def test_episodes_have_seeds_of_their_own() -> None:
    seeds = {evaluation_seed(seed, k) for seed in range(3) for k in range(200)}
    collected = {
        int(np.random.SeedSequence((seed, k)).generate_state(2)[0])
        for seed in range(3)
        for k in range(200)
    }
    assert len(seeds) == 600
    assert not seeds & collected
