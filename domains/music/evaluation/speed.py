"""The time to generate a clip of six seconds under control, by DITTO-2 and by DITTO."""

import time
from collections.abc import Callable
from dataclasses import replace

import torch

from oneleap.core.objectives import FlowMatching, SplitMeanFlow
from oneleap.core.timing import median_ms
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.generation import GenerationSettings, optimize_latent
from oneleap.domains.music.controls.base import Control, Intensity
from oneleap.domains.music.controls.targets import preset_curve
from oneleap.domains.music.models.model import MusicModel
from oneleap.domains.music.models.nets import DiTConfig
from oneleap.domains.music.spec import MUSIC_MEL, Spec

SECONDS, TAG = 6.0, "tag"

DITTO_STEPS = (1, 3)
"""Numbers of optimizer steps of DITTO that are timed. The others follow: all steps cost the same,
and 70 of them take minutes."""


def untrained_composer() -> Composer:
    """Make an untrained composer of the small configuration's sizes, as fast as a trained one."""
    spec, backbone = Spec(MUSIC_MEL, (TAG,)), DiTConfig()
    base, student = (
        MusicModel(spec, objective, backbone=backbone)
        for objective in (FlowMatching(), SplitMeanFlow())
    )
    return Composer.from_parts(base, student, Vocos(spec.mel), guidance=2.0)


def unreachable_control(composer: Composer) -> Control:
    """Make a control of rising loudness that never reaches its threshold.

    An optimization under it does not stop early.
    """
    frames = composer.frames(SECONDS)
    return Intensity(composer.spec.mel, preset_curve("rise", frames), threshold=-1.0)


def measure_speed(composer: Composer, steps: int, calls: int, seed: int = 0) -> dict[str, float]:
    """Return the figures of a composer.

    Args:
        composer: The composer.
        steps: Number of optimizer steps.
        calls: Number of clips that are timed.
        seed: Seed of the noise.
    """
    tags = composer.spec.tags[:1]
    control = unreachable_control(composer)
    noise = composer.noise(1, SECONDS, torch.Generator().manual_seed(seed))
    mel = composer.decode(noise, tags=tags)
    settings = GenerationSettings(steps=steps)

    def clip(method: GenerationSettings) -> None:
        found = optimize_latent(composer, [control], noise, method, tags=tags)
        with torch.inference_mode():
            composer.vocode(found.mel)

    few, more = (replace(settings, method="ditto", steps=n) for n in DITTO_STEPS)
    clip(replace(settings, steps=1))  # warm-up of both methods
    clip(few)
    ditto2 = median_ms(lambda: clip(settings), calls=calls, warmup=0) / 1e3
    short, long = time_call(lambda: clip(few)), time_call(lambda: clip(more))
    per_step = (long - short) / (DITTO_STEPS[1] - DITTO_STEPS[0])
    ditto = short + per_step * (steps - DITTO_STEPS[0])
    with torch.inference_mode():
        generate = median_ms(lambda: composer.decode(noise, tags=tags), calls=10 * calls)
        vocode = median_ms(lambda: composer.vocode(mel), calls=10 * calls)
    return {
        "ditto2_seconds_6s": ditto2,
        "ditto_seconds_6s": ditto,
        "ditto_over_ditto2": ditto / ditto2,
        "optimizer_steps": float(steps),
        "ditto_step_s": per_step,
        "generate_ms": generate,
        "vocode_ms": vocode,
    }


def time_call(function: Callable[[], None]) -> float:
    """Return the duration of a call in seconds."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
