"""Generation of clips with a composer, with or without controls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.ditto import CheckpointedSampler, invert
from oneleap.domains.music.composer.ditto2 import DECODE_STEPS, choose_decode_steps
from oneleap.domains.music.composer.optimize import (
    OptimizationResult,
    ProgressCallback,
    optimize_noise,
)
from oneleap.domains.music.controls.base import Control, WeightedControl

Method = Literal["ditto2", "ditto"]


@dataclass(frozen=True)
class GenerationSettings:
    """Settings of the generation of a clip.

    Attributes:
        method: ``ditto2`` optimizes through the student's single step, ``ditto`` through the
            whole sampler of the base model.
        steps: Maximum number of optimizer steps.
        lr: Learning rate of the optimizer.
        norm_weight: Weight of the penalty on the norm of the noise.
        patience: Number of steps without improvement after which a clip is finished; ``None``
            means never. Adam's first steps often lead away from a good start: with 20, one
            inpainted clip in twelve was finished too early.
        candidates: Number of random starts, of which the best is chosen.
        sampler_steps: Steps of the base model's sampler, for ``ditto``.
        decode_steps: Numbers of student steps that are tried for the final sound, for ``ditto2``.
        guidance: Guidance scale; the default is the composer's.
    """

    method: Method = "ditto2"
    steps: int = 70
    lr: float = 0.02
    norm_weight: float = 1.0
    patience: int | None = None
    candidates: int = 1
    sampler_steps: int = 20
    decode_steps: tuple[int, ...] = DECODE_STEPS
    guidance: float | None = None


@dataclass(frozen=True, eq=False)
class GeneratedClip:
    """Generated clips.

    Attributes:
        mel: Final spectrograms.
        metrics: Metric of each control for the final spectrograms.
        decode_steps: Number of network steps that made them.
        optimization: Result of the optimization.
    """

    mel: Float[Tensor, "b mels n"]
    metrics: dict[str, Float[Tensor, "b"]]
    decode_steps: int
    optimization: OptimizationResult


def default_steps(*controls: str) -> int:
    """Return DITTO's number of optimizer steps for controls of these names."""
    return 150 if {"melody", "structure"} & set(controls) else 70


def optimize_latent(
    composer: Composer,
    controls: Sequence[Control | WeightedControl],
    noise: Float[Tensor, "b mels n"],
    settings: GenerationSettings = GenerationSettings(),
    *,
    tags: Sequence[str] = (),
    generator: torch.Generator | None = None,
    progress: ProgressCallback | None = None,
) -> GeneratedClip:
    """Optimize the initial noise for the controls, then decode it.

    Cost: see :func:`~oneleap.domains.music.composer.optimize.optimize_noise`. A call of the
    decoder is one network evaluation with DITTO-2, and ``sampler_steps`` evaluations with DITTO.

    Args:
        composer: The composer.
        controls: Controls of the clips, at least one.
        noise: Initial noise.
        settings: Settings of the generation.
        tags: Tags that the composer is conditioned on.
        generator: Random generator of additional candidates.
        progress: Called after each step.

    Returns:
        The clips, and the result of the optimization.

    Raises:
        InputError: If a control or a setting is invalid, the composer has no student, or there is
            no such tag.
    """
    if settings.method == "ditto2":
        decode = composer.surrogate(tags, settings.guidance)
    else:
        decode = _sampler(composer, settings, tags)
    found = optimize_noise(
        decode,
        controls,
        noise,
        steps=settings.steps,
        lr=settings.lr,
        norm_weight=settings.norm_weight,
        patience=settings.patience,
        candidates=settings.candidates,
        generator=generator,
        progress=progress,
    )
    if settings.method == "ditto":
        return GeneratedClip(found.mel, found.metrics, settings.sampler_steps, found)
    choice = choose_decode_steps(
        lambda e, m: composer.decode(e, m, tags, settings.guidance),
        controls,
        found.noise,
        steps=settings.decode_steps,
    )
    if choice.steps == 1:
        return GeneratedClip(choice.mel, found.metrics, 1, found)
    plain = [c.control if isinstance(c, WeightedControl) else c for c in controls]
    with torch.no_grad():
        metrics = dict(
            zip(found.metrics, (control.metric(choice.mel) for control in plain), strict=True)
        )
    return GeneratedClip(choice.mel, metrics, choice.steps, found)


def warm_start_noise(
    composer: Composer,
    mel: Float[Tensor, "b mels n"],
    known: Tensor,
    noise: Float[Tensor, "b mels n"],
    *,
    tags: Sequence[str] = (),
    steps: int = 20,
) -> Float[Tensor, "b mels n"]:
    """Return initial noise for clips of which a part is given, by inversion of the sampler.

    Cost: ``steps`` network evaluations, without gradients.

    Args:
        composer: The composer; its base model is used.
        mel: Spectrograms; their values at unknown frames have little effect.
        known: Frames that are given, (n,).
        noise: Noise for the other frames.
        tags: Tags of the clips.
        steps: Number of steps of the inversion.
    """
    found = invert(composer.field(tags, 1.0), composer.normalize(mel), steps=steps)
    deviation = found.std(dim=(1, 2), keepdim=True).clamp(min=1e-3)
    return torch.where(known.to(noise.device), found / deviation.clamp(min=1.0), noise)


@torch.no_grad()
def sample(
    composer: Composer,
    noise: Float[Tensor, "b mels n"],
    settings: GenerationSettings,
    tags: Sequence[str],
) -> GeneratedClip:
    """Generate clips without controls.

    Args:
        composer: The composer.
        noise: Initial noise.
        settings: Settings of the generation.
        tags: Tags that the composer is conditioned on.

    Returns:
        The clips; their optimization is empty.
    """
    if settings.method == "ditto2":
        steps = max(settings.decode_steps)
        mel = composer.decode(noise, steps, tags, settings.guidance)
    else:
        steps = settings.sampler_steps
        mel = _sampler(composer, settings, tags)(noise)
    zero = torch.zeros(len(noise), dtype=torch.long)
    nothing = OptimizationResult(noise, mel, {}, {}, zero, zero == 0, 0.0)
    return GeneratedClip(mel, {}, steps, nothing)


def _sampler(
    composer: Composer, settings: GenerationSettings, tags: Sequence[str]
) -> CheckpointedSampler:
    """The sampler of the base model."""
    field = composer.field(tags, settings.guidance)
    return CheckpointedSampler(field, settings.sampler_steps, denormalize=composer.denormalize)
