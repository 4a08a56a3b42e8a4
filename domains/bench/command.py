"""``oneleap bench all``: every claim about speed, in one run, with machine and versions."""

import json as codec
import os
import platform
import re
import subprocess
import sys
import tempfile
import warnings
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from oneleap.core.errors import InputError, Notice, suggest
from oneleap.domains.bench.ratios import OPTIONS, RATIOS

PROGRAM = "from oneleap.domains.main import main; raise SystemExit(main())"

BUSY = 0.5
"""Mean number of running processes from which on a machine counts as busy."""

PACKAGES = ("oneleap", "torch", "lightning", "numpy")
"""Packages whose versions are recorded."""


def bench_all(
    only: list[str] | None = None, json: Path | None = None, seed: int = 0, markdown: bool = False
) -> int:
    """Measure every ratio that README claims, each domain in a process of its own.

    The processes use the threads that OMP_NUM_THREADS says. Let nothing else run meanwhile: the
    load of the machine is recorded. The exit status is 1 if something could not be measured.

    Example: oneleap bench all --json all.json

    Args:
        only: Domain to measure; can be repeated. By default all.
        json: Also write the results to this file.
        seed: Seed of weights and draws.
        markdown: Also print the rows of README's table.

    Raises:
        InputError: There is no such domain.
    """
    for name in only or []:
        if name not in OPTIONS:
            raise InputError(f"only: no '{name}'{suggest(name, OPTIONS)} ({', '.join(OPTIONS)})")
    about, figures, failed = machine(), dict[str, dict[str, float]](), dict[str, str]()
    if (about["load_before"] or 0) > BUSY:
        warnings.warn(
            f"other programs are running (load {about['load_before']}): the figures will say "
            "little about oneleap; stop them, and measure again",
            Notice,
            stacklevel=1,
        )
    for domain in only or OPTIONS:
        print(f"measuring {domain}", file=sys.stderr)
        found = measure(domain, seed)
        if isinstance(found, str):
            failed[domain] = found
            print(f"{domain} is not measured: {found}", file=sys.stderr)
        else:
            figures[domain] = found
    about["load_after"] = load()
    results = {**about, "ratios": ratios(figures), "failed": failed, "figures": figures}
    _print(results)
    if markdown:
        rows = (r.readme_row(figures[r.domain][r.name]) for r in RATIOS if r.domain in figures)
        print("\n| speed | measured |\n|---|---|", *rows, sep="\n")
    if json is not None:
        from oneleap.core.files import atomic_write

        with atomic_write(json) as path:
            path.write_text(codec.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 1 if failed else 0


def measure(domain: str, seed: int) -> dict[str, float] | str:
    """Run the benchmark of a domain.

    Args:
        domain: Its name.
        seed: Seed of weights and draws.

    Returns:
        All figures, or the reason in one line why there are none.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figures.json")
        argv = ["bench", domain, *OPTIONS[domain], "--seed", str(seed), "--json", str(file)]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *argv],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not file.is_file():
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            return lines[-1].removeprefix("oneleap: ")
        figures: dict[str, float] = codec.loads(file.read_text(encoding="utf-8"))
        return figures


def ratios(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Return the claims that were measured, by their keys.

    Args:
        figures: Figures by domain and name.
    """
    return {
        ratio.key: {
            "title": ratio.title,
            "value": figures[ratio.domain][ratio.name],
            "unit": ratio.unit,
            "target": ratio.target,
            "met": ratio.met(figures[ratio.domain][ratio.name]),
        }
        for ratio in RATIOS
        if ratio.domain in figures
    }


def machine() -> dict[str, Any]:
    """Return what the results depend on: machine, versions, threads, time and load."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": cores,
        "threads": os.environ.get("OMP_NUM_THREADS", str(cores)),
        "system": platform.system(),
        "versions": versions,
        "load_before": load(),
    }


def load() -> float | None:
    """Return the mean number of processes that ran in the last minute, if the system says it."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def processor() -> str:
    """Return the name of the processor."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _print(results: dict[str, Any]) -> None:
    """Print the claims as a table."""
    from rich.console import Console
    from rich.table import Table

    names = ", ".join(f"{name} {found}" for name, found in results["versions"].items())
    where = f"{results['processor']}, {results['threads']} threads, load {results['load_before']}"
    table = Table(title=f"{where}\n{names}")
    for title in ("claim", "measured", "target", "met"):
        table.add_column(title, justify="left" if title == "claim" else "right")
    for ratio in RATIOS:
        found = results["ratios"].get(ratio.key)
        if found is None:
            continue
        bound = "at least" if ratio.at_least else "at most"
        met = "yes" if found["met"] else "no"
        value = f"{found['value']:.3g} {ratio.unit}"
        table.add_row(ratio.title, value, f"{bound} {ratio.target:g}", met)
    Console().print(table)
