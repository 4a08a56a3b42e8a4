"""What the files of a run say: the model, results, curves, pictures, configuration."""

import json
import math
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneleap.core.cli.advice import shell_line
from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import CARD, WEIGHTS, read_config
from oneleap.core.hub.pretrained import CONFIG as MODEL_CONFIG
from oneleap.core.reading.text import read_text
from oneleap.core.report import Code, Media, Part, Section, Table, Text, png, size_text
from oneleap.core.training.run import CONFIG, EVALUATION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = "metrics.csv"

PANELS = 3
"""Curves beside each other in one picture."""

MAX_CURVES = 24
"""Largest number of curves; the first columns of metrics.csv are drawn."""

KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp4": "video/mp4",
}
"""Types of the files that a page can show."""

MAX_BYTES = 64 * 2**20
"""Largest size of all files in a page."""

PACKAGES = ("oneleap", "torch", "lightning", "numpy")
"""Packages whose versions a page names."""


@dataclass(frozen=True)
class Reported:
    """What a page is about.

    Attributes:
        model: Folder of a model; of a packed folder, that of the first one.
        run: Folder of the run that trained it, or ``None``.
        home: Folder of the run, of the packed models or of the model.
        evaluation: Folder with the results of ``oneleap evaluate``.
        name: How the user named it.
    """

    model: Path
    run: Path | None
    home: Path
    evaluation: Path
    name: str


def about(found: Reported, class_path: str) -> Section:
    """Say what the model is and where it lies.

    Args:
        found: The model and its run.
        class_path: Class of the model.
    """
    files = [found.model / WEIGHTS] if found.run else sorted(found.home.rglob(WEIGHTS))
    rows = [("folder", str(found.home)), ("model", class_path)]
    for file in files:
        name = file.parent.name
        size = f"{count_weights(file):,} weights, {size_text(file)}"
        rows.append((f"weights of {name}" if len(files) > 1 else "weights", size))
    return Section("What this is", [Table(("", ""), rows)])


def card(found: Reported) -> list[Section]:
    """Return the card of a model that came without its run: how it was made, and its limits.

    Args:
        found: The model and its run.

    Returns:
        One section, or none without a card, or for a run, whose configuration says it all.

    Raises:
        InputError: If the card cannot be read.
    """
    file = found.home / CARD
    if found.run is not None or not file.is_file():
        return []
    return [Section("Card", [Code(read_text(file))])]


def count_weights(file: Path) -> int:
    """Count the numbers in a file of weights by its header.

    Raises:
        InputError: If it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        shapes = [v["shape"] for name, v in header.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError):
        raise InputError(f"{file}: cannot be read as weights") from None
    return sum(math.prod(shape) for shape in shapes)


def results(found: Reported) -> list[Section]:
    """Return the results of ``oneleap evaluate``, or say that there are none.

    Args:
        found: The model and its run.

    Raises:
        InputError: If the file is damaged.
    """
    file = found.evaluation / EVALUATION
    if not file.is_file():
        text = f"There are none yet: {shell_line(*evaluation(found))} measures the model."
        return [Section("Results", [Text(text)])]
    try:
        figures = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        figures = None
    if not isinstance(figures, dict):
        raise InputError(f"{file}: is not a JSON object: evaluate again")
    rows = [(name, _number(value)) for name, value in figures.items()]
    return [Section("Results", [Table(("measure", "value"), rows)])]


def evaluation(found: Reported) -> list[object]:
    """Return the words of the command that evaluates a model.

    Args:
        found: The model and its run.
    """
    domain = class_of(found).removeprefix("oneleap.domains.").partition(".")[0]
    alone = found.run is None and domain in ("singing", "music")  # evaluate takes no names here
    words: list[object] = ["evaluate", found.home if alone else found.name]
    if domain == "music":
        words.append("FOLDER_OF_MUSIC")
    elif domain == "singing" and found.run is None:
        words += ["--data", "FOLDER_OF_RECORDINGS"]
    return words


def _number(value: object) -> str:
    """Write a value of a table."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def curves(run: Path) -> list[Section]:
    """Draw the learning curves of a run, if it logged any."""
    from oneleap.domains.rl.evaluation.curves import read_metrics

    try:
        found = read_metrics(run / METRICS)
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{run / METRICS}: is not the log of a run") from None
    names = [n for n, (steps, _) in found.items() if n != "epoch" and len(steps) > 1][:MAX_CURVES]
    if not names:
        return []
    parts: list[Part] = []
    for first in range(0, len(names), PANELS):
        chosen = {name: found[name] for name in names[first : first + PANELS]}
        parts.append(Media(", ".join(chosen), png(_draw(chosen))))
    return [Section("Learning curves", parts)]


