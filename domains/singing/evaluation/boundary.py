"""DiffSinger's boundary K of a shallow start, by a classifier and by distance to recordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.cli.datamodule import load_datamodule
from oneleap.core.errors import InputError
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.nets.embed import TimeFeatures
from oneleap.core.objectives import NoisePrediction
from oneleap.core.paths.ddpm import DiscreteVPPath
from oneleap.core.sampling.samplers import DDPMSampler
from oneleap.core.training.run import find_model
from oneleap.core.training.seed import step_generator
from oneleap.domains.singing.models.acoustic import AcousticModel
from oneleap.domains.singing.models.nets import FrameBatch
from oneleap.domains.singing.models.sampling import diffsinger_schedule
from oneleap.domains.singing.voice.loading import ACOUSTIC, load_part

CROP = 64
"""Longest segment that the classifier is trained on, in frames."""

MAX_GAP = 0.1
"""Largest difference between two outputs of the classifier that count as equal."""

MIN_SHARE = 0.95
"""Fraction of the later steps at which the outputs must be equal."""

MelPair = tuple[Tensor, Tensor]
"""Recorded and coarse spectrogram of one phrase, (mels, n) each."""


class BoundaryPredictor(nn.Module):
    """Classifier of diffused spectrograms, recorded or coarse: ``BP(M_t, t)``.

    Args:
        mels: Mel bands.
        width: Channels.
    """

    def __init__(self, mels: int, width: int = 64) -> None:
        super().__init__()
        self.times = TimeFeatures(32)
        self.time = nn.Linear(32, width)
        self.inward = nn.Conv1d(mels, width, 5, padding=2)
        self.middle = nn.Conv1d(width, width, 5, stride=2, padding=2)
        self.last = nn.Conv1d(width, width, 5, stride=2, padding=2)
        self.outward = nn.Linear(width, 1)

    def forward(self, x: Float[Tensor, "b mels n"], t: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
        """Logit of the probability that the spectrogram is a recording."""
        h = torch.relu(self.inward(x) + self.time(self.times.embed(t)).unsqueeze(2))
        h = torch.relu(self.last(torch.relu(self.middle(h))))
        logit: Tensor = self.outward(h.mean(2)).squeeze(1)
        return logit


def boundary_loss(
    predictor: BoundaryPredictor,
    real: Float[Tensor, "b mels n"],
    coarse_mel: Float[Tensor, "b mels n"],
    k: Float[Tensor, "b"],
    noise: Float[Tensor, "b mels n"],
    schedule: DiscreteVPPath,
) -> Float[Tensor, ""]:
    """``-E[log BP(M_t, t) + log(1 - BP(M~_t, t))]``, DiffSinger (arXiv 2105.02446), Appendix B.

    Args:
        predictor: Classifier.
        real: Recorded spectrograms.
        coarse_mel: Coarse spectrograms of the same phrases.
        k: Diffusion step of each row.
        noise: Standard normal noise.
        schedule: Noise schedule.

    Returns:
        The loss, a scalar.
    """
    t = k / schedule.steps
    of_real = predictor(schedule.point(real, noise, k), t)
    of_coarse = predictor(schedule.point(coarse_mel, noise, k), t)
    return -(nn.functional.logsigmoid(of_real) + nn.functional.logsigmoid(-of_coarse)).mean()


def first_indistinct(gaps: Sequence[float]) -> int:
    """The first step from which on the outputs are equal at 95 % of the steps.

    Args:
        gaps: ``|BP(M_t, t) - BP(M~_t, t)|`` at steps 1, 2 ...
    """
    near = [gap < MAX_GAP for gap in gaps]
    for k in range(len(near)):
        rest = near[k:]
        if near[k] and sum(rest) >= MIN_SHARE * len(rest):
            return k + 1
    return len(gaps)


def train_predictor(
    pairs: list[MelPair], schedule: DiscreteVPPath, *, steps: int, crop: int, seed: int
) -> BoundaryPredictor:
    """Train the classifier on random segments.

    Args:
        pairs: Recorded and coarse spectrograms.
        schedule: Noise schedule.
        steps: Training steps.
        crop: Length of a segment in frames.
        seed: Seed of weights and random numbers.

    Returns:
        The trained classifier.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        predictor = BoundaryPredictor(pairs[0][0].shape[0])
    optimizer = torch.optim.Adam(predictor.parameters(), 1e-3)
    for step in range(steps):
        g = step_generator(seed, step)
        rows = [pairs[int(i)] for i in torch.randint(len(pairs), (16,), generator=g)]
        segments = [_segment(*row, crop, g) for row in rows]
        real, coarse_mel = (torch.stack(side) for side in zip(*segments, strict=True))
        k = torch.randint(1, schedule.steps + 1, (16,), generator=g).float()
        noise = torch.randn(real.shape, generator=g)
        loss = boundary_loss(predictor, real, coarse_mel, k, noise, schedule)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return predictor.eval()


