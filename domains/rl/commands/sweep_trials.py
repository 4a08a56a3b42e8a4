"""The trials of a sweep: which there are, how each is trained and evaluated, where results lie."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write

SWEEP = "sweep.json"
"""File of the plan and the trials, in the folder of a sweep."""

SCORE = "score.json"
"""File of a trial's results. ``oneleap evaluate`` of the same run does not change it."""

OLD_PLAN = {"candidates": "num_action_samples"}
"""Old names of settings in :data:`SWEEP` and :data:`SCORE`."""


@dataclass(frozen=True)
class SweepPlan:
    """What all trials of a sweep share. A folder holds trials of one plan only.

    Attributes:
        configs: Names or paths of configurations; later ones override earlier ones.
        setting: Dotted name of the setting that varies.
        fit: Further arguments of ``oneleap fit``.
        episodes: Episodes of the evaluation of a trial.
        num_action_samples: Actions sampled for each observation in that evaluation; ``None`` for
            the policy's own number.
    """

    configs: tuple[str, ...]
    setting: str = "model.eta"
    fit: tuple[str, ...] = ()
    episodes: int = 100
    num_action_samples: int | None = None


@dataclass(frozen=True)
class Trial:
    """One training run of a sweep.

    Attributes:
        value: Value of the setting.
        seed: Seed of model and data.
    """

    value: float
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"{self.value:g}-seed{self.seed}"


def trials(values: Sequence[float], seeds: Sequence[int]) -> list[Trial]:
    """Return all pairs of values and seeds; all values of the first seed come first.

    Raises:
        InputError: There are none, or one appears twice.
    """
    found = [Trial(value, seed) for seed in dict.fromkeys(seeds) for value in dict.fromkeys(values)]
    if not found:
        raise InputError("a sweep needs at least one value and one seed")
    if len({trial.name for trial in found}) < len(found):
        raise InputError(f"values {tuple(values)}: two of them are equal to six digits")
    return found


def fit_arguments(plan: SweepPlan, trial: Trial, run: Path) -> list[str]:
    """Arguments of ``oneleap fit`` for one trial. A trial that has begun is resumed.

    Args:
        plan: Plan of the sweep.
        trial: The trial.
        run: Its folder.

    Returns:
        The arguments.
    """
    from oneleap.core.training.run import LAST

    arguments = [part for name in plan.configs for part in ("--config", name)]
    arguments.append("--trainer.devices=1")  # trials run side by side
    value = int(trial.value) if trial.value.is_integer() else trial.value
    arguments += [*plan.fit, f"--{plan.setting}={value!r}", f"--seed={trial.seed}", f"--run={run}"]
    return [*arguments, "--ckpt_path=last"] if (run / LAST).is_file() else arguments


def trial_score(plan: SweepPlan, run: Path) -> dict[str, float] | None:
    """Results of a trial that is trained and evaluated as planned; ``None`` of any other."""
    path = run / SCORE
    if not (_is_trained(run) and path.is_file()):
        return None
    found: dict[str, float] = _new_names(json.loads(path.read_text(encoding="utf-8")))
    wanted = plan.num_action_samples or found["num_action_samples"]
    same = found["episodes"] == plan.episodes and found["num_action_samples"] == wanted
    return found if same else None


def _is_trained(run: Path) -> bool:
    from oneleap.core.training.run import MODEL

    return (run / MODEL / "config.json").is_file()


def _new_names(settings: dict[str, Any]) -> dict[str, Any]:
    return {OLD_PLAN.get(name, name): value for name, value in settings.items()}


def run_trial(folder: Path, name: str, threads: int) -> None:
    """Train and evaluate one trial in this process.

    Args:
        folder: Folder of the sweep.
        name: Name of the trial.
        threads: Threads of PyTorch.
    """
    import torch

    from oneleap.core.cli import fit
    from oneleap.domains.rl.commands.evaluate import evaluate

    torch.set_num_threads(threads)
    plan, known = read_sweep(folder)
    run = folder / name
    if not _is_trained(run):
        fit.main("fit", fit_arguments(plan, known[name], run))
    evaluate(
        run,
        episodes=plan.episodes,
        num_action_samples=plan.num_action_samples,
        json=run / SCORE,
        video=False,
    )


def main(argv: Sequence[str]) -> int:
    """Run one trial, given the folder of the sweep, the trial's name, and a number of threads."""
    from oneleap.core.hub.trust import import_packages

    folder, name, threads = argv
    try:
        import_packages()
        run_trial(Path(folder), name, int(threads))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def read_sweep(folder: Path) -> tuple[SweepPlan, dict[str, Trial]]:
    """The plan and the trials of a folder."""
    stored = json.loads((folder / SWEEP).read_text(encoding="utf-8"))
    plan = _new_names(stored["plan"])
    lists = {key: tuple(plan[key]) for key in ("configs", "fit")}
    known = [Trial(float(value), int(seed)) for value, seed in stored["trials"]]
    return SweepPlan(**{**plan, **lists}), {trial.name: trial for trial in known}


def check_plan(folder: Path, plan: SweepPlan) -> dict[str, Trial]:
    """Return the trials that a folder holds already.

    Raises:
        InputError: The folder holds a sweep with another plan.
    """
    if not (folder / SWEEP).is_file():
        return {}
    other, earlier = read_sweep(folder)
    if other != plan:
        raise InputError(
            f"{folder} holds a sweep of {' '.join(other.configs)} with other settings "
            f"({folder / SWEEP}): name another folder with --out"
        )
    return earlier


def store_sweep(folder: Path, plan: SweepPlan, wanted: list[Trial]) -> list[Trial]:
    """Write the plan and the trials; return all trials of the folder, those of before included.

    Raises:
        InputError: The folder holds a sweep with another plan.
    """
    known = check_plan(folder, plan) | {trial.name: trial for trial in wanted}
    text = {"plan": asdict(plan), "trials": [(t.value, t.seed) for t in known.values()]}
    with atomic_write(folder / SWEEP) as path:
        path.write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")
    return list(known.values())
