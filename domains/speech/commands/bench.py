"""``oneleap bench speech``: the time of one step, compared with teachers of many steps."""

import functools
from pathlib import Path
from statistics import median

import torch

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.samplers import EDMSampler, EulerSampler, FlowMapSampler, Sampler
from oneleap.core.timing import median_ms, report
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.models.encoder import round_durations
from oneleap.domains.speech.spec import Spec
from oneleap.domains.speech.text.symbols import token_ids
from oneleap.domains.speech.voice.loading import shipped_voices
from oneleap.domains.speech.voice.voice import Voice

SENTENCE = (
    "The quick brown fox jumps over the lazy dog, while the old man by the river counts his "
    "silver coins, and the children sing."
)
"""A sentence of about ten seconds."""

ROUNDS = 3
"""Number of rounds in which samplers take turns."""


def untrained_voice() -> Voice:
    """Build a voice of the default sizes. It speaks noise, as fast as a trained voice."""
    spec = Spec(Mel())
    return Voice(AcousticModel(spec, FlowMatching()).eval(), Vocos(spec.mel).eval())


def acoustic_ms(
    voice: Voice, sentence: str, samplers: dict[str, Sampler], calls: int
) -> dict[str, float]:
    """Measure the time from text to spectrogram for several samplers, which take turns.

    Args:
        voice: The voice.
        sentence: Phonetic text.
        samplers: Samplers by name.
        calls: Number of timed network calls of each sampler.

    Returns:
        Median milliseconds by name.
    """
    model = voice.acoustic
    tokens = torch.tensor([token_ids(sentence, model.spec.symbols)])
    mask = torch.ones(tokens.shape, dtype=torch.bool)
    speaker = torch.zeros(1, dtype=torch.long)

    @torch.inference_mode()
    def synthesize(sampler: Sampler) -> None:
        encoded = model.encode(tokens, mask, speaker)
        durations = round_durations(encoded.log_durations, mask)
        noise = model.draw_noise([int(durations.sum())], [0])
        frame_mask = torch.ones(1, 1, noise.shape[2], dtype=torch.bool)
        owner = torch.repeat_interleave(torch.arange(tokens.shape[1]), durations[0]).unsqueeze(0)
        sampler(model.average.field(encoded, owner, frame_mask), noise)

    found: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(ROUNDS):
        for name, sampler in samplers.items():
            n = max(1, calls // ROUNDS // sampler.steps)
            call = functools.partial(synthesize, sampler)
            found[name].append(median_ms(call, calls=n, warmup=1))
    return {name: median(times) for name, times in found.items()}


def bench(voice: str | None = None, calls: int = 50, json: Path | None = None) -> None:
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
        calls: Number of timed sentences.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: There is no such voice, or ``calls`` is not positive.
    """
    if calls < 1:
        raise InputError(f"calls: {calls} is not positive")
    known = list(shipped_voices())
    chosen = voice if voice is not None else (known[0] if known else None)
    timed = untrained_voice() if chosen is None else Voice.load(chosen)
    wave = timed.speak(SENTENCE, steps=1)
    fewer = max(2, calls // 5)
    speak_ms = median_ms(lambda: timed.speak(SENTENCE, steps=1), calls=fewer, warmup=2)
    long = " ".join([SENTENCE] * 10)
    first_ms = median_ms(lambda: next(iter(timed.stream(long, steps=1))), calls=fewer, warmup=1)
    (sentence, *_) = timed.front_end().phonetic_sentences(SENTENCE)
    samplers: dict[str, Sampler] = {
        "1step": FlowMapSampler(1),
        "edm50": EDMSampler(50),
        "fm10": EulerSampler(10, guidance=1.5),
    }
    times = acoustic_ms(timed, sentence, samplers, calls)
    figures = {
        "seconds": wave.seconds,
        "speak_ms": speak_ms,
        "speak_rtf_1step": speak_ms / 1e3 / wave.seconds,
        "first_audio_ms": first_ms,
        **{f"{name}_acoustic_ms": ms for name, ms in times.items()},
        "edm50_over_1step": times["edm50"] / times["1step"],
        "fm10_over_1step": times["fm10"] / times["1step"],
    }
    name = "untrained" if chosen is None else chosen
    report(f"Speech, {name}, {torch.get_num_threads()} threads", figures, json)
