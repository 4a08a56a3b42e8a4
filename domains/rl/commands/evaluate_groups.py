"""Episodes of an evaluation, in groups that this process plays, or others side by side."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.jobs.place import Place
from oneleap.core.jobs.processes import Job

if TYPE_CHECKING:
    import torch

    from oneleap.domains.rl.algorithms.policy import Policy
    from oneleap.domains.rl.envs.task import Task
    from oneleap.domains.rl.evaluation.rollouts import Evaluation

PROGRAM = (
    "import sys; from oneleap.domains.rl.commands.evaluate_groups import main; "
    "sys.exit(main(sys.argv[1:]))"
)
"""Program that plays one group."""


@dataclass(frozen=True)
class Episodes:
    """The episodes of an evaluation, and how the policy acts in them.

    Attributes:
        episodes: Number of episodes.
        seed: Seed of the environments and of the policy.
        how: Arguments of ``Policy.act``.
        temperature: Softmax temperature over Q; ``None`` for the policy's own.
    """

    episodes: int
    seed: int
    how: dict[str, Any] = field(default_factory=dict)
    temperature: float | None = None


class Player:
    """Acts in one group of episodes after the other, with noise of its own in each.

    Args:
        policy: The policy.
        episodes: What is played.
        group: Number of the first group.
    """

    def __init__(self, policy: "Policy", episodes: Episodes, group: int = 0) -> None:
        self.policy, self.episodes, self.group = policy, episodes, group
        self.generator: torch.Generator | None = None

    def reset(self) -> None:
        """Begin the next group."""
        from oneleap.core.training.seed import step_generator

        self.policy.reset()
        device = self.policy.device
        self.generator = step_generator(self.episodes.seed, self.group, stream=2, device=device)
        self.group += 1

    def act(self, obs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Choose actions, see ``Policy.act``."""
        return self.policy.act(obs, **self.episodes.how, generator=self.generator)


def play_side_by_side(
    model: Path, task: "Task", episodes: Episodes, place: Place, home: Path
) -> "Evaluation":
    """Play the groups of an evaluation in other processes. Results are those of one process.

    Args:
        model: Folder of the policy.
        task: Task of the episodes.
        episodes: What is played.
        place: Where the processes run.
        home: Folder for their results, which are removed in the end.

    Returns:
        The results.

    Raises:
        InputError: A group failed.
    """
    from oneleap.domains.rl.evaluation.rollouts import groups_of, merge, tell_cut

    count = len(groups_of(range(episodes.episodes)))
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".evaluate-", dir=home) as name:
        folder = Path(name).absolute()
        plan = {
            "model": str(model.absolute()),
            "task": json.dumps(asdict(task)),
            **asdict(episodes),
        }
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        jobs = {
            str(k): Job(("-c", PROGRAM, str(folder), str(k)), folder / f"{k}.log", place.threads)
            for k in range(count)
        }
        failed = place.run(jobs, lambda name: None)
        for group, reason in failed.items():
            raise InputError(f"group {group} of {count}: {reason}")
        found = merge([_load(task, folder / f"{k}.npz") for k in range(count)])
    tell_cut(task, found.cut, episodes.episodes)
    return found


def main(argv: Sequence[str]) -> int:
    """Play one group, given the folder of the plan and the number of the group."""
    from oneleap.core.hub.trust import import_packages
    from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
    from oneleap.domains.rl.commands.evaluate import load_policy
    from oneleap.domains.rl.envs.task import Task
    from oneleap.domains.rl.evaluation.rollouts import evaluate_policy, groups_of

    folder, number = Path(argv[0]), int(argv[1])
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    model, task = Path(plan.pop("model")), Task.from_json(plan.pop("task"))
    episodes = Episodes(**plan)
    try:
        import_packages()
        policy = load_policy(model)
        if isinstance(policy, ActorCritic) and episodes.temperature is not None:
            policy.temperature = episodes.temperature
        group = groups_of(range(episodes.episodes))[number]
        player = Player(policy, episodes, number)
        found = evaluate_policy(
            player.act, task, len(group), episodes.seed, reset=player.reset, first=group.start
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    _save(found, folder / f"{number}.npz")
    return 0


def _save(found: "Evaluation", path: Path) -> None:
    """Write the results of a group."""
    parts: dict[str, Any] = {"returns": found.returns, "lengths": found.lengths}
    if found.successes is not None:
        parts["successes"] = found.successes
    numbers = np.array([found.act_ms, found.batch, found.cut])
    paths = {f"trajectory{k}": obs for k, obs in enumerate(found.trajectories)}
    np.savez(path, numbers=numbers, **parts, **paths)


def _load(task: "Task", path: Path) -> "Evaluation":
    """Read the results of a group."""
    from oneleap.core.reading.arrays import read_arrays
    from oneleap.domains.rl.evaluation.rollouts import Evaluation

    parts = read_arrays(path)
    act_ms, batch, cut = parts["numbers"].tolist()
    paths = sum(name.startswith("trajectory") for name in parts)
    return Evaluation(
        task=task,
        returns=parts["returns"],
        lengths=parts["lengths"],
        successes=parts.get("successes"),
        act_ms=act_ms,
        batch=int(batch),
        trajectories=tuple(parts[f"trajectory{k}"] for k in range(paths)),
        cut=int(cut),
    )
