"""Learning curves of runs."""

import csv
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure


def read_metrics(path: Path) -> dict[str, tuple[list[float], list[float]]]:
    """Read the steps and values of each metric from a run's ``metrics.csv``.

    A run that was too short to log anything has no such file, and no curves.
    """
    curves: dict[str, tuple[list[float], list[float]]] = {}
    if not path.is_file():
        return curves
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if name != "step" and value:
                    steps, values = curves.setdefault(name, ([], []))
                    steps.append(float(row["step"]))
                    values.append(float(value))
    return curves


def draw_curves(runs: Mapping[str, Path], names: Mapping[str, str]) -> Figure:
    """Plot learning curves: one panel per metric, one line per run that logged it.

    Args:
        runs: Run folders by label.
        names: Titles of the panels by the name of the metric.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(4 * len(names), 3), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    curves = {label: read_metrics(run / "metrics.csv") for label, run in runs.items()}
    for panel, (name, title) in zip(panels, names.items(), strict=True):
        for k, (label, found) in enumerate(curves.items()):
            if name in found:
                panel.plot(*found[name], label=label, color=f"C{k}")
        panel.set(title=title, xlabel="gradient step")
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False)
    return figure
