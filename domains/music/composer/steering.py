"""A composer under controls: noise is optimised through it, by either method."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.ditto import CheckpointedSampler, invert
from oneleap.domains.music.composer.ditto2 import STEPS, choose_steps
from oneleap.domains.music.composer.optimise import Progress, Result, optimize_noise
from oneleap.domains.music.controls.base import Control, Weighted

Method = Literal["ditto2", "ditto"]


@dataclass(frozen=True)
class Settings:
    """How a clip is looked for.

    Attributes:
        method: DITTO-2, through the student's one step, or DITTO, through the whole sampler.
        steps: Of the optimiser, at most.
        lr: Its learning rate.
        prior: Weight of the noise's norm.
        patience: Steps without progress after which a clip is given up; ``None`` is never. Adam's
            first steps lead away from a good start: 20 gave up one inpainted clip in twelve.
        candidates: Draws of which the best is the start.
        sampler_steps: Of DITTO's sampler.
        decode_steps: Numbers of the student's steps tried for the final sound.
        guidance: Scale; the composer's own if left out.
    """

    method: Method = "ditto2"
    steps: int = 70
    lr: float = 0.02
    prior: float = 1.0
    patience: int | None = None
    candidates: int = 1
    sampler_steps: int = 20
    decode_steps: tuple[int, ...] = STEPS
    guidance: float | None = None


@dataclass(frozen=True, eq=False)
class Steered:
    """What came of it.

    Attributes:
        mel: Final spectrograms.
        metrics: Of each control, of the final spectrograms.
        decode_steps: Steps of the model they were made in.
        search: The optimisation's own result.
    """

    mel: Float[Tensor, "b mels n"]
    metrics: dict[str, Float[Tensor, "b"]]
    decode_steps: int
    search: Result


def search_steps(*controls: str) -> int:
    """Steps that a search for these takes, DITTO's numbers."""
    return 150 if {"melody", "structure"} & set(controls) else 70


def steer(
    composer: Composer,
    controls: Sequence[Control | Weighted],
    noise: Float[Tensor, "b mels n"],
    settings: Settings = Settings(),
    *,
    tags: Sequence[str] = (),
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> Steered:
    """Optimise the noise, then decode it.

    Cost: see :func:`~oneleap.domains.music.composer.optimise.optimize_noise`; a call of the decoder is one
    network evaluation with DITTO-2, ``sampler_steps`` of them with DITTO.

    Raises:
        InputError: If a control cannot be, the composer has no student, or no such tags.
    """
    if settings.method == "ditto2":
        decode = composer.surrogate(tags, settings.guidance)
    else:
        field = composer.field(tags, settings.guidance)
        decode = CheckpointedSampler(field, settings.sampler_steps, features=composer.features)
    found = optimize_noise(
        decode,
        controls,
        noise,
        steps=settings.steps,
        lr=settings.lr,
        prior=settings.prior,
        patience=settings.patience,
        candidates=settings.candidates,
        generator=generator,
        progress=progress,
    )
    if settings.method == "ditto":
        return Steered(found.mel, found.metrics, settings.sampler_steps, found)
    choice = choose_steps(
        lambda e, m: composer.decode(e, m, tags, settings.guidance),
        controls,
        found.noise,
        steps=settings.decode_steps,
    )
    if choice.steps == 1:
        return Steered(choice.mel, found.metrics, 1, found)
    plain = [c.control if isinstance(c, Weighted) else c for c in controls]
    with torch.no_grad():
        metrics = dict(
            zip(found.metrics, (control.metric(choice.mel) for control in plain), strict=True)
        )
    return Steered(choice.mel, metrics, choice.steps, found)


def warm_noise(
    composer: Composer,
    mel: Float[Tensor, "b mels n"],
    kept: Tensor,
    noise: Float[Tensor, "b mels n"],
    *,
    tags: Sequence[str] = (),
    steps: int = 20,
) -> Float[Tensor, "b mels n"]:
    """Noise to start from where part of a clip is given: the sampler run backwards there.

    Cost: ``steps`` network evaluations, without gradient.

    Args:
        composer: Its base model is run.
        mel: Spectrograms; what they have at other frames does not matter much.
        kept: Frames that are given, (n,).
        noise: For the other frames.
        tags: The clip's.
        steps: Of the way back.
    """
    found = invert(composer.field(tags, 1.0), composer.normalised(mel), steps=steps)
    spread = found.std(dim=(1, 2), keepdim=True).clamp(min=1e-3)
    return torch.where(kept.to(noise.device), found / spread.clamp(min=1.0), noise)


@torch.no_grad()
def unsteered(
    composer: Composer, noise: Float[Tensor, "b mels n"], settings: Settings, tags: Sequence[str]
) -> Steered:
    """A clip of which nothing is asked."""
    if settings.method == "ditto2":
        steps = max(settings.decode_steps)
        mel = composer.decode(noise, steps, tags, settings.guidance)
    else:
        steps = settings.sampler_steps
        sampler = composer.field(tags, settings.guidance)
        mel = CheckpointedSampler(sampler, steps, features=composer.features)(noise)
    zero = torch.zeros(len(noise), dtype=torch.long)
    found = Result(noise, mel, {}, {}, zero, zero == 0, 0.0)
    return Steered(mel, {}, steps, found)
