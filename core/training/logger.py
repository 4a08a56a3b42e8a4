"""Log of a run: ``metrics.csv`` and TensorBoard events, in one folder across restarts."""

import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from oneleap.core.files import atomic_write, naming

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS = "metrics.csv"

EVENTS = "events.out.tfevents"
"""First part of the name of TensorBoard's file."""


class RunLogger(Logger):
    """Writes each row at once, and continues the log of an interrupted run.

    Lightning's own CSV logger deletes the file of a run that is resumed.

    Args:
        folder: Folder of the run; it is created with the first value.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.rows = 0
        self._columns: list[str] = []
        self._resumed_at: int | None = None
        self._writer: SummaryWriter | None = None

    @property
    def name(self) -> str:
        """Name of the folder; Lightning requires a name."""
        return self.folder.name

    @property
    def version(self) -> str:
        """Empty; Lightning requires a version."""
        return ""

    @property
    def save_dir(self) -> str:
        """Folder of the run."""
        return str(self.folder)

    @property
    @rank_zero_experiment
    def writer(self) -> "SummaryWriter":
        """TensorBoard's writer, for images and audio: ``logger.writer.add_image(...)``."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder), purge_step=self._resumed_at)
        return self._writer

    @rank_zero_only
    def resume(self, step: int, rows: int) -> None:
        """Drop the rows that will be logged again.

        Args:
            step: Number of steps done when the checkpoint was written.
            rows: Number of rows at that time; the row of that step may have been written just
                after.
        """
        self._resumed_at = step
        remaining = [r for i, r in enumerate(self._read()) if i < rows or int(r["step"]) < step]
        if self._columns:
            self._rewrite(remaining)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float | int], step: int | None = None) -> None:
        """Append one row; ``step`` counts from 0."""
        step = 0 if step is None else step
        row: dict[str, Any] = {"step": step, **metrics}
        new = [name for name in row if name not in self._columns]
        if new:
            rows = self._read()
            self._columns = [*self._columns, *(n for n in new if n not in self._columns)]
            self._rewrite(rows)
        path = self.folder / METRICS
        with naming(path), path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns).writerow(row)
        self.rows += 1
        with naming(self.folder / EVENTS):
            for name, value in metrics.items():
                self.writer.add_scalar(name, value, step)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Do nothing: a run's configuration is in its ``config.yaml``."""

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what TensorBoard's writer still holds."""
        if self._writer is not None:
            with naming(self.folder / EVENTS):
                self._writer.close()
            self._writer = None

    def _read(self) -> list[dict[str, str]]:
        """Read all rows so far; a row cut short by a killed process is dropped."""
        path = self.folder / METRICS
        if not path.is_file():
            return []
        text = path.read_bytes().decode("utf-8", "replace")
        whole = text[: text.rfind("\n") + 1]
        reader = csv.DictReader(io.StringIO(whole, newline=""))
        rows = [row for row in reader if None not in row.values() and row.get("step", "").isdigit()]
        self._columns = list(reader.fieldnames or [])
        return rows

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        with (
            atomic_write(self.folder / METRICS) as path,
            path.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)
        self.rows = len(rows)
