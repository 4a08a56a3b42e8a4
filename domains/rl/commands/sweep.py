"""``oneleap sweep``: one setting and several seeds, trained side by side, resumable."""

import functools
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

from rich.console import Console
from rich.table import Table

from oneleap.core.cli.configs import find, run_name
from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.training.callbacks import MODEL
from oneleap.core.training.checkpoints import LAST

GRID = (0.001, 0.01, 0.1, 0.3, 0.5)
"""The values of eta that OFQL's authors search (arXiv 2508.13904, App. B)."""

UNSEEN = 1_000_000
"""Added to the seed of the episodes that the next step suggests: none chose the value."""

SWEEP = "sweep.json"
SCORE = "score.json"
"""A trial's figures, which ``oneleap evaluate`` of the same run leaves alone."""


@dataclass(frozen=True)
class SweepPlan:
    """What all trials of a sweep share; a folder holds trials of one plan only.

    Attributes:
        configs: Names or paths, the later over the earlier.
        setting: Dotted name of what is varied.
        fit: Further arguments of ``oneleap fit``.
        episodes: Played to score a trial.
        candidates: Actions proposed per observation when it is scored; ``None`` for the policy's
            own number.
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
        value: Of the setting.
        seed: Of model and data.
    """

    value: float
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.value:g}-seed{self.seed}"


def trials(values: Sequence[float], seeds: Sequence[int]) -> list[Trial]:
    """All pairs, a whole round of values for each seed, so that a first seed is whole early.

    Raises:
        InputError: If there are none, or one twice.
    """
    found = [Trial(value, seed) for seed in dict.fromkeys(seeds) for value in dict.fromkeys(values)]
    if not found:
        raise InputError("a sweep needs at least one value and one seed")
    if len({trial.name for trial in found}) < len(found):
        raise InputError(f"values {tuple(values)}: two of them are equal to six digits")
    return found


def fit_arguments(plan: SweepPlan, trial: Trial, run: Path) -> list[str]:
    """Arguments of ``oneleap fit`` for one trial, which goes on if it was begun."""
    arguments = [part for name in plan.configs for part in ("--config", name)]
    arguments += [*plan.fit, f"--{plan.setting}={trial.value!r}"]
    arguments += [f"--{name}={trial.seed}" for name in ("seed_everything", "model.seed")]
    arguments += [f"--data.seed={trial.seed}", f"--run={run}"]
    return [*arguments, "--ckpt_path=last"] if (run / LAST).is_file() else arguments


def trial_score(plan: SweepPlan, run: Path) -> dict[str, float] | None:
    """Figures of a trial that is trained and scored as planned, else nothing."""
    path = run / SCORE
    if not ((run / MODEL / "config.json").is_file() and path.is_file()):
        return None
    found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    wanted = plan.num_action_samples or found["num_action_samples"]
    same = found["episodes"] == plan.episodes and found["num_action_samples"] == wanted
    return found if same else None


def work(folder: str, cwd: str, threads: int, name: str) -> dict[str, float]:
    """Train and score one trial of the sweep in ``folder``, in this process."""
    import torch

    from oneleap.core.cli import fit as cli
    from oneleap.domains.rl.commands import evaluate

    os.chdir(cwd)
    torch.set_num_threads(threads)
    plan, known = _read(Path(folder))
    trial, run = known[name], Path(folder) / name
    if not (run / MODEL / "config.json").is_file():
        cli.main("fit", fit_arguments(plan, trial, run))
    evaluate.command(
        run, episodes=plan.episodes, num_action_samples=plan.num_action_samples, json=run / SCORE, video=False
    )
    figures = trial_score(plan, run)
    assert figures is not None
    return figures


def _read(folder: Path) -> tuple[SweepPlan, dict[str, Trial]]:
    """The plan and the trials of a folder."""
    stored = json.loads((folder / SWEEP).read_text(encoding="utf-8"))
    lists = {key: tuple(stored["plan"][key]) for key in ("configs", "fit")}
    known = [Trial(float(value), int(seed)) for value, seed in stored["trials"]]
    return SweepPlan(**{**stored["plan"], **lists}), {trial.name: trial for trial in known}


def _settle(folder: Path, plan: SweepPlan, wanted: list[Trial]) -> list[Trial]:
    """Write the plan down; all trials of the folder, those of earlier calls included.

    Raises:
        InputError: The folder holds a sweep of another plan.
    """
    known = {trial.name: trial for trial in wanted}
    if (folder / SWEEP).is_file():
        other, earlier = _read(folder)
        if other != plan:
            raise InputError(
                f"{folder} holds a sweep of {' '.join(other.configs)} with other settings "
                f"({folder / SWEEP}): name another folder by --out"
            )
        known = earlier | known
    text = {"plan": asdict(plan), "trials": [(t.value, t.seed) for t in known.values()]}
    with replacing(folder / SWEEP) as path:
        path.write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")
    return list(known.values())