def _draw(found: Mapping[str, tuple[list[float], list[float]]]) -> "Figure":
    """Draw curves beside each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * PANELS, 2.8), layout="constrained")
    for panel, (name, (steps, values)) in zip(
        figure.subplots(1, PANELS, squeeze=False)[0], found.items(), strict=False
    ):
        panel.plot(steps, values, linewidth=1)
        panel.set(title=name, xlabel="gradient step")
        panel.spines[["top", "right"]].set_visible(False)
    for panel in figure.axes[len(found) :]:
        panel.set_visible(False)
    return figure


def media(home: Path) -> list[Section]:
    """Show the pictures, sounds and videos that ``oneleap evaluate`` wrote.

    Args:
        home: Folder of the evaluation.
    """
    parts, left, out = list[Part](), MAX_BYTES, list[str]()
    for file in sorted(home.glob("*")) + sorted(home.glob("videos/*")):
        kind = KINDS.get(file.suffix.lower())
        if kind is None or not file.is_file():
            continue
        size = file.stat().st_size
        if size > left:
            out.append(file.name)
            continue
        left -= size
        parts.append(Media(file.relative_to(home).as_posix(), file.read_bytes(), kind))
    if out:
        parts.append(Text(f"Too large for this page: {', '.join(out)}."))
    return [Section("What the evaluation drew", parts)] if parts else []


def environment(found: Reported) -> Section:
    """Say with which versions the model was trained, and on which machine this page was made."""
    rows = [(f"{name}, now", _version(name)) for name in PACKAGES]
    rows += [("Python, now", platform.python_version()), ("system, now", platform.platform())]
    rows.append(("processor, now", f"{_processor()}, {os.cpu_count()} cores"))
    if found.run is not None:
        first = (
            (found.run / CONFIG).read_text(encoding="utf-8", errors="replace").partition("\n")[0]
        )
        trained = re.fullmatch(r"#\s*([\w.]+)==(\S+)", first.strip())
        if trained:
            rows.append((f"{trained[1]}, of the run", trained[2]))
    saved = json.loads((found.model / MODEL_CONFIG).read_text(encoding="utf-8"))
    for name, value in saved.items():
        if "version" in name and isinstance(value, str):
            rows.append((f"{name}, of the model", value))
    return Section("Environment", [Table(("", ""), rows)])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    """Return the name of the processor."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def reproduction(found: Reported, made: Sequence[object]) -> Section:
    """Return the commands that train, evaluate and report the model again.

    Args:
        found: The model and its run.
        made: Words of the command that made the page.
    """
    lines = []
    if found.run is not None:
        lines.append(shell_line("fit", "--config", found.run / CONFIG))
    lines.append(shell_line(*evaluation(found), *_evaluation_options(found.evaluation)))
    lines.append(shell_line(*made))
    text = "All settings and the seed are in the configuration below."
    return Section("To make it again", [Text(text), Code("\n".join(lines))])


def _evaluation_options(home: Path) -> list[object]:
    """Return the seed of the evaluation, and its episodes, if it says them."""
    try:
        figures = json.loads((home / EVALUATION).read_text(encoding="utf-8"))
        return [
            word
            for name in ("episodes", "seed")
            if name in figures
            for word in (f"--{name}", int(figures[name]))
        ]
    except (OSError, ValueError, TypeError, RecursionError):
        return []


def configuration(found: Reported) -> Section:
    """Return the configuration of the run, or that of the model."""
    file = found.model / MODEL_CONFIG if found.run is None else found.run / CONFIG
    text = file.read_text(encoding="utf-8", errors="replace")
    return Section("Configuration", [Code(text)])


def class_of(found: Reported) -> str:
    """Return the class of a model.

    Raises:
        InputError: If its configuration is damaged.
    """
    config: dict[str, Any] = read_config(found.model)
    return str(config["class_path"])
