"""``oneleap boundary``: where sampling from a coarse spectrogram may start."""

from dataclasses import dataclass
from json import dumps
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.objectives import NoisePrediction
from oneleap.core.paths.ddpm import DiscreteVPPath, LinearBetas
from oneleap.domains.singing.commands.evaluate import load_datamodule
from oneleap.domains.singing.evaluation.boundary import (
    MelPair,
    by_classifier,
    by_distance,
    train_predictor,
)
from oneleap.domains.singing.models.acoustic import AcousticModel
from oneleap.domains.singing.models.nets import FrameBatch
from oneleap.domains.singing.voice.loading import ACOUSTIC, load_part

CROP = 64
"""Longest segment that the classifier is trained on, in frames."""


@dataclass(frozen=True)
class Boundary:
    """Result of the search.

    Attributes:
        classifier: K by boundary prediction.
        distance: K with the smallest mel distance on the validation songs.
        mel_l1: Mel distance by K.
    """

    classifier: int
    distance: int
    mel_l1: dict[int, float]


def boundary(
    run: Path,
    candidates: tuple[int, ...] = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
    steps: int = 500,
    limit: int = 8,
    seed: int = 0,
) -> None:
    """Find the diffusion step K at which sampling from a coarse spectrogram may start.

    Two methods are used. DiffSinger's boundary prediction trains a classifier and takes the step
    at which it no longer tells diffused recordings from diffused coarse spectrograms. The other
    method takes the candidate whose samples are closest to recordings of the validation songs.
    Both results are written to RUN/boundary.json.

    Example: oneleap boundary runs/singing/diffsinger/0

    Args:
        run: Folder of the run of an acoustic model.
        candidates: Steps to compare by distance.
        steps: Training steps of the classifier.
        limit: Largest number of phrases.
        seed: Seed of all random numbers.

    Raises:
        InputError: ``run`` holds no acoustic model, or a candidate is not a step of the schedule.
    """
    model = load_part(run, ACOUSTIC, AcousticModel)
    objective = model.objective
    schedule: DiscreteVPPath = LinearBetas(100, 1e-4, 0.06)
    if isinstance(objective, NoisePrediction):
        schedule = objective.schedule
    for k in candidates:
        if not 1 <= k <= schedule.steps:
            raise InputError(f"candidates: must be steps from 1 to {schedule.steps}, not {k}")
    batches = [model.frame_batch(batch) for batch in load_datamodule(run).val_dataloader()]
    pairs = mel_pairs(model, batches)
    crop = min(CROP, min(real.shape[1] for real, _ in pairs))
    predictor = train_predictor(pairs, schedule, steps=steps, crop=crop, seed=seed)
    few = [FrameBatch(*(x[:limit] for x in batches[0]))]
    distances = by_distance(model, few, schedule, candidates, seed)
    found = Boundary(
        by_classifier(predictor, pairs[:limit], schedule, seed),
        min(distances, key=distances.__getitem__),
        distances,
    )
    table = Table("K", "mel L1", title=f"Shallow start of {run}")
    for k, gap in distances.items():
        table.add_row(str(k), f"{gap:.4f}")
    Console().print(table)
    print(f"K by the classifier: {found.classifier}; by distance: {found.distance}")
    with replacing(run / "boundary.json") as path:
        path.write_text(dumps(vars(found), indent=2) + "\n", encoding="utf-8")


@torch.inference_mode()
def mel_pairs(model: AcousticModel, batches: list[FrameBatch]) -> list[MelPair]:
    """Recorded and coarse spectrograms of all phrases, without padding."""
    pairs = list[MelPair]()
    for batch in batches:
        coarse_mel = model.average.coarse_mel(model.average.encode(batch), batch.mask)
        for real, coarse, mask in zip(batch.x, coarse_mel, batch.mask, strict=True):
            n = int(mask.sum())
            pairs.append((real[:, :n].clone(), coarse[:, :n].clone()))
    return pairs
