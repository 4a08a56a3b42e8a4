"""``oneleap bench singing``: time from score to sound, in one step and in many."""

from pathlib import Path

from oneleap.core.errors import InputError


def bench(
    voice: str | None = None, calls: int = 50, seed: int = 0, json: Path | None = None
) -> None:
    """Time a singer from score to sound, on a melody of ten seconds.

    ``sing_rtf_1step`` is the time from score to samples with one sampler step, divided by the
    duration of the sound. ``ddpm100_over_1step`` is the time of DiffSinger's hundred steps divided
    by that of one step, ``flow20_over_1step`` the same for the twenty steps of a rectified flow.
    These ratios are of the acoustic model alone, with the same network, starting from noise. If no
    singer ships, one of the default sizes with random weights is timed.

    Example: oneleap bench singing --json singing.json

    Args:
        voice: Name or folder of a singer; by default a shipped one.
        calls: Number of timed calls.
        seed: Seed of the noise.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: There is no such singer, or ``calls`` is not positive.
    """
    if calls < 1:
        raise InputError(f"calls: {calls} is not positive")
    import torch

    from oneleap.core.timing import print_measurements
    from oneleap.domains.singing.evaluation.speed import measure_speed, untrained
    from oneleap.domains.singing.voice.loading import shipped_singers
    from oneleap.domains.singing.voice.singer import Singer

    shipped = list(shipped_singers())
    chosen = voice if voice is not None else (shipped[0] if shipped else None)
    figures = measure_speed(untrained() if chosen is None else Singer.load(chosen), calls, seed)
    name = "untrained" if chosen is None else chosen
    print_measurements(f"Singing, {name}, {torch.get_num_threads()} threads", figures, json)
