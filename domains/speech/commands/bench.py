"""``oneleap bench speech``: the time of one step, compared with teachers of many steps."""

from pathlib import Path

from oneleap.core.errors import InputError


def bench(
    voice: str | None = None, calls: int = 50, seed: int = 0, json: Path | None = None
) -> None:
    """Measure the time of a voice from text to sound, on a sentence of ten seconds.

    ``speak_rtf_1step`` is the time of one step, from text to samples, divided by the duration of
    the sound. ``first_audio_ms`` is the time to the first samples of a text of ten such sentences.
    ``edm50_over_1step`` is the time of 50 steps of an EDM teacher divided by the time of one step,
    ``fm10_over_1step`` the same for 10 guided steps of flow matching. Both ratios are of the
    acoustic model alone, with the same network.

    Example: oneleap bench speech --json speech.json

    Args:
        voice: Name or folder of a voice; by default a shipped one, or else an untrained voice of
            the default sizes.
        calls: Number of timed calls of the acoustic model.
        seed: Seed of the noise.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: There is no such voice, or ``calls`` is not positive.
    """
    if calls < 1:
        raise InputError(f"calls: {calls} is not positive")
    import torch

    from oneleap.core.timing import print_measurements
    from oneleap.domains.speech.evaluation.latency import measure_latency, untrained_voice
    from oneleap.domains.speech.voice.loading import DEFAULT_VOICE, shipped_voices
    from oneleap.domains.speech.voice.voice import Voice

    name = voice or (DEFAULT_VOICE if DEFAULT_VOICE in shipped_voices() else None)
    timed = untrained_voice() if name is None else Voice.load(name, int8=True)
    title = f"Speech, {name or 'untrained'}, {torch.get_num_threads()} threads"
    print_measurements(title, measure_latency(timed, calls, seed), json)
