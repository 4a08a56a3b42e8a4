"""One HTML page about runs: a table, learning curves and plots, in a single file."""

import base64
import csv
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from oneleap.core.files import replacing

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .3rem 1rem; border-bottom: 1px solid #ddd; text-align: right }
td:first-child, th:first-child { text-align: left }
img { max-width: 100% }
"""


def read_metrics(path: Path) -> dict[str, tuple[list[float], list[float]]]:
    """Read the steps and values of each metric from a run's ``metrics.csv``."""
    curves: dict[str, tuple[list[float], list[float]]] = {}
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


def png(figure: Figure) -> bytes:
    """Convert a figure to the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def write_report(
    path: Path,
    title: str,
    text: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    pictures: Mapping[str, bytes],
) -> None:
    """Write the page.

    Args:
        path: File to write.
        title: Heading of the page.
        text: Paragraph under the heading.
        header: Column names of the table.
        rows: Rows of the table.
        pictures: PNG files by caption.
    """
    cells = [f"<tr>{''.join(f'<th>{html.escape(c)}</th>' for c in header)}</tr>"]
    cells += [f"<tr>{''.join(f'<td>{html.escape(c)}</td>' for c in row)}</tr>" for row in rows]
    images = [
        f"<h2>{html.escape(caption)}</h2>"
        f'<img alt="{html.escape(caption)}" '
        f'src="data:image/png;base64,{base64.b64encode(data).decode()}">'
        for caption, data in pictures.items()
    ]
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>"
        f"<table>{''.join(cells)}</table>{''.join(images)}</html>\n"
    )
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
