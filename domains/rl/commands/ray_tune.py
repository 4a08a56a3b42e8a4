"""Ray Tune, as far as it is used: trials at once on one machine. No object of Ray's leaves."""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Work = Callable[[str], dict[str, float]]
"""What a trial is: its name in, its figures out. Imported by name in another process."""


def run(work: Work, names: Sequence[str], at_once: int, storage: Path) -> dict[str, str]:
    """Run trials, each in a process of its own that gets one processor.

    Args:
        work: Called with the name of a trial.
        names: Of the trials.
        at_once: Trials side by side.
        storage: Folder for Ray's own notes.

    Returns:
        Why trials failed, by name; those that succeeded are not in it.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray
    from ray import tune

    class Tell(tune.Callback):  # type: ignore[misc]  # see pyproject: its types are left out
        """Says when a trial ends; Ray pickles it."""

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            """See Ray."""
            figures = {k: v for k, v in trial.last_result.items() if k in ("score", "return")}
            shown = " ".join(f"{k} {v:.1f}" for k, v in figures.items())
            print(f"{trial.config['name']}: {shown}", flush=True)

    def trial(config: dict[str, str]) -> None:
        tune.report(work(config["name"]))

    ray.init(
        num_cpus=at_once, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
    )
    try:
        tuner = tune.Tuner(
            tune.with_resources(trial, {"cpu": 1}),
            param_space={"name": tune.grid_search(list(names))},
            tune_config=tune.TuneConfig(max_concurrent_trials=at_once, reuse_actors=False),
            run_config=tune.RunConfig(
                name="trials", storage_path=str(storage.absolute()), verbose=0, callbacks=[Tell()]
            ),
        )
        results = tuner.fit()
        failed = {}
        for k in range(len(results)):
            if results[k].error is not None:
                lines = [line for line in str(results[k].error).splitlines() if line.strip()]
                failed[results[k].config["name"]] = lines[-1].strip()
        return failed
    finally:
        ray.shutdown()
