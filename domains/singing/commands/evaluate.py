"""``oneleap evaluate`` for singers: held-out songs, by several models side by side."""

import time
from collections import defaultdict
from collections.abc import Iterator
from json import dumps
from pathlib import Path

import numpy as np
import torch
import yaml
from jaxtyping import Float
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub.config import class_path
from oneleap.core.hub.pretrained import read_config
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.evaluation.plots import spectrograms
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.pitch import estimate_f0
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.data.batches import collate
from oneleap.domains.singing.data.datamodule import Clip, Singing
from oneleap.domains.singing.data.features import HIGHEST_HZ, LOWEST_HZ
from oneleap.domains.singing.evaluation.measures import (
    SungPitch,
    cepstral_distortion,
    score_pitch,
    sung_pitch,
    timing_error_ms,
    words_as_sung,
)
from oneleap.domains.singing.models.acoustic import Acoustic
from oneleap.domains.singing.models.curves import Curves
from oneleap.domains.singing.models.durations import Durations
from oneleap.domains.singing.models.samplers import Rough, Sampler
from oneleap.domains.singing.segments.segment import Segment
from oneleap.domains.singing.spec import Songs
from oneleap.domains.singing.voice import loading as store
from oneleap.domains.singing.voice.singer import Singer

RECORDING, COPY, SUNG = "recording", "copy synthesis", "score to sound"
"""Rows beside the models: the take itself, the take through the vocoder, all of a singer."""


class Tally:
    """Sums of one row of the table."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = defaultdict(float)
        self.counts: dict[str, float] = defaultdict(float)
        self.cents: list[float] = []

    def add(self, name: str, value: float, weight: float = 1.0) -> None:
        """One more value of a mean."""
        self.sums[name] += value * weight
        self.counts[name] += weight

    def pitch(self, found: SungPitch) -> None:
        """The pitch of one take."""
        self.cents += np.abs(found.cents).tolist()
        self.sums["rpa"] += 100.0 * found.hits
        self.counts["rpa"] += found.judged

    def figures(self) -> dict[str, float]:
        """Means, and the median distance from the notes."""
        found = {name: self.sums[name] / max(1e-9, self.counts[name]) for name in self.sums}
        if self.cents:
            found["cents"] = float(np.median(self.cents))
        return found


def validation_split(run: Path) -> Singing:
    """The data of a run, which knows what was set aside.

    Raises:
        InputError: If the run has no configuration, or one of other data.
    """
    file = run / "config.yaml"
    if not file.is_file():
        raise InputError(f"{file}: no such file; it tells which songs were set aside")
    data = yaml.safe_load(file.read_text(encoding="utf-8"))["data"]
    if data["class_path"] != class_path(Singing):
        raise InputError(f"{file}: its data are {data['class_path']}, not songs")
    given = data["init_args"]
    return Singing(**given | {"mel": Mel(**given["mel"]), "path": tuple(given["path"])})


def held_out(data: Singing, most: int) -> list[tuple[Segment, Clip]]:
    """Phrases of the songs that were set aside, their features computed."""
    chosen = [r for r in data.phrases if r.segment.name in data.held][:most]
    return [(r.segment, data.clip(r.path, r.segment)) for r in chosen]


def command(
    run: Path,
    vocoder: Path | None = None,
    durations: Path | None = None,
    pitch: Path | None = None,
    others: list[Path] | None = None,
    most: int = 12,
    json: Path | None = None,
) -> None:
    """Sing songs that were set aside in training, and measure.

    An acoustic model is given timing and pitch of the recording: ``mel_l1`` is the mean difference
    of natural-log spectrograms, ``mcd_db`` the mel-cepstral distortion. With a ``vocoder`` the
    pitch of what is heard is measured against the score: ``cents``, the median distance, and
    ``rpa``, the share of frames within 50 cents. With ``durations`` and ``pitch`` models as well
    the score alone is sung. A picture of spectrograms is written beside the figures. Models of
    durations or curves are measured as in training.

    Example: oneleap evaluate runs/singing/flow/0 --vocoder runs/audio/nsf_singing/0

    Args:
        run: Folder of the run; ``evaluation.json`` and ``spectrograms.png`` are written there.
        vocoder: Run, or model folder, of a source-filter vocoder.
        durations: Likewise, of a duration model.
        pitch: Of a pitch model.
        others: Runs of further acoustic models on the same data, to stand beside.
        most: Phrases sung.
        json: Also write the figures to this file, name -> number.

    Raises:
        InputError: There is no such model in ``run``, or its recordings are gone.
    """
    if most < 1:
        raise InputError(f"most: {most} is not positive")
    data = validation_split(run)
    if not (run / "model").is_dir():
        raise InputError(f"{run} has no model yet")
    kind = _kind(run)
    if kind is not Acoustic:
        figures = {"score": _as_in_training(store.load_part(run, "model", kind), data, most)}
        Console().print(figures)
        _write(figures, run, json)
        return
    folders = {_label(path): path for path in [run, *(others or [])]}
    models = {name: store.load_part(p, store.ACOUSTIC, Acoustic) for name, p in folders.items()}
    maker = None if vocoder is None else store.load_part(vocoder, store.VOCODER, NSF).eval()
    singer = None
    if maker is not None and durations is not None and pitch is not None:
        singer = Singer.of(
            models[_label(run)],
            store.load_part(durations, store.DURATIONS, Durations),
            store.load_part(pitch, store.PITCH, Curves),
            maker,
        )
    rows = _measure(models, maker, singer, held_out(data, most), run)
    Console().print(_table(rows, most))
    flat = {f"{row}/{name}": value for row, f in rows.items() for name, value in f.items()}
    _write(flat, run, json)


def _kind(run: Path) -> type[Acoustic | Durations | Curves]:
    name = read_config(run / "model")["class_path"].rpartition(".")[2]
    kinds = {"Acoustic": Acoustic, "Durations": Durations, "Curves": Curves}
    if name not in kinds:
        raise InputError(f"{run}: a {name} is no model of a singer")
    return kinds[name]


def _label(run: Path) -> str:
    """Configuration and run, ``flow/0`` say."""
    return "/".join(run.resolve().parts[-2:])


@torch.inference_mode()
def _as_in_training(model: Acoustic | Durations | Curves, data: Singing, most: int) -> float:
    """Mean distance from what was sung: milliseconds, semitones or dB."""
    tally = Tally()
    for segment, (row, take) in held_out(data, most):
        batch = collate([row], [take], data.mel)
        if isinstance(model, Curves):
            sheet = model.sheet(batch)
            noise = torch.randn(sheet.x.shape, generator=step_generator(0, 0))
            made = model.generate(sheet, noise)
            tally.add("error", float((made - model.averaged(sheet.x)).abs().mean()))
        elif isinstance(model, Durations):
            tally.add("error", timing_error_ms(model.timed(words_as_sung(segment)), segment))
    return tally.figures()["error"]


@torch.inference_mode()
def _measure(
    models: dict[str, Acoustic],
    vocoder: NSF | None,
    singer: Singer | None,
    phrases: list[tuple[Segment, Clip]],
    run: Path,
) -> dict[str, dict[str, float]]:
    """Figures of each row."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    first = next(iter(models.values()))
    spec = first.spec.mel
    picture: dict[str, Tensor] = {}
    for i, (segment, (row, take)) in enumerate(
        track(phrases, "singing", console=Console(stderr=True))
    ):
        songs = collate([row], [take], spec)
        wanted = score_pitch(segment, take.mel.shape[1], spec)
        made = dict(_spectrograms(models, songs, i, tallies))
        for name, mel in made.items():
            gap = (mel - songs.mel).abs().mean() * spec.std
            tallies[name].add("mel_l1", float(gap), float(mel.shape[2]))
            worse = cepstral_distortion(mel, songs.mel, spec).mean()
            tallies[name].add("mcd_db", float(worse), float(mel.shape[2]))
        if i == 0:
            picture = {RECORDING: take.mel} | {name: mel[0] for name, mel in made.items()}
        if vocoder is None:
            continue
        tallies[RECORDING].pitch(sung_pitch(take.f0.double().numpy(), wanted))
        for name, mel in (made | {COPY: songs.mel}).items():
            wave = vocoder(mel, songs.f0, generator=step_generator(0, i))[0].numpy()
            tallies[name].pitch(sung_pitch(_pitch(wave, spec), wanted))
        if singer is not None:
            score = words_as_sung(segment)
            timed = singer.durations.timed(score)
            tallies[SUNG].add("timing_ms", timing_error_ms(timed, segment))
            start = time.perf_counter()
            wave = singer.sing([score], steps=None, seed=i).samples
            tallies[SUNG].add("rtf", (time.perf_counter() - start) / timed.seconds)
            there = score_pitch(timed, take.mel.shape[1], spec)
            tallies[SUNG].pitch(sung_pitch(_pitch(wave, spec), there))
    spectrograms(picture, spec, run / "spectrograms.png")
    return {name: tally.figures() for name, tally in tallies.items()}


