"""The folder of a run: its files, and the model that a path refers to.

===========================  ====================================================================
``config.yaml``              resolved configuration; it can be used as ``--config``
``metrics.csv``              values logged during training
``checkpoints/last.ckpt``    newest checkpoint, to resume from
``checkpoints/best.ckpt``    checkpoint with the best score, if the run is scored
``model/``                   the trained model: ``config.json`` and ``model.safetensors``
``evaluation.json``          results of ``oneleap evaluate``
===========================  ====================================================================

Every command accepts a run folder, a model folder, or a packed folder of several models.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from shlex import quote
from typing import Any

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write, remove_leftovers
from oneleap.core.hub.legacy import migrate
from oneleap.core.hub.pretrained import CONFIG as MODEL_CONFIG
from oneleap.core.outputs import check_output
from oneleap.core.reading.guard import reading
from oneleap.core.reading.text import read_yaml

CONFIG, MODEL, EVALUATION = Path("config.yaml"), Path("model"), Path("evaluation.json")
LAST, BEST = Path("checkpoints", "last.ckpt"), Path("checkpoints", "best.ckpt")


@dataclass(frozen=True)
class ModelPath:
    """A model on disk, and the run that trained it.

    Attributes:
        model: Folder with ``config.json`` and ``model.safetensors``.
        run: Folder with ``config.yaml``; ``None`` if the model is not in a run.
    """

    model: Path
    run: Path | None

    @property
    def home(self) -> Path:
        """Folder for evaluations and recordings: that of the run, or else of the model."""
        return self.model if self.run is None else self.run

    def check_output(self) -> None:
        """Check before the work that results can be written to :attr:`home`.

        Raises:
            InputError: If they cannot.
        """
        check_output(self.home / EVALUATION)

    def write_evaluation(self, figures: Mapping[str, Any], also: Path | None = None) -> Path:
        """Write results to ``evaluation.json``.

        Args:
            figures: Results by name; JSON must be able to represent them.
            also: Another file to write them to.

        Returns:
            Path of ``evaluation.json``.
        """
        path = self.home / EVALUATION
        for file in filter(None, (path, also)):
            with atomic_write(file) as temporary:
                temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        return path


def find_model(path: Path, part: str | None = None) -> ModelPath:
    """Find the model that a path refers to.

    Args:
        path: A model folder, a run folder, or a packed folder with several models.
        part: Name of a model in a packed folder; the first by default.

    Returns:
        The model's folder and its run.

    Raises:
        InputError: If there is no such folder, or it contains no model.
    """
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; runs lie in runs/CONFIG/TIME")
    if (path / MODEL_CONFIG).is_file():
        inside_run = path.name == MODEL.name and (path.parent / CONFIG).is_file()
        return ModelPath(path, path.parent if inside_run else None)
    if (path / MODEL / MODEL_CONFIG).is_file():
        return ModelPath(path / MODEL, path)
    packed = sorted(file.parent for file in path.glob(f"{part or '*'}/{MODEL_CONFIG}"))
    if packed:
        return ModelPath(packed[0], None)
    if (path / CONFIG).is_file() and not (path / LAST).is_file():
        raise InputError(
            f"{path} has no model: it stopped before its first checkpoint; start it again with "
            f"oneleap fit --config {quote(str(path / CONFIG))}"
        )
    if (path / LAST).is_file():
        config, run = quote(str(path / CONFIG)), quote(str(path))
        raise InputError(
            f"{path} has no model yet: finish it with oneleap fit --config {config} --run {run} "
            "--ckpt_path last"
        )
    raise InputError(f"{path} holds no model: {MODEL_CONFIG} is missing: name a run")


def newest_run(runs: Path) -> Path:
    """Return the newest run that can be resumed.

    Raises:
        InputError: If there is none.
    """
    found = sorted(path.parents[1] for path in runs.glob(f"*/{LAST}"))
    if not found:
        raise InputError(f"nothing to resume: no run in {runs} has {LAST}: leave --ckpt_path out")
    return found[-1]


@contextmanager
def claimed_folder(folder: Path, *, fresh: bool = False, option: str = "--run") -> Iterator[Path]:
    """Reserve a folder for this process until the block ends.

    Two processes never have the same folder, even if they ask at the same time. A folder that is
    still empty at the end is removed, with those of its parents that were created for it.

    Args:
        folder: Folder to reserve; it is created.
        fresh: Whether to take the first of ``folder``, ``folder-2``, ``folder-3`` ... that does not
            exist.
        option: Option of the command that names the folder, for messages.

    Yields:
        The folder.

    Raises:
        InputError: If another process has the folder, or it cannot be written.
    """
    name = folder
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        try:
            if fresh:
                name = _create_unused(folder)
                made = [name, *(path for path in made if path != folder)]
            else:
                name.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=name).close()
        except OSError as error:
            raise InputError(
                f"{name} cannot be written ({error.strerror}): name another folder with {option}"
            ) from None
        with _locked(name):
            for each in (name, name / LAST.parent, name / MODEL):
                remove_leftovers(each)
            yield name
    finally:
        for path in made:
            with suppress(OSError):  # not empty, or never created
                path.rmdir()


def _create_unused(folder: Path) -> Path:
    """Create the folder, or the first of ``folder-2``, ``folder-3`` ... that does not exist."""
    for n in count(1):
        name = folder if n == 1 else folder.with_name(f"{folder.name}-{n}")
        while True:
            name.parent.mkdir(parents=True, exist_ok=True)
            try:
                name.mkdir()
            except FileExistsError:
                break
            except FileNotFoundError:  # another process has just removed the empty parent
                continue
            return name
    raise AssertionError


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a folder; the system frees the lock when the process ends, however it ends.

    Raises:
        InputError: If another process has locked it.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a network disk without locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(
                    f"{folder} is in use by another process: wait for its end, or name another "
                    "folder"
                ) from None
        yield
    finally:
        os.close(descriptor)


def read_run_config(run: Path) -> dict[str, Any]:
    """Read a run's resolved configuration, with old names translated.

    Raises:
        InputError: If it is missing, or not a YAML mapping.
    """
    file = run / CONFIG
    if not file.is_file():
        raise InputError(f"{file}: no such file; name the folder of a run")
    try:
        config = read_yaml(file)
    except InputError as error:
        raise InputError(f"{file}: not a configuration in YAML ({error})") from None
    if not isinstance(config, dict):
        raise InputError(f"{file}: not a configuration in YAML")
    with reading(file, "a configuration"):
        migrated: dict[str, Any] = migrate(config)
    return migrated
