"""``oneleap evaluate`` for singers: recorded songs, sung by several models."""

from pathlib import Path
from typing import TYPE_CHECKING

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    from oneleap.domains.singing.evaluation.comparison import Phrase
    from oneleap.domains.singing.models.acoustic import AcousticModel
    from oneleap.domains.singing.voice.singer import Singer
    from oneleap.domains.singing.voice.vocoding import SongVocoder


def evaluate(
    run: Path,
    data: Path | None = None,
    vocoder: Path | None = None,
    durations: Path | None = None,
    pitch: Path | None = None,
    compare: list[str] | None = None,
    limit: int = 12,
    seed: int = 0,
    json: Path | None = None,
) -> None:
    """Evaluate models of a singer on recorded songs.

    An acoustic model receives durations and pitch of the recordings. ``mel_l1`` is the mean
    difference of natural-log spectrograms, ``mcd_db`` the mel-cepstral distortion. With
    ``vocoder``, the pitch of the sound is compared with the score: ``cents`` is the median
    distance, ``rpa`` the percentage of frames within 50 cents. With ``durations`` and ``pitch`` as
    well, the complete singer is evaluated from the score alone. ``rtf`` is computing time divided
    by the duration. A plot of spectrograms is written beside the figures. Models of durations and
    of curves are evaluated by their mean absolute error.

    Example: oneleap evaluate runs/singing/flow/0 --vocoder runs/audio/nsf_singing/0

    Args:
        run: Folder of a run, of a model, or of a packed singer. evaluation.json and
            spectrograms.png are written there. A packed singer is evaluated with its own vocoder,
            durations and pitch unless others are named.
        data: Folder of recordings; by default the validation songs of the run.
        vocoder: Run or model folder of a vocoder.
        durations: Run or model folder of a duration model.
        pitch: Run or model folder of a pitch model.
        compare: Run of a further acoustic model on the same data; can be repeated.
        limit: Largest number of phrases.
        seed: Seed of the noise.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: ``run`` holds no such model, or there are no recordings.
    """
    if limit < 1:
        raise InputError(f"limit: {limit} is not positive")
    from oneleap.core.training.release import load_release
    from oneleap.core.training.run import find_model
    from oneleap.domains.singing.evaluation.comparison import prediction_error, recorded_phrases
    from oneleap.domains.singing.models.acoustic import AcousticModel
    from oneleap.domains.singing.voice.loading import ACOUSTIC

    path = find_model(run, ACOUSTIC)
    path.check_output()
    model = load_release(path.model)
    phrases = recorded_phrases(path, model, data, limit)
    if not isinstance(model, AcousticModel):
        figures = {"score": prediction_error(model, phrases, seed)}
        print(f"mean absolute error: {figures['score']:.4g}")
    else:
        if (run / ACOUSTIC).is_dir():  # a packed singer
            vocoder, durations, pitch = vocoder or run, durations or run, pitch or run
        sound, singer = _load_parts(model, vocoder, durations, pitch)
        models = {_label(run): model} | _load_others(compare or [])
        picture = path.home / "spectrograms.png"
        figures = _compare(models, sound, singer, phrases, picture, seed)
    path.write_evaluation(figures, json)


def _compare(
    models: dict[str, "AcousticModel"],
    vocoder: "SongVocoder | None",
    singer: "Singer | None",
    phrases: "list[Phrase]",
    picture: Path,
    seed: int,
) -> dict[str, float]:
    """Evaluate models side by side, print a table, and return its figures by ``row/column``."""
    from oneleap.domains.singing.evaluation.comparison import compare_models, print_table

    rows = compare_models(models, vocoder, singer, phrases, picture, seed)
    print_table(rows, len(phrases))
    return {f"{row}/{name}": x for row, values in rows.items() for name, x in values.items()}


def _load_others(runs: list[str]) -> dict[str, "AcousticModel"]:
    """Load the acoustic models of further runs, by label."""
    from oneleap.domains.singing.models.acoustic import AcousticModel
    from oneleap.domains.singing.voice.loading import ACOUSTIC, load_part

    return {_label(run): load_part(run, ACOUSTIC, AcousticModel) for run in map(Path, runs)}


def _load_parts(
    model: "AcousticModel", vocoder: Path | None, durations: Path | None, pitch: Path | None
) -> tuple["SongVocoder | None", "Singer | None"]:
    """Load the vocoder if it is named, and the complete singer if all parts are."""
    from oneleap.domains.singing.models.curves import CurveModel
    from oneleap.domains.singing.models.durations import DurationModel
    from oneleap.domains.singing.voice.loading import DURATIONS, PITCH, load_part
    from oneleap.domains.singing.voice.singer import Singer
    from oneleap.domains.singing.voice.vocoding import load_vocoder

    if vocoder is None:
        return None, None
    sound = load_vocoder(vocoder)
    if durations is None or pitch is None:
        return sound, None
    timing = load_part(durations, DURATIONS, DurationModel)
    return sound, Singer.from_parts(model, timing, load_part(pitch, PITCH, CurveModel), sound)


def _label(run: Path) -> str:
    """Configuration and name of a run, for example ``flow/0``."""
    return "/".join(run.resolve().parts[-2:])
