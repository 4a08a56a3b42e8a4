"""``oneleap average``: choose the length of the moving average after training."""

from pathlib import Path

from oneleap.core.cli.advice import next_line
from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.training.averages.posthoc import AVERAGES, combine, stored
from oneleap.core.training.model import GenerativeModel
from oneleap.core.training.run import MODEL


def average(run: Path, sigma_rel: float = 0.1, out: Path | None = None) -> None:
    """Make the model of a run with a moving average of another width.

    The run must have been trained with the callback ``oneleap.core.Snapshots``, which stores what
    is needed. Evaluate some widths and keep the best.

    Example: oneleap average runs/flow --sigma_rel 0.08

    Args:
        run: Folder of the run.
        sigma_rel: Width of the average: the standard deviation of its weights over the steps, as a
            share of the run.
        out: Folder for the model; by default ``model-WIDTH`` in the run's folder.

    Raises:
        InputError: If the run stored no averages, they are those of another network, or no average
            has this width.
    """
    if not (run / AVERAGES).is_dir():
        raise InputError(
            f"{run} has no folder '{AVERAGES}': "
            "train with --trainer.callbacks+=oneleap.core.Snapshots"
        )
    model = load_pretrained(run / MODEL)
    if not isinstance(model, GenerativeModel):
        raise InputError(f"{run / MODEL} holds a {type(model).__name__}, which has no average")
    weights = combine(run / AVERAGES, sigma_rel)
    names = {name for name, _ in model.average.named_parameters()}
    if set(weights) != names:
        raise InputError(f"{run / AVERAGES} holds averages of another network than {run / MODEL}")
    model.average.load_state_dict(weights, strict=False)
    folder = run / f"{MODEL}-{sigma_rel:g}" if out is None else out
    model.save_pretrained(folder)
    print(f"model: {folder}, from {len(stored(run / AVERAGES))} averages")
    words = model.next_step(str(folder))
    if words is not None:
        print(next_line(*words))
