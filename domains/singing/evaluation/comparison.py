"""Comparison of models on recorded songs: spectra, pitch, timing and speed."""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from oneleap.core.cli.datamodule import load_datamodule
from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import Pretrained
from oneleap.core.sampling.samplers import Sampler
from oneleap.core.training.run import ModelPath
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.evaluation.plots import plot_spectrograms
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.pitch import estimate_f0
from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.data.batches import collate
from oneleap.domains.singing.data.datamodule import PhraseFeatures, SingingData
from oneleap.domains.singing.data.features import HIGHEST_HZ, LOWEST_HZ
from oneleap.domains.singing.evaluation.measures import (
    PitchErrors,
    cepstral_distortion,
    match_notes_to_words,
    pitch_errors,
    score_pitch,
    timing_error_ms,
)
from oneleap.domains.singing.models.acoustic import AcousticModel
from oneleap.domains.singing.models.curves import CurveModel
from oneleap.domains.singing.models.durations import DurationModel
from oneleap.domains.singing.models.sampling import CoarseMelSampler
from oneleap.domains.singing.segments.segment import ScoreSegment
from oneleap.domains.singing.spec import SingingBatch
from oneleap.domains.singing.voice.singer import Singer
from oneleap.domains.singing.voice.vocoding import SongVocoder, vocode

RECORDING, COPY, SUNG = "recording", "copy synthesis", "score to sound"
"""Names of the rows for the recording, for its copy synthesis, and for the complete singer."""

SEED_STRIDE = 10_000
"""Distance between the seeds of the phrases of two evaluations."""

COARSE = "coarse mel (FFT-Singer)"
"""Name of the row for the coarse spectrograms of the first model."""

Phrase = tuple[ScoreSegment, PhraseFeatures]
"""A recorded phrase and its features."""


class MetricAccumulator:
    """Weighted means of the metrics of one row of the table."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = defaultdict(float)
        self.counts: dict[str, float] = defaultdict(float)
        self.cents: list[float] = []

    def add(self, name: str, value: float, weight: float = 1.0) -> None:
        """Add one value to the mean of a metric.

        Args:
            name: Name of the metric.
            value: The value.
            weight: Its weight in the mean.
        """
        self.sums[name] += value * weight
        self.counts[name] += weight

    def add_pitch(self, errors: PitchErrors) -> None:
        """Add the pitch errors of one phrase."""
        self.cents += np.abs(errors.cents).tolist()
        self.sums["rpa"] += 100.0 * errors.hits
        self.counts["rpa"] += errors.num_frames

    def figures(self) -> dict[str, float]:
        """All means, and the median absolute distance from the notes in cents."""
        found = {name: self.sums[name] / max(1e-9, self.counts[name]) for name in self.sums}
        if self.cents:
            found["cents"] = float(np.median(self.cents))
        return found


def recorded_phrases(
    path: ModelPath, model: Pretrained, folder: Path | None, limit: int
) -> list[Phrase]:
    """Phrases to evaluate a model on.

    Args:
        path: Where the model was found.
        model: The model.
        folder: Folder of recordings, or ``None`` for the validation songs of the model's run.
        limit: Largest number of phrases.

    Returns:
        Phrases and their features.

    Raises:
        InputError: The model is not one of a singer, there are no recordings, or a phoneme is
            unknown to the model.
    """
    if not isinstance(model, AcousticModel | CurveModel | DurationModel):
        raise InputError(f"{path.model}: a {type(model).__name__} is not a model of a singer")
    if folder is not None:
        curves = isinstance(model, CurveModel) or bool(getattr(model, "curves", ()))
        data = SingingData(
            (str(folder),), mel=model.spec.mel, curves=curves, voicing=model.spec.voicing
        )
        chosen = data.phrases
    else:
        if path.run is None:
            raise InputError(f"{path.model} is not in a run: name recordings with --data FOLDER")
        loaded = load_datamodule(path.run)
        if not isinstance(loaded, SingingData):
            raise InputError(f"{path.run}: its data are {type(loaded).__name__}, not SingingData")
        data = loaded
        chosen = [r for r in data.phrases if r.segment.name in data.validation_names]
    return [
        (r.segment, data.phrase_features(r.path, r.segment, model.spec)) for r in chosen[:limit]
    ]


@torch.inference_mode()
def prediction_error(model: Pretrained, phrases: list[Phrase], seed: int = 0) -> float:
    """Mean absolute error of a duration model in milliseconds, or of curves in semitones or dB.

    Args:
        model: Duration model or curve model.
        phrases: Recorded phrases.
        seed: Seed of the noise.

    Returns:
        The error.
    """
    assert isinstance(model, DurationModel | CurveModel)
    errors = MetricAccumulator()
    for segment, (score, recording) in phrases:
        batch = collate([score], [recording], model.spec.mel)
        if isinstance(model, CurveModel):
            curves = model.curve_batch(batch)
            noise = torch.randn(curves.x.shape, generator=step_generator(seed, 0))
            gap = model.generate(curves, noise) - model.denormalize(curves.x)
            errors.add("error", float(gap.abs().mean()))
        else:
            predicted = model.add_durations(match_notes_to_words(segment))
            errors.add("error", timing_error_ms(predicted, segment))
    return errors.figures()["error"]


@torch.inference_mode()
def compare_models(
    models: dict[str, AcousticModel],
    vocoder: SongVocoder | None,
    singer: Singer | None,
    phrases: list[Phrase],
    picture: Path,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Evaluate acoustic models, and a complete singer if there is one.

    Args:
        models: Acoustic models by name.
        vocoder: Vocoder, needed to measure pitch.
        singer: Complete singer, needed to measure timing.
        phrases: Recorded phrases.
        picture: Path of a plot of the spectrograms of the first phrase.
        seed: Seed of the noise.

    Returns:
        Figures by row and metric.

    Raises:
        InputError: The models differ in spectrogram format or phonemes.
    """
    rows: dict[str, MetricAccumulator] = defaultdict(MetricAccumulator)
    spec = next(iter(models.values())).spec
    for name, model in models.items():
        if replace(model.spec, lowest=0.0, highest=0.0) != replace(spec, lowest=0.0, highest=0.0):
            raise InputError(f"{name} was trained on other data: its spec differs")
    mel = spec.mel
    for i, (segment, (score, recording)) in enumerate(
        track(phrases, "singing", console=Console(stderr=True))
    ):
        own_seed = seed * SEED_STRIDE + i
        batch = collate([score], [recording], mel)
        target = score_pitch(segment, recording.mel.shape[1], mel)
        generated = dict(_generate(models, batch, own_seed, rows))
        real = batch.mel[:, : mel.n_mels]
        for name, channels in generated.items():
            spectrogram = channels[:, : mel.n_mels]
            gap = (spectrogram - real).abs().mean() * mel.std
            frames = float(spectrogram.shape[2])
            rows[name].add("mel_l1", float(gap), frames)
            distortion = cepstral_distortion(spectrogram, real, mel).mean()
            rows[name].add("mcd_db", float(distortion), frames)
        if i == 0:
            shown = {name: channels[0, : mel.n_mels] for name, channels in generated.items()}
            plot_spectrograms({RECORDING: real[0]} | shown, mel, picture)
        if vocoder is None:
            continue
        rows[RECORDING].add_pitch(pitch_errors(recording.f0.double().numpy(), target))
        draw = partial(_noise, seed, i)
        for name, channels in (generated | {COPY: batch.mel}).items():
            wave = vocode(vocoder, spec, channels, batch.f0, draw)[0].numpy()
            rows[name].add_pitch(pitch_errors(_heard_pitch(wave, mel), target))
        if singer is not None:
            _measure_singer(singer, segment, recording.mel.shape[1], own_seed, rows[SUNG])
    return {name: row.figures() for name, row in rows.items()}


