"""``oneleap bench music``: the time to generate six seconds under control, by DITTO-2 and DITTO."""

from pathlib import Path

from oneleap.core.errors import InputError


def bench(
    composer: str | None = None,
    steps: int = 70,
    calls: int = 5,
    seed: int = 0,
    json: Path | None = None,
) -> None:
    """Time the generation of a clip of six seconds under control, from the target to samples.

    ``ditto2_seconds_6s`` is DITTO-2: all optimizer steps through the student's single step
    without early stopping, the choice among 1, 2, 4 and 8 decoding steps, and the vocoder.
    ``ditto_seconds_6s`` is DITTO: as many optimizer steps through 20 steps of the base model, with
    guidance and checkpointing. It is extrapolated from a few steps, since all steps cost the same.
    ``ditto_over_ditto2`` is their ratio. ``generate_ms`` and ``vocode_ms`` are the times of a clip
    without control. Without a composer, a shipped one is timed, or an untrained one of the small
    configuration's sizes.

    Example: oneleap bench music --json music.json

    Args:
        composer: Name or folder of a composer; the default is a shipped one, if there is any.
        steps: Number of optimizer steps.
        calls: Number of clips that are timed.
        seed: Seed of the noise.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: If there is no such composer, or ``calls`` or ``steps`` is not positive.
    """
    if calls < 1 or steps < 1:
        raise InputError(f"calls and steps must be positive, not {calls} and {steps}")
    import torch

    from oneleap.core.timing import print_measurements
    from oneleap.domains.music.composer.composer import Composer
    from oneleap.domains.music.composer.loading import shipped_composers
    from oneleap.domains.music.evaluation.speed import measure_speed, untrained_composer

    known = list(shipped_composers())
    chosen = composer if composer is not None else (known[0] if known else None)
    timed = untrained_composer() if chosen is None else Composer.load(chosen)
    figures = measure_speed(timed, steps, calls, seed)
    name = "untrained" if chosen is None else chosen
    print_measurements(f"Music, {name}, {torch.get_num_threads()} threads", figures, json)
