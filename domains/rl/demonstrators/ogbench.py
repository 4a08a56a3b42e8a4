"""Records OGBench's data again, with the scripted oracles of its package.

Settings are those of OGBench's own scripts (``data_gen_scripts``, MIT). Every episode has a seed of
its own, where OGBench draws all of them from one stream.
"""

from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.training.seed import episode_seed
from oneleap.domains.rl.demonstrators.blocks import (
    Record,
    parts_folder,
    read_blocks,
    record_blocks,
    remove_blocks,
)
from oneleap.domains.rl.envs.lookup import find_environment, make_environment

Array = NDArray[Any]

BLOCK = 10
"""Episodes in a block."""

ATTEMPTS = 100
"""Number of recordings of one episode, none of which is kept, after which something is wrong."""


@dataclass(frozen=True)
class OGBenchRecording:
    """How a data set of OGBench comes about.

    Attributes:
        env: Gymnasium id of the environment.
        behavior: Kind of behavior: play, noisy, navigate or stitch.
        episodes: Episodes for training. A tenth as many follow for validation.
        steps: Steps of an episode, the last of which only gives the state after the one before.
        seed: Seed of everything.
    """

    env: str
    behavior: str
    episodes: int
    steps: int
    seed: int = 0

    @property
    def blocks(self) -> tuple[range, range]:
        """Numbers of the blocks for training, and of those for validation."""
        train = -(-self.episodes // BLOCK)
        return range(train), range(train, train + -(-(self.episodes // 10) // BLOCK))

    def numbers(self, block: int) -> range:
        """Numbers of the episodes in a block."""
        train, total = self.episodes, self.episodes + self.episodes // 10
        first, stop = (block * BLOCK, train) if block in self.blocks[0] else (0, total)
        if not first and block:
            first = train + (block - len(self.blocks[0])) * BLOCK
        return range(first, min(first + BLOCK, stop))

    def __call__(self) -> Record:
        """Make the environment; the result records a block of episodes."""
        from oneleap.domains.rl.demonstrators.ogbench_agents import maze_episodes, scripted_episodes

        maze = self.env.startswith("pointmaze")
        options: dict[str, Any] = {} if maze else {"mode": "data_collection"}
        options |= {"terminate_at_goal": False, "max_episode_steps": self.steps}
        env = make_environment(self.env, {**options, "disable_env_checker": True})
        if maze:
            play = maze_episodes(env, self.behavior)
        else:
            play = scripted_episodes(env, self.env, self.behavior)

        def record(block: int) -> dict[str, Array]:
            episodes = [kept(k) for k in self.numbers(block)]
            return {name: np.concatenate([e[name] for e in episodes]) for name in episodes[0]}

        def kept(number: int) -> dict[str, Array]:
            for attempt in range(ATTEMPTS):
                episode = play(episode_seed(self.seed, number, attempt))
                if episode is not None:
                    return episode
            raise InputError(f"{self.env}: none of {ATTEMPTS} recordings of one episode was fit")

        return record


def origin(name: str) -> OGBenchRecording:
    """Look up how a data set of OGBench came about.

    Args:
        name: Name such as ``cube-double-play`` or ``pointmaze-medium-navigate-v0``.

    Returns:
        Its recording.

    Raises:
        InputError: There is no such data set, or it needs a trained agent.
    """
    plain = name.removesuffix("-v0")
    kind, _, behavior = plain.rpartition("-")
    family = kind.partition("-")[0]
    steps, episodes = 1001, 1000
    if family == "pointmaze" and behavior in ("navigate", "stitch"):
        if behavior == "stitch":
            steps, episodes = 201, 5000
        elif kind == "pointmaze-giant":
            steps, episodes = 2001, 500
    elif family in ("cube", "scene", "puzzle") and behavior in ("play", "noisy"):
        if kind in ("cube-triple", "puzzle-4x5"):
            episodes = 3000
        elif kind in ("cube-quadruple", "puzzle-4x6"):
            episodes = 5000
    else:
        raise InputError(
            f"env: {name}: name cube-double-play, scene-play, puzzle-3x3-play or others of OGBench "
            "(-play, -noisy), or pointmaze-medium-navigate (-navigate, -stitch)"
        )
    import_module("ogbench")  # if it is missing, the command names the extra
    return OGBenchRecording(find_environment(f"{kind}-v0").id, behavior, episodes, steps)


def validation_file(path: Path) -> Path:
    """File of the validation data, beside that of the training data."""
    return path.with_name(f"{path.stem}-val.npz")


def collect_ogbench(recording: OGBenchRecording, path: Path, workers: int) -> tuple[int, int]:
    """Record a data set and write it in OGBench's layout.

    Args:
        recording: The recording.
        path: npz file of the training data; that of :func:`validation_file` is beside it. There is
            none with fewer than 10 episodes.
        workers: Number of processes.

    Returns:
        Numbers of steps for training and for validation, without the last of each episode.
    """
    folder, (train, validation) = parts_folder(path), recording.blocks
    record_blocks(recording, len(train) + len(validation), folder, asdict(recording), workers)
    steps = []
    for file, blocks in ((validation_file(path), validation), (path, train)):
        if blocks:
            columns = read_blocks(folder, blocks)
            with atomic_write(file) as temporary:
                np.savez_compressed(temporary, **columns)
            steps.append(int((~columns["terminals"]).sum()))
    remove_blocks(folder)
    return steps[-1], steps[0] if validation else 0