def _noise(seed: int, phrase: int, zeros: Tensor) -> Tensor:
    return torch.randn(zeros.shape, generator=step_generator(seed, phrase))


def _generate(
    models: dict[str, AcousticModel],
    batch: SingingBatch,
    seed: int,
    rows: dict[str, MetricAccumulator],
) -> Iterator[tuple[str, Float[Tensor, "1 mels n"]]]:
    """Spectrograms of one phrase by each model; their real-time factors go to ``rows``."""
    for k, (name, model) in enumerate(models.items()):
        frames = model.frame_batch(batch)
        noise = torch.randn(frames.x.shape, generator=step_generator(seed, 0))
        samplers: dict[str, Sampler] = {name: model.sampler}
        if k == 0:
            samplers = {COARSE: CoarseMelSampler()} | samplers
        for title, sampler in samplers.items():
            start = time.perf_counter()
            samples, _ = model.generate(frames, noise, sampler, step_generator(seed, 1))
            seconds = noise.shape[2] / model.spec.mel.frame_rate
            rows[title].add("rtf", (time.perf_counter() - start) / seconds)
            yield title, samples


def _measure_singer(
    singer: Singer, segment: ScoreSegment, frames: int, seed: int, row: MetricAccumulator
) -> None:
    """Sing a phrase from its score alone; measure timing, speed and pitch over ``frames``."""
    score = match_notes_to_words(segment)
    timed = singer.durations.add_durations(score)
    row.add("timing_ms", timing_error_ms(timed, segment))
    start = time.perf_counter()
    wave = singer.sing([score], steps=None, seed=seed).samples
    row.add("rtf", (time.perf_counter() - start) / timed.seconds)
    mel = singer.acoustic.spec.mel
    row.add_pitch(pitch_errors(_heard_pitch(wave, mel), score_pitch(timed, frames, mel)))


def _heard_pitch(samples: NDArray[np.float32], mel: Mel) -> NDArray[np.float64]:
    """Estimated pitch of each frame in Hz, 0 in unvoiced frames."""
    return estimate_f0(Wave(samples, mel.sample_rate), mel, low=LOWEST_HZ, high=HIGHEST_HZ)


def print_table(rows: dict[str, dict[str, float]], phrases: int) -> None:
    """Print the figures of :func:`compare_models` as a table."""
    columns = ("mel_l1", "mcd_db", "cents", "rpa", "timing_ms", "rtf")
    shown = Table("", *columns, title=f"Recorded songs, {phrases} phrases")
    for name, figures in rows.items():
        shown.add_row(name, *(f"{figures[c]:.3g}" if c in figures else "" for c in columns))
    Console().print(shown)
