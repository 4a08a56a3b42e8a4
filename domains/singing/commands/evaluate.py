"""``oneleap evaluate`` for singers: validation songs, by several models."""

from json import dumps
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub.pretrained import read_config
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.singing.data.datamodule import SingingData
from oneleap.domains.singing.evaluation.comparison import (
    compare_models,
    prediction_error,
    validation_phrases,
)
from oneleap.domains.singing.models.acoustic import AcousticModel
from oneleap.domains.singing.models.curves import CurveModel
from oneleap.domains.singing.models.durations import DurationModel
from oneleap.domains.singing.voice.loading import ACOUSTIC, DURATIONS, PITCH, VOCODER, load_part
from oneleap.domains.singing.voice.singer import Singer


def load_datamodule(run: Path) -> SingingData:
    """Build the data module of a run from its configuration, with the same validation split.

    Raises:
        InputError: The run has no configuration, or its data module is of another kind.
    """
    file = run / "config.yaml"
    if not file.is_file():
        raise InputError(f"{file}: no such file; it says which songs are for validation")
    data = yaml.safe_load(file.read_text(encoding="utf-8"))["data"]
    if data["class_path"].rpartition(".")[2] != SingingData.__name__:
        raise InputError(f"{file}: its data are {data['class_path']}, not {SingingData.__name__}")
    given = data["init_args"]
    return SingingData(**given | {"mel": Mel(**given["mel"]), "path": tuple(given["path"])})


def evaluate(
    run: Path,
    vocoder: Path | None = None,
    durations: Path | None = None,
    pitch: Path | None = None,
    others: list[Path] | None = None,
    limit: int = 12,
    json: Path | None = None,
) -> None:
    """Evaluate models on the validation songs of a run.

    An acoustic model receives durations and pitch of the recordings. ``mel_l1`` is the mean
    difference of natural-log spectrograms, ``mcd_db`` the mel-cepstral distortion. With
    ``vocoder``, the pitch of the sound is compared with the score: ``cents`` is the median
    distance, ``rpa`` the percentage of frames within 50 cents. With ``durations`` and ``pitch`` as
    well, the complete singer is evaluated from the score alone. ``rtf`` is computing time divided
    by the duration. A plot of spectrograms is written beside the figures. Models of durations and
    of curves are evaluated by their mean absolute error.

    Example: oneleap evaluate runs/singing/flow/0 --vocoder runs/audio/nsf_singing/0

    Args:
        run: Folder of the run; evaluation.json and spectrograms.png are written there.
        vocoder: Run or model folder of an NSF vocoder.
        durations: Run or model folder of a duration model.
        pitch: Run or model folder of a pitch model.
        others: Runs of further acoustic models on the same data, for comparison.
        limit: Largest number of phrases.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: ``run`` holds no such model, or its recordings are missing.
    """
    if limit < 1:
        raise InputError(f"limit: {limit} is not positive")
    data = load_datamodule(run)
    if not (run / "model").is_dir():
        raise InputError(f"{run} has no model yet")
    kind = _model_class(run)
    phrases = validation_phrases(data, limit)
    if kind is not None:
        figures = {"score": prediction_error(load_part(run, "model", kind), data, phrases)}
        Console().print(figures)
        _write(figures, run, json)
        return
    folders = {_label(path): path for path in [run, *(others or [])]}
    models = {name: load_part(p, ACOUSTIC, AcousticModel) for name, p in folders.items()}
    nsf = None if vocoder is None else load_part(vocoder, VOCODER, NSF).eval()
    singer = None
    if nsf is not None and durations is not None and pitch is not None:
        singer = Singer.from_parts(
            models[_label(run)],
            load_part(durations, DURATIONS, DurationModel),
            load_part(pitch, PITCH, CurveModel),
            nsf,
        )
    rows = compare_models(models, nsf, singer, phrases, run / "spectrograms.png")
    Console().print(format_table(rows, limit))
    flat = {f"{row}/{name}": value for row, f in rows.items() for name, value in f.items()}
    _write(flat, run, json)


def _model_class(run: Path) -> type[DurationModel | CurveModel] | None:
    """Class of the model of a run, ``None`` for an acoustic model."""
    name = read_config(run / "model")["class_path"].rpartition(".")[2]
    kinds: dict[str, type[DurationModel | CurveModel] | None]
    kinds = {"AcousticModel": None, "DurationModel": DurationModel, "CurveModel": CurveModel}
    if name not in kinds:
        raise InputError(f"{run}: a {name} is not a model of a singer")
    return kinds[name]


def _label(run: Path) -> str:
    """Configuration and name of a run, for example ``flow/0``."""
    return "/".join(run.resolve().parts[-2:])


def format_table(rows: dict[str, dict[str, float]], limit: int) -> Table:
    """Table of the figures for the screen."""
    columns = ("mel_l1", "mcd_db", "cents", "rpa", "timing_ms", "rtf")
    shown = Table("", *columns, title=f"Validation songs, at most {limit} phrases")
    for name, figures in rows.items():
        shown.add_row(name, *(f"{figures[c]:.3g}" if c in figures else "" for c in columns))
    return shown


def _write(figures: dict[str, float], run: Path, json: Path | None) -> None:
    for path in filter(None, (run / "evaluation.json", json)):
        with replacing(path) as temporary:
            temporary.write_text(dumps(figures, indent=2) + "\n", encoding="utf-8")
