"""Outcomes that are kept in a folder, so that a comparison which was stopped goes on."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from oneleap.core.bench.methods import STUDENT, TEACHER
from oneleap.core.bench.training import Outcome
from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write


@dataclass(frozen=True)
class Kept:
    """A folder with a file for each method, dataset and seed.

    Attributes:
        folder: Folder; ``None`` keeps nothing.
        settings: Settings that all outcomes in the folder must share.
    """

    folder: Path | None
    settings: dict[str, int]

    def _file(self, name: str, dataset: str, seed: int) -> Path:
        """Path of an outcome."""
        slug = re.sub(r"[^a-z0-9]+", "-", f"{name}--{dataset}".lower())
        return (self.folder or Path()) / f"{slug}-{seed}.json"

    def read(self, name: str, dataset: str, seed: int) -> Outcome | None:
        """Read an outcome; ``None`` if it is not there.

        Args:
            name: Name of the method.
            dataset: Name of the dataset.
            seed: Seed of the run.

        Raises:
            InputError: If the file is damaged, or belongs to a run with other settings.
        """
        file = self._file(name, dataset, seed)
        if self.folder is None or not file.is_file():
            return None
        try:
            kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            settings = kept["settings"]
            found = {int(k): float(distance) for k, distance in kept["distances"].items()}
            figures = [float(kept[key]) for key in ("step_ms", "cost", "saved_mib")]
            steps = int(kept["steps"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{file}: it holds no result of this command: remove it") from None
        if settings != self.settings:
            own = ", ".join(f"{key} {value}" for key, value in self.settings.items())
            raise InputError(
                f"{file}: it was made with other settings than {own}: name a new folder"
            )
        weights = load_file(file.with_suffix(".safetensors")) if name in (TEACHER, STUDENT) else {}
        ms, cost, mib = figures
        return Outcome(found, ms, cost, steps, mib, weights)

    def write(self, name: str, dataset: str, seed: int, outcome: Outcome) -> None:
        """Write an outcome, and the weights that other methods start from.

        Args:
            name: Name of the method.
            dataset: Name of the dataset.
            seed: Seed of the run.
            outcome: Result of the run.
        """
        if self.folder is None:
            return
        file = self._file(name, dataset, seed)
        if name in (TEACHER, STUDENT):
            apart = {key: weight.clone().contiguous() for key, weight in outcome.weights.items()}
            with atomic_write(file.with_suffix(".safetensors")) as path:
                save_file(apart, path)
        kept = {
            "method": name,
            "dataset": dataset,
            "seed": seed,
            "settings": self.settings,
            "distances": outcome.distances,
            "step_ms": outcome.step_ms,
            "cost": outcome.cost,
            "steps": outcome.steps,
            "saved_mib": outcome.saved_mib,
        }
        with atomic_write(file) as path:
            path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
