"""Where a shallow start may begin: DiffSinger's boundary K, by a classifier and by distance."""

from collections.abc import Sequence
from dataclasses import dataclass
from json import dumps
from pathlib import Path

import torch
from jaxtyping import Float
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.losses.metrics import masked_mean
from oneleap.core.nets.embed import TimeFeatures
from oneleap.core.objectives import NoisePrediction
from oneleap.core.paths.ddpm import DiscreteVPPath, LinearBetas
from oneleap.core.training.seed import step_generator
from oneleap.domains.singing.commands.evaluate import validation_split
from oneleap.domains.singing.models.acoustic import Acoustic
from oneleap.domains.singing.models.nets import Framed
from oneleap.domains.singing.models.samplers import DDPMSampler
from oneleap.domains.singing.voice import loading as store

NEAR = 0.1
"""Difference of the classifier's two answers below which they are the same."""

SURE = 0.95
"""Share of the later steps at which they have to be."""


class BoundaryPredictor(nn.Module):
    """Tells a diffused recording from a diffused rough spectrogram: ``BP(M_t, t)``.

    Args:
        mels: Bands.
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
        """Log-odds that the spectrogram below the noise is a recording's."""
        h = torch.relu(self.inward(x) + self.time(self.times.of(t)).unsqueeze(2))
        h = torch.relu(self.last(torch.relu(self.middle(h))))
        odds: Tensor = self.outward(h.mean(2)).squeeze(1)
        return odds


def boundary_loss(
    predictor: BoundaryPredictor,
    real: Float[Tensor, "b mels n"],
    rough: Float[Tensor, "b mels n"],
    k: Float[Tensor, "b"],
    noise: Float[Tensor, "b mels n"],
    schedule: DiscreteVPPath,
) -> Float[Tensor, ""]:
    """``-E[log BP(M_t, t) + log(1 - BP(M~_t, t))]``, DiffSinger (arXiv 2105.02446), Appendix B."""
    t = k / schedule.steps
    yes = predictor(schedule.point(real, noise, k), t)
    no = predictor(schedule.point(rough, noise, k), t)
    return -(nn.functional.logsigmoid(yes) + nn.functional.logsigmoid(-no)).mean()


def first_indistinct(gaps: Sequence[float]) -> int:
    """The least step from which on, at 95 % of the steps, the two answers are near.

    Args:
        gaps: ``|BP(M_t, t) - BP(M~_t, t)|`` of steps 1, 2 ...
    """
    near = [gap < NEAR for gap in gaps]
    for k in range(len(near)):
        rest = near[k:]
        if near[k] and sum(rest) >= SURE * len(rest):
            return k + 1
    return len(gaps)


@dataclass(frozen=True)
class Boundary:
    """What was found.

    Attributes:
        classifier: K by boundary prediction.
        distance: K of the least mel distance on songs set aside.
        mel_l1: That distance by K.
    """

    classifier: int
    distance: int
    mel_l1: dict[int, float]