def _segment(real: Tensor, coarse_mel: Tensor, crop: int, generator: torch.Generator) -> MelPair:
    first = int(torch.randint(max(1, real.shape[1] - crop + 1), (1,), generator=generator))
    return real[:, first : first + crop], coarse_mel[:, first : first + crop]


@torch.no_grad()
def by_classifier(
    predictor: BoundaryPredictor, pairs: list[MelPair], schedule: DiscreteVPPath, seed: int
) -> int:
    """Mean over phrases of the first step at which the classifier cannot tell the two apart.

    Args:
        predictor: Trained classifier.
        pairs: Recorded and coarse spectrograms.
        schedule: Noise schedule.
        seed: Seed of the noise.

    Returns:
        The step K.
    """
    found = []
    for i, (real, coarse_mel) in enumerate(pairs):
        k = torch.arange(1, schedule.steps + 1).float()
        noise = torch.randn((len(k), *real.shape), generator=step_generator(seed, i, 1))
        logits = [
            predictor(schedule.point(x.expand(len(k), -1, -1), noise, k), k / schedule.steps)
            for x in (real, coarse_mel)
        ]
        found.append(first_indistinct((logits[0].sigmoid() - logits[1].sigmoid()).abs().tolist()))
    return round(sum(found) / len(found))


@torch.no_grad()
def by_distance(
    model: AcousticModel,
    batches: list[FrameBatch],
    schedule: DiscreteVPPath,
    candidates: Sequence[int],
    seed: int,
) -> dict[int, float]:
    """Mean mel distance between recordings and samples that start at each candidate step.

    Args:
        model: Acoustic model.
        batches: Validation phrases.
        schedule: Noise schedule.
        candidates: Steps to compare.
        seed: Seed of the noise.

    Returns:
        Distance of natural-log spectrograms by step.
    """
    found = {}
    for k in candidates:
        sampler, gaps = DDPMSampler(schedule, steps=k, clip=None, start_step=k), []
        for i, batch in enumerate(batches):
            noise = torch.randn(batch.x.shape, generator=step_generator(seed, i, 2))
            samples, _ = model.generate(batch, noise, sampler, step_generator(seed, i, 3))
            gaps.append(masked_mean((samples - batch.x).abs(), batch.mask).mean())
        found[k] = float(torch.stack(gaps).mean()) * model.spec.mel.std
    return found


@dataclass(frozen=True)
class Boundary:
    """Result of :func:`find_boundary`.

    Attributes:
        classifier: K by boundary prediction.
        distance: K with the smallest mel distance on the validation songs.
        mel_l1: Mel distance by K.
    """

    classifier: int
    distance: int
    mel_l1: dict[int, float]


def find_boundary(
    run: Path, candidates: Sequence[int], *, steps: int, limit: int, seed: int
) -> Boundary:
    """Find the boundary K of an acoustic model on the validation songs of its run.

    Args:
        run: Folder of the run.
        candidates: Steps to compare by distance.
        steps: Training steps of the classifier.
        limit: Largest number of phrases.
        seed: Seed of all random numbers.

    Returns:
        K by both methods.

    Raises:
        InputError: ``run`` holds no acoustic model or is not in a run, or a candidate is not a step
            of the schedule.
    """
    model, trained_in = load_part(run, ACOUSTIC, AcousticModel), find_model(run, ACOUSTIC).run
    if trained_in is None:
        raise InputError(f"{run} is not in a run, whose validation songs are needed")
    schedule = diffsinger_schedule()
    if isinstance(model.objective, NoisePrediction):
        schedule = model.objective.schedule
    for k in candidates:
        if not 1 <= k <= schedule.steps:
            raise InputError(f"candidates: must be steps from 1 to {schedule.steps}, not {k}")
    batches = [model.frame_batch(batch) for batch in load_datamodule(trained_in).val_dataloader()]
    pairs = mel_pairs(model, batches)
    crop = min(CROP, min(real.shape[1] for real, _ in pairs))
    predictor = train_predictor(pairs, schedule, steps=steps, crop=crop, seed=seed)
    few = [FrameBatch(*(x[:limit] for x in batches[0]))]
    distances = by_distance(model, few, schedule, candidates, seed)
    k = by_classifier(predictor, pairs[:limit], schedule, seed)
    return Boundary(k, min(distances, key=distances.__getitem__), distances)


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
