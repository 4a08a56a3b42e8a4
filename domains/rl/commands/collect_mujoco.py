"""``oneleap collect mujoco``: a policy's episodes as a Minari data set and in D4RL's layout."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
from minari.data_collector import EpisodeBuffer
from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.rl.data.d4rl import FAMILIES, family_of
from oneleap.domains.rl.data.minari import dataset_folder, write
from oneleap.domains.rl.demonstrators.sb3 import Demonstrator, read_actor, train_sac, load_trusted_actor
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation.rollouts import episode_seed, evaluate

ASKED_EPISODES = 10
"""Played to see whether a policy in training is good enough."""


def rollout(
    env: gymnasium.Env[Any, Any], act: Demonstrator, steps: int, seed: int
) -> Iterator[EpisodeBuffer]:
    """Whole episodes, each from its own seed; the last is cut when ``steps`` are reached."""
    left, k = steps, 0
    while left > 0:
        obs = [env.reset(seed=episode_seed(seed, k))[0]]
        actions, rewards, terminals = [], [], []
        over = False
        while not over:
            actions.append(act(np.asarray(obs[-1], np.float32)))
            seen, reward, terminated, truncated, _ = env.step(actions[-1])
            obs.append(seen)
            rewards.append(float(reward))
            terminals.append(bool(terminated))
            left -= 1
            over = bool(terminated or truncated) or left == 0
        cut = np.zeros(len(actions), bool)
        cut[-1] = not terminals[-1]
        yield EpisodeBuffer(
            id=k,
            observations=np.array(obs),
            actions=np.array(actions),
            rewards=np.array(rewards),
            terminations=np.array(terminals),
            truncations=cut,
        )
        k += 1


def write_d4rl(path: Path, episodes: Sequence[EpisodeBuffer], env_id: str) -> None:
    """Write episodes in D4RL's layout, next observations included."""
    columns: dict[str, list[Any]] = {
        "observations": [np.asarray(e.observations)[:-1] for e in episodes],
        "next_observations": [np.asarray(e.observations)[1:] for e in episodes],
        "actions": [e.actions for e in episodes],
        "rewards": [e.rewards for e in episodes],
        "terminals": [e.terminations for e in episodes],
        "timeouts": [e.truncations for e in episodes],
    }
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for name, parts in columns.items():
            array = np.concatenate(parts)
            kept = array if array.dtype == bool else array.astype(np.float32)
            file.create_dataset(name, data=kept, compression="gzip", compression_opts=1)
        file.attrs["env_id"] = env_id


def mujoco(
    env: str = "Hopper-v5",
    policy: str = "sac",
    steps: int = 1_000_000,
    target: float = 40.0,
    train_steps: int = 1_000_000,
    seed: int = 0,
    trust: bool = False,
    dataset_id: str | None = None,
    out: Path | None = None,
    hdf5: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Roll out a policy, or train one first, and write what it did in Minari's and D4RL's layout.

    A checkpoint of Stable-Baselines3 is a zip file with pickles in it, which run code when they are
    read. Only its tensors are read here, which do for SAC, TD3, PPO and A2C; other policies need
    Stable-Baselines3's own loader, and your word that the file is to be trusted.

    Example: oneleap collect mujoco --env Hopper-v5 --policy sac --target 40 --steps 1000000

    Args:
        env: Gymnasium id.
        policy: Zip file of Stable-Baselines3, or sac to train one.
        steps: Steps to record.
        target: Score, on D4RL's scale of 0 to 100, at which training ends.
        train_steps: Most steps of training.
        seed: Of everything.
        trust: Load the checkpoint by Stable-Baselines3, which runs what code it holds.
        dataset_id: Minari id; by default oneleap/NAME-collected-v0.
        out: Folder for the Minari data set, in place of Minari's own.
        hdf5: File in D4RL's layout; by default NAME-collected.hdf5. A policy that was trained is
            kept beside it, as a zip file.
        overwrite: Replace what is there.

    Raises:
        InputError: There is no such environment or policy, or data of these names exist.
    """
    if min(steps, train_steps) < 1:
        raise InputError("steps and train_steps must be positive")
    key = family_of(env)
    domain = FAMILIES.get(key)
    plain = key or env.rpartition("/")[2].partition("-v")[0].lower()
    task = domain.task(key, env) if domain else Task(env)
    task.action_bounds()
    hdf5 = hdf5 or Path(f"{plain}-collected.hdf5")
    if hdf5.exists() and not overwrite:
        raise InputError(
            f"{hdf5} is there already: --overwrite true replaces it, --hdf5 names another"
        )
    dataset_id = dataset_id or f"oneleap/{plain}-collected-v0"
    folder = dataset_folder(dataset_id, out, overwrite)
    world = task.make()
    act = _demonstrator(task, policy, target, train_steps, seed, trust, hdf5.with_suffix(".zip"))
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("collecting", total=steps)
        episodes = []
        for episode in rollout(world, act, steps, seed):
            episodes.append(episode)
            progress.advance(bar, len(episode.rewards))
    returns = np.array([sum(e.rewards) for e in episodes if not _cut(world, e)] or [np.nan])
    about = f"{steps} steps of {policy if policy == 'sac' else Path(policy).name}, seed {seed}"
    scale = {"ref_min_score": domain.low, "ref_max_score": domain.high} if domain else {}
    write(folder, dataset_id, episodes, world, {"description": about, **scale})
    write_d4rl(hdf5, episodes, env)
    score = f", score {task.score(returns).mean():.1f}" if domain else ""
    print(f"{folder}\n{hdf5}: {steps} steps in {len(episodes)} episodes")
    print(f"mean return of whole episodes {returns.mean():.1f}{score}")
    print(f"next: oneleap fit --config rl/ofql_d4rl --data.path {hdf5}")


def _cut(env: gymnasium.Env[Any, Any], episode: EpisodeBuffer) -> bool:
    """Whether it was cut by the number of steps asked for, and not by the environment."""
    limit = env.spec.max_episode_steps if env.spec else None
    return not episode.terminations[-1] and len(episode.rewards) != limit


def _demonstrator(
    task: Task, policy: str, target: float, most: int, seed: int, trust: bool, path: Path
) -> Demonstrator:
    """Train, or load."""
    if policy != "sac":
        file = Path(policy)
        return load_trusted_actor(file) if trust else read_actor(file, task.make(), seed)
    if task.reference == "none":
        raise InputError(f"{task.env}: D4RL has no references for it, so no score ends training")

    def good_enough(act: Demonstrator) -> bool:
        found = evaluate(lambda obs: np.stack([act(o) for o in obs]), task, ASKED_EPISODES, seed)
        Console(stderr=True).print(f"SAC: score {found.score:.1f} of {target:g}")
        return found.score >= target

    if not train_sac(task.make(), good_enough, path, most, max(1, min(10_000, most)), seed):
        raise InputError(
            f"SAC did not reach a score of {target:g} within {most} steps; it is kept as {path}: "
            f"raise --train_steps, lower --target, or record it as it is by --policy {path}"
        )
    return read_actor(path, task.make(), seed)
