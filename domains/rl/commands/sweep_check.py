"""Checks of a sweep before its first trial: each value fits, and each trial can be scored."""

from collections.abc import Sequence
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.domains.rl.commands.sweep_trials import SweepPlan, Trial, fit_arguments

OWN = ("--ckpt_path", "--run", "--runs", "--seed", "--seed_everything")
"""Options of ``oneleap fit`` that the sweep sets itself."""


def check_sweep(plan: SweepPlan, wanted: Sequence[Trial]) -> None:
    """Refuse a sweep whose trials would fail, or could not be scored after training.

    Args:
        plan: Plan of the sweep.
        wanted: Its trials.

    Raises:
        InputError: An argument of ``fit`` or a value is wrong, the model is no policy, or the data
            name no environment that can be made.
    """
    from oneleap.core.cli.parse import build_data, parse_fit

    for word in plan.fit:
        if word.partition("=")[0] in OWN:
            raise InputError(f"fit: leave {word.partition('=')[0]} out: the sweep sets it itself")
    settings = None
    for trial in {trial.value: trial for trial in reversed(wanted)}.values():
        settings = parse_fit(fit_arguments(plan, trial, Path()))
    assert settings is not None
    check_model(plan, settings.model.class_path)
    spec = getattr(build_data(settings), "spec", None)
    task = getattr(spec, "task", None)
    if task is None:
        raise InputError(
            "the data name no environment, so no trial could be scored: name one with "
            "--fit='--data.env ID'"
        )
    task.make().close()


def check_model(plan: SweepPlan, class_path: str) -> None:
    """Check that trials train a policy, which can select among as many actions as asked.

    Args:
        plan: Plan of the sweep.
        class_path: Class of the model.

    Raises:
        InputError: The trials do not.
    """
    from importlib import import_module

    from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
    from oneleap.domains.rl.algorithms.policy import Policy

    module, _, name = class_path.rpartition(".")
    kind = getattr(import_module(module), name)
    if not issubclass(kind, Policy):
        raise InputError(
            f"{' + '.join(plan.configs)} trains a {name}: a sweep scores policies of the domain rl"
        )
    if (plan.num_action_samples or 1) > 1 and not issubclass(kind, ActorCritic):
        raise InputError(f"num_action_samples: a {name} has no Q to select by")