def _spectrograms(
    models: dict[str, Acoustic], songs: Songs, seed: int, tallies: dict[str, Tally]
) -> Iterator[tuple[str, Float[Tensor, "1 mels n"]]]:
    """What each model makes of one phrase, and how long it takes."""
    for k, (name, model) in enumerate(models.items()):
        batch = model.framed(songs)
        noise = torch.randn(batch.x.shape, generator=step_generator(seed, 0))
        samplers: dict[str, Sampler] = {name: model.sampler}
        if k == 0:
            samplers = {"rough (FFT)": Rough()} | samplers
        for title, sampler in samplers.items():
            start = time.perf_counter()
            made, _ = model.generate(batch, noise, sampler, step_generator(seed, 1))
            seconds = noise.shape[2] / model.spec.mel.frame_rate
            tallies[title].add("rtf", (time.perf_counter() - start) / seconds)
            yield title, made


def _pitch(samples: NDArray[np.float32], mel: Mel) -> NDArray[np.float64]:
    """Pitch of what is heard, 0 without voice."""
    return estimate_f0(Wave(samples, mel.sample_rate), mel, low=LOWEST_HZ, high=HIGHEST_HZ)


def _table(rows: dict[str, dict[str, float]], most: int) -> Table:
    """The figures for people."""
    columns = ("mel_l1", "mcd_db", "cents", "rpa", "timing_ms", "rtf")
    shown = Table("", *columns, title=f"Songs set aside, at most {most} phrases")
    for name, figures in rows.items():
        shown.add_row(name, *(f"{figures[c]:.3g}" if c in figures else "" for c in columns))
    return shown


def _write(figures: dict[str, float], run: Path, json: Path | None) -> None:
    for path in filter(None, (run / "evaluation.json", json)):
        with replacing(path) as temporary:
            temporary.write_text(dumps(figures, indent=2) + "\n", encoding="utf-8")