def train_predictor(
    pairs: list[tuple[Tensor, Tensor]],
    schedule: DiscreteVPPath,
    *,
    steps: int,
    crop: int,
    seed: int,
) -> BoundaryPredictor:
    """A classifier of pieces of recordings and of rough spectrograms of the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        predictor = BoundaryPredictor(pairs[0][0].shape[0])
    optimizer = torch.optim.Adam(predictor.parameters(), 1e-3)
    for step in range(steps):
        g = step_generator(seed, step)
        rows = [pairs[int(i)] for i in torch.randint(len(pairs), (16,), generator=g)]
        cuts = [_cut(real, rough, crop, g) for real, rough in rows]
        real, rough = (torch.stack(side) for side in zip(*cuts, strict=True))
        k = torch.randint(1, schedule.steps + 1, (16,), generator=g).float()
        noise = torch.randn(real.shape, generator=g)
        loss = boundary_loss(predictor, real, rough, k, noise, schedule)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return predictor.eval()


def _cut(
    real: Tensor, rough: Tensor, crop: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    first = int(torch.randint(max(1, real.shape[1] - crop + 1), (1,), generator=generator))
    return real[:, first : first + crop], rough[:, first : first + crop]


@torch.no_grad()
def by_classifier(
    predictor: BoundaryPredictor,
    pairs: list[tuple[Tensor, Tensor]],
    schedule: DiscreteVPPath,
    seed: int,
) -> int:
    """Mean over recordings of the first step at which the two are not told apart."""
    found = []
    for i, (real, rough) in enumerate(pairs):
        k = torch.arange(1, schedule.steps + 1).float()
        noise = torch.randn((len(k), *real.shape), generator=step_generator(seed, i, 1))
        odds = [
            predictor(schedule.point(x.expand(len(k), -1, -1), noise, k), k / schedule.steps)
            for x in (real, rough)
        ]
        found.append(first_indistinct((odds[0].sigmoid() - odds[1].sigmoid()).abs().tolist()))
    return round(sum(found) / len(found))


@torch.no_grad()
def by_distance(
    model: Acoustic,
    batches: list[Framed],
    schedule: DiscreteVPPath,
    candidates: Sequence[int],
    seed: int,
) -> dict[int, float]:
    """Mean mel distance of samples that start from each candidate step."""
    found = {}
    for k in candidates:
        sampler, gaps = DDPMSampler(k, schedule, boundary=k), []
        for i, batch in enumerate(batches):
            noise = torch.randn(batch.x.shape, generator=step_generator(seed, i, 2))
            made, _ = model.generate(batch, noise, sampler, step_generator(seed, i, 3))
            gaps.append(masked_mean((made - batch.x).abs(), batch.mask).mean())
        found[k] = float(torch.stack(gaps).mean()) * model.spec.mel.std
    return found


def boundary(
    run: Path,
    candidates: tuple[int, ...] = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
    steps: int = 500,
    most: int = 8,
    seed: int = 0,
) -> None:
    """Find the step K of a diffusion from which its rough spectrogram may be sampled on.

    Twice: by DiffSinger's boundary prediction, a classifier that no longer tells diffused
    recordings from diffused rough spectrograms, and as that candidate whose samples are nearest to
    recordings of songs set aside. Both are written to RUN/boundary.json.

    Example: oneleap boundary runs/singing/diffsinger/0

    Args:
        run: Folder of the run of an acoustic model.
        candidates: Steps that are tried for the distance.
        steps: Training steps of the classifier.
        most: Phrases sung for the distance.
        seed: Of all draws.

    Raises:
        InputError: There is no acoustic model in ``run``, or a candidate is no step.
    """
    model = store.load_part(run, store.ACOUSTIC, Acoustic)
    objective = model.objective
    schedule: DiscreteVPPath = LinearBetas(100, 1e-4, 0.06)
    if isinstance(objective, NoisePrediction):
        schedule = objective.schedule
    for k in candidates:
        if not 1 <= k <= schedule.steps:
            raise InputError(f"candidates: steps from 1 to {schedule.steps}, not {k}")
    data = validation_split(run)
    held = [model.framed(songs) for songs in data.val_dataloader()]
    pairs = list[tuple[Tensor, Tensor]]()
    with torch.inference_mode():
        for batch in held:
            rough = model.average.rough(model.average.encode(batch), batch.mask)
            for row, rough_row, mask in zip(batch.x, rough, batch.mask, strict=True):
                n = int(mask.sum())
                pairs.append((row[:, :n].clone(), rough_row[:, :n].clone()))
    crop = min(64, min(real.shape[1] for real, _ in pairs))
    predictor = train_predictor(pairs, schedule, steps=steps, crop=crop, seed=seed)
    few = [Framed(*(x[:most] for x in held[0]))]
    distances = by_distance(model, few, schedule, candidates, seed)
    found = Boundary(
        by_classifier(predictor, pairs[:most], schedule, seed),
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
