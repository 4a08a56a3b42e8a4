"""``oneleap collect mujoco``: episodes of a policy, as a Minari data set and in D4RL's layout."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneleap.core.errors import InputError
from oneleap.core.outputs import check_output

if TYPE_CHECKING:
    import gymnasium
    from minari.data_collector import EpisodeBuffer

    from oneleap.domains.rl.demonstrators.sb3 import Demonstrator
    from oneleap.domains.rl.envs.task import Task

TEST_EPISODES = 10
"""Episodes that decide whether a policy in training is good enough."""


def mujoco(
    env: str = "Hopper-v4",
    policy: str = "sac",
    steps: int = 1_000_000,
    horizon: int | None = None,
    target: float = 40.0,
    train_steps: int = 1_000_000,
    seed: int = 0,
    trust: bool = False,
    dataset_id: str | None = None,
    out: Path | None = None,
    hdf5: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Collect episodes of a policy, which may be trained first, for Minari and in D4RL's layout.

    A checkpoint of Stable-Baselines3 is a zip file that contains pickles, which run code when they
    are loaded. This command reads its tensors alone, which is enough for SAC, TD3, PPO and A2C. For
    other policies it needs Stable-Baselines3's own loader, and you must trust the file.

    Example: oneleap collect mujoco --env Hopper-v4 --policy sac --target 40 --steps 1000000

    Args:
        env: Gymnasium id.
        policy: Zip file of Stable-Baselines3, or sac to train one.
        steps: Number of steps to record.
        horizon: Largest number of steps of an episode; by default that of the registered
            environment, or 1000 if it has none.
        target: Score at which training ends, on D4RL's scale of 0 to 100.
        train_steps: Largest number of training steps.
        seed: Seed of everything.
        trust: Load the checkpoint with Stable-Baselines3, which runs the code it contains.
        dataset_id: Minari id; by default oneleap/NAME-collected-v0.
        out: Folder for the Minari data set, in place of Minari's own.
        hdf5: File in D4RL's layout; by default NAME-collected.hdf5. A trained policy is saved
            beside it as a zip file.
        overwrite: Replace existing data.

    Raises:
        InputError: The environment or the policy does not exist, or data of these names do.
    """
    from oneleap.core.cli.advice import next_line
    from oneleap.domains.rl.data.d4rl import write_d4rl
    from oneleap.domains.rl.data.minari import dataset_folder, write_minari

    if min(steps, train_steps) < 1:
        raise InputError("steps and train_steps must be positive")
    task, name, scale = task_to_record(env, horizon)
    hdf5 = hdf5 or Path(f"{name}-collected.hdf5")
    check_output(hdf5)
    if hdf5.exists() and not overwrite:
        raise InputError(f"{hdf5} exists already: --overwrite replaces it, --hdf5 names another")
    dataset_id = dataset_id or f"oneleap/{name}-collected-v0"
    folder = dataset_folder(dataset_id, out, overwrite)
    gym_env = task.make()
    act = _demonstrator(task, policy, target, train_steps, seed, trust, hdf5.with_suffix(".zip"))
    episodes = _collect(gym_env, act, steps, seed)
    about = f"{steps} steps of {policy if policy == 'sac' else Path(policy).name}, seed {seed}"
    write_minari(folder, dataset_id, episodes, gym_env, {"description": about, **scale})
    write_d4rl(hdf5, episodes, env)
    print(f"{folder}\n{hdf5}: {steps} steps in {len(episodes)} episodes")
    print(_mean_return(task, gym_env, episodes))
    print(next_line("fit", "--config", "rl/ofql_d4rl", "--data.path", hdf5))


def task_to_record(env: str, horizon: int | None = None) -> "tuple[Task, str, dict[str, float]]":
    """The task of an environment, a short name for files, and its scale of scores for Minari.

    Args:
        env: Gymnasium id.
        horizon: Largest number of steps of an episode; ``None`` for that of the environment.

    Raises:
        InputError: The environment does not exist, or its actions are not continuous vectors.
    """
    from oneleap.domains.rl.data.d4rl import FAMILIES, family_of, task_of

    key = family_of(env)
    family = FAMILIES.get(key)
    task = task_of(env).limited(horizon).joined()
    task.action_bounds()
    name = key or env.rpartition("/")[2].partition("-v")[0].lower()
    scale = {"ref_min_score": family.low, "ref_max_score": family.high} if family else {}
    return task, name, scale


def _collect(
    env: "gymnasium.Env[Any, Any]", act: "Demonstrator", steps: int, seed: int
) -> "list[EpisodeBuffer]":
    """Collect episodes, with a progress bar."""
    from rich.console import Console
    from rich.progress import Progress

    from oneleap.domains.rl.demonstrators.episodes import collect_episodes

    episodes = []
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("collecting", total=steps)
        for episode in collect_episodes(env, act, steps, seed):
            episodes.append(episode)
            progress.advance(bar, len(episode.rewards))
    return episodes


def _mean_return(
    task: "Task", env: "gymnasium.Env[Any, Any]", episodes: "list[EpisodeBuffer]"
) -> str:
    """The mean return of the complete episodes, and its score if the task has a scale."""
    import numpy as np

    complete = [sum(e.rewards) for e in episodes if not _is_cut(env, e)]
    returns = np.array(complete or [np.nan])
    score = f", score {task.score(returns).mean():.1f}" if task.reference != "none" else ""
    return f"mean return of complete episodes {returns.mean():.1f}{score}"


def _is_cut(env: "gymnasium.Env[Any, Any]", episode: "EpisodeBuffer") -> bool:
    """Whether the requested number of steps ended an episode, and not the environment."""
    limit = env.spec.max_episode_steps if env.spec else None
    return not episode.terminations[-1] and len(episode.rewards) != limit


def _demonstrator(
    task: "Task",
    policy: str,
    target: float,
    train_steps: int,
    seed: int,
    trust: bool,
    path: Path,
) -> "Demonstrator":
    """Load the policy of a file, or train one with SAC and save it to ``path``."""
    import numpy as np
    from rich.console import Console

    from oneleap.domains.rl.demonstrators.sb3 import load_trusted_actor, read_actor, train_sac
    from oneleap.domains.rl.evaluation.rollouts import evaluate_policy

    if policy != "sac":
        file = Path(policy)
        return load_trusted_actor(file) if trust else read_actor(file, task.make(), seed)
    if task.reference == "none":
        raise InputError(
            f"{task.env}: D4RL has no reference returns for it, so no score can end the training"
        )

    def good_enough(act: "Demonstrator") -> bool:
        found = evaluate_policy(
            lambda obs: np.stack([act(o) for o in obs]), task, TEST_EPISODES, seed
        )
        Console(stderr=True).print(f"SAC: score {found.score:.1f} of {target:g}")
        return found.score >= target

    every = max(1, min(10_000, train_steps))
    if not train_sac(task.make(), good_enough, path, train_steps, every, seed):
        raise InputError(
            f"SAC did not reach a score of {target:g} within {train_steps} steps; it is saved as "
            f"{path}: raise --train_steps, lower --target, or record it with --policy {path}"
        )
    return read_actor(path, task.make(), seed)
