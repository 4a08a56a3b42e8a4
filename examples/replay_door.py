"""Replays D4RL's door-human demonstrations in AdroitHandDoor-v1 and compares the returns.

    python examples/replay_door.py door-human.hdf5

The question is whether the recorded actions still open the door in today's simulator. The first
observation of each demonstration determines the state in which it began. It contains the joints
and the latch. The position of the door follows from that of its handle. The reach of the arm, the
only joint that observations leave out, follows from the position of the palm. Needs the extra `rl`.
"""

import sys
import warnings
from typing import Any

import gymnasium as gym
import gymnasium_robotics
import h5py
import numpy as np
from rich.console import Console
from rich.table import Table

from oneleap.domains.rl.envs.adroit import with_d4rl_rewards

JOINTS, LATCH, HINGE, PALM, HANDLE = slice(0, 27), 27, 28, slice(29, 32), slice(32, 35)
"""Indices of an observation."""


def reset_to_observation(env: Any, first: np.ndarray) -> None:
    """Put the simulation into the state of a first observation, at rest."""
    env.reset(seed=0)
    state = {k: np.array(env.get_env_state()[k]) for k in ("qpos", "qvel", "door_body_pos")}
    door = state["door_body_pos"] + first[HANDLE] - env._get_obs()[HANDLE]
    reach = 0.0
    for _ in range(3):  # Newton's method: the palm moves along one axis with the reach
        palms = []
        for extra in (0.0, 1e-3):
            joints = np.array([reach + extra, *first[JOINTS], first[HINGE], first[LATCH]])
            env.set_env_state(
                {"qpos": joints, "qvel": np.zeros_like(state["qvel"]), "door_body_pos": door}
            )
            palms.append(env._get_obs()[PALM])
        axis = (palms[1] - palms[0]) / 1e-3
        reach += float(axis @ (first[PALM] - palms[0]) / (axis @ axis))
    joints[0] = reach
    env.set_env_state({"qpos": joints, "qvel": np.zeros_like(state["qvel"]), "door_body_pos": door})


def main(path: str) -> None:
    """Replay every demonstration and print recorded and replayed returns."""
    with h5py.File(path) as file:
        obs, actions, rewards, last = (
            file[name][:] for name in ("observations", "actions", "rewards", "timeouts")
        )
    gym.register_envs(gymnasium_robotics)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a newer version of the task exists
        # gymnasium-robotics pays for reaching with another sign than the recordings.
        wrapped = with_d4rl_rewards(gym.make("AdroitHandDoor-v1", max_episode_steps=1000))
    env = wrapped.unwrapped
    ends = np.flatnonzero(last) + 1
    columns = ("demonstration", "steps", "recorded return", "replayed return", "start error")
    table = Table(*columns, caption="start error: largest difference of the first observations")
    returns = []
    for k, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        wrapped.reset(seed=0)
        reset_to_observation(env, obs[start].astype(np.float64))
        error = np.abs(env._get_obs() - obs[start]).max()
        replayed = sum(wrapped.step(action)[1] for action in actions[start:end])
        recorded = rewards[start:end].sum()
        returns.append((recorded, replayed))
        table.add_row(
            str(k), str(end - start), f"{recorded:.1f}", f"{replayed:.1f}", f"{error:.4f}"
        )
    recorded, replayed = np.mean(returns, 0)
    table.add_section()
    change = 100 * (replayed / recorded - 1)
    table.add_row("mean", "", f"{recorded:.1f}", f"{replayed:.1f} ({change:+.1f} %)", "")
    Console().print(table)
    near = sum(abs(b - a) <= 0.1 * abs(a) for a, b in returns)
    print(f"{near} of {len(returns)} are within 10 % of the recorded return")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