@dataclass(frozen=True)
class ValueSummary:
    """All seeds of one value.

    Attributes:
        value: Of the setting.
        scores: By seed.
    """

    value: float
    scores: dict[int, float]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return mean(self.scores.values())

    @property
    def standard_error(self) -> float:
        """Of that mean; NaN for one seed."""
        n = len(self.scores)
        return stdev(self.scores.values()) / n**0.5 if n > 1 else float("nan")


def summary(found: dict[Trial, dict[str, float]]) -> list[ValueSummary]:
    """One row per value, in order; the score, or the return where there is no scale of scores."""
    rows: dict[float, dict[int, float]] = {}
    for trial, figures in found.items():
        score = figures.get("score", figures["return"])
        rows.setdefault(trial.value, {})[trial.seed] = score
    return [ValueSummary(value, dict(sorted(rows[value].items()))) for value in sorted(rows)]


def table(plan: SweepPlan, rows: list[ValueSummary]) -> Table:
    """The rows for people; the best mean is marked."""
    out = Table(title=f"{' + '.join(plan.configs)}: {plan.episodes} episodes a run")
    for name in (plan.setting, "mean", "standard error", "seeds", "each"):
        out.add_column(name, justify="left" if name == "each" else "right")
    best = max(rows, key=lambda row: row.mean)
    for row in rows:
        cells = (f"{row.value:g}", f"{row.mean:.1f}", f"{row.standard_error:.1f}")
        each = " ".join(f"{score:.1f}" for score in row.scores.values())
        style = "bold" if row is best else None
        out.add_row(*cells, str(len(row.scores)), each, style=style)
    return out


def next_command(plan: SweepPlan, folder: Path, rows: list[ValueSummary]) -> str:
    """Score the best value on episodes that did not choose it."""
    best = max(rows, key=lambda row: row.mean)
    run = folder / Trial(best.value, next(iter(best.scores))).name
    chosen = "" if plan.num_action_samples is None else f" --candidates {plan.num_action_samples}"
    return f"oneleap evaluate {run} --episodes {plan.episodes} --seed {UNSEEN}{chosen}"


def sweep(
    config: str,
    setting: str = "model.eta",
    values: tuple[float, ...] = GRID,
    seeds: tuple[int, ...] = (0, 1, 2),
    fit: str = "",
    episodes: int = 100,
    num_action_samples: int | None = None,
    at_once: int = 2,
    threads: int = 1,
    out: Path | None = None,
) -> int:
    """Train every value of a setting with every seed, score each, and print means.

    The same command again goes on where it stopped: finished trials are kept, begun ones continue
    from their last checkpoint, and values or seeds may be added. The best value is chosen by the
    very episodes of the table: the last line says how to score it on others.

    Example: oneleap sweep rl/ofql_hopper-medium --values '[0.01, 0.1, 0.3]' --seeds '[0, 1]'

    Args:
        config: Name or path of a configuration; several, joined by +, are laid over one another.
        setting: What is varied; model.eta, or model.alpha for FQL.
        values: Of the setting.
        seeds: Of model and data.
        fit: Further arguments of oneleap fit, quoted: '--trainer.max_steps 100000'.
        episodes: Played to score a trial.
        candidates: Actions proposed per observation when scoring; by default the policy's number.
        at_once: Trials side by side.
        threads: Of each trial.
        out: Folder; by default runs/sweep/CONFIG.

    Returns:
        Exit status: 1 if a trial failed.

    Raises:
        InputError: A configuration is missing, or the folder holds another sweep.
    """
    if min(episodes, at_once, threads) < 1:
        raise InputError("episodes, at_once and threads must be positive")
    plan = SweepPlan(tuple(config.split("+")), setting, tuple(shlex.split(fit)), episodes, num_action_samples)
    for name in plan.configs:
        find(name)
    folder = (out or Path("runs/sweep") / run_name(plan.configs[-1])).absolute()
    every = _settle(folder, plan, trials(values, seeds))
    waiting = [trial.name for trial in every if trial_score(plan, folder / trial.name) is None]
    console = Console()
    print(f"{folder}: {len(every) - len(waiting)} of {len(every)} trials are done", flush=True)
    failed = {}
    if waiting:
        from oneleap.domains.rl.commands import ray_tune as tuner

        job = functools.partial(work, str(folder), os.getcwd(), threads)
        failed = tuner.run(job, waiting, at_once, folder / ".ray")
    results = {trial: trial_score(plan, folder / trial.name) for trial in every}
    rows = summary({trial: figures for trial, figures in results.items() if figures is not None})
    for name, reason in failed.items():
        Console(stderr=True).print(f"{name} failed: {reason}", markup=False, soft_wrap=True)
    if rows:
        console.print(table(plan, rows))
        print(f"next: {next_command(plan, folder, rows)}")
    return 1 if failed else 0
