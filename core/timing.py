"""Timing of calls, and the machine's speed of matrix products as a reference."""

import functools
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from oneleap.core.files import atomic_write


def median_ms(function: Callable[[], object], *, calls: int, warmup: int = 10) -> float:
    """Measure the median time of one call in milliseconds; each call is timed separately.

    Args:
        function: Function to time.
        calls: Number of timed calls.
        warmup: Number of calls before them.
    """
    for _ in range(warmup):
        function()
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def gemm_peak() -> float:
    """Measure the peak GFLOP/s of square float32 matrix products with sizes from 256 to 2048."""
    peaks = []
    for n, calls in ((256, 200), (512, 50), (1024, 15), (2048, 5)):
        a, b = torch.ones(n, n), torch.ones(n, n)
        out = torch.empty(n, n)
        product = functools.partial(torch.mm, a, b, out=out)
        peaks.append(2 * n**3 / median_ms(product, calls=calls, warmup=3) / 1e6)
    return max(peaks)


def print_measurements(
    title: str,
    figures: dict[str, float],
    path: Path | None,
    file_only: dict[str, float] | None = None,
) -> None:
    """Print benchmark figures as a table, and write them as one flat JSON object if asked.

    Args:
        title: Title of the table.
        figures: Values by name.
        path: JSON file to write, or ``None``.
        file_only: Further values for the file only.
    """
    table = Table(title=title)
    table.add_column("measurement")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)
    if path is not None:
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(figures | (file_only or {}), indent=2) + "\n")
