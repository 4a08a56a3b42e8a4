"""``oneleap bench music``: a clip of six seconds under control, DITTO-2 against DITTO."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching, SplitMeanFlow
from oneleap.core.timing import median_ms, report
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.loading import shipped
from oneleap.domains.music.composer.steering import Settings, steer
from oneleap.domains.music.controls.base import Control, Intensity
from oneleap.domains.music.controls.targets import preset
from oneleap.domains.music.models.model import MusicModel
from oneleap.domains.music.models.nets import DiT
from oneleap.domains.music.spec import MUSIC, Spec

SECONDS, TAG = 6.0, "tag"

DITTO_STEPS = (1, 3)
"""Optimiser steps of DITTO that are timed; the rest would take minutes, each like the last."""


def untrained() -> Composer:
    """A composer of the small configuration's sizes that makes noise, as fast as a trained one."""
    spec, backbone = Spec(MUSIC, (TAG,)), DiT()
    base, student = (
        MusicModel(spec, objective, backbone=backbone)
        for objective in (FlowMatching(), SplitMeanFlow())
    )
    return Composer.of(base, student, Vocos(spec.mel), guidance=2.0)


def endless(composer: Composer) -> Control:
    """Rising loudness that is never near enough: no search stops early."""
    frames = composer.frames(SECONDS)
    return Intensity(composer.spec.mel, preset("rise", frames), stop=-1.0)


def bench(
    composer: str | None = None, steps: int = 70, calls: int = 5, json: Path | None = None
) -> None:
    """Time the control of a clip of six seconds, from a target to samples.

    ``ditto2_seconds_6s`` is DITTO-2: as many steps of the optimiser as asked through one step of
    the student, none of them spared by early stopping, the choice among 1, 2, 4 and 8 decoding
    steps, and the vocoder. ``ditto_seconds_6s`` is DITTO with as many steps through 20 of the base
    model, guided, checkpointed; a few are timed, for each costs the same. ``ditto_over_ditto2`` is
    their ratio. ``generate_ms`` and ``vocode_ms`` are a clip without control. Without a
    composer, one that ships is timed, or an untrained one of the small configuration's sizes.

    Example: oneleap bench music --json music.json

    Args:
        composer: Name or folder; by default one that ships, if any does.
        steps: Of the optimiser.
        calls: Clips timed.
        json: Also write the figures to this file.

    Raises:
        InputError: If there is no such composer, or nothing is to be timed.
    """
    if calls < 1 or steps < 1:
        raise InputError(f"calls and steps are positive, not {calls} and {steps}")
    known = list(shipped())
    chosen = composer if composer is not None else (known[0] if known else None)
    timed = untrained() if chosen is None else Composer.load(chosen)
    figures = measured(timed, steps, calls)
    name = "untrained" if chosen is None else chosen
    report(f"Music, {name}, {torch.get_num_threads()} threads", figures, json)


def measured(composer: Composer, steps: int, calls: int) -> dict[str, float]:
    """The figures of one composer."""
    tags = composer.spec.tags[:1]
    control = endless(composer)
    noise = composer.noise(1, SECONDS, torch.Generator().manual_seed(0))
    mel = composer.decode(noise, tags=tags)
    settings = Settings(steps=steps)

    def clip(method: Settings) -> None:
        found = steer(composer, [control], noise, method, tags=tags)
        with torch.inference_mode():
            composer.vocode(found.mel)

    few, more = (replace(settings, method="ditto", steps=n) for n in DITTO_STEPS)
    clip(replace(settings, steps=1))  # warm-up of both
    clip(few)
    ditto2 = median_ms(lambda: clip(settings), calls=calls, warmup=0) / 1e3
    short, long = seconds(lambda: clip(few)), seconds(lambda: clip(more))
    each = (long - short) / (DITTO_STEPS[1] - DITTO_STEPS[0])
    ditto = short + each * (steps - DITTO_STEPS[0])
    with torch.inference_mode():
        generate = median_ms(lambda: composer.decode(noise, tags=tags), calls=10 * calls)
        vocode = median_ms(lambda: composer.vocode(mel), calls=10 * calls)
    return {
        "ditto2_seconds_6s": ditto2,
        "ditto_seconds_6s": ditto,
        "ditto_over_ditto2": ditto / ditto2,
        "optimiser_steps": float(steps),
        "ditto_step_s": each,
        "generate_ms": generate,
        "vocode_ms": vocode,
    }


def seconds(function: Callable[[], None]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
