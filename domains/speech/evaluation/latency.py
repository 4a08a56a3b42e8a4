"""The time from text to sound, and of the acoustic model with several samplers."""

import functools
from statistics import median

import torch

from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.samplers import EDMSampler, EulerSampler, FlowMapSampler, Sampler
from oneleap.core.timing import median_ms
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.models.encoder import round_durations
from oneleap.domains.speech.spec import Spec
from oneleap.domains.speech.text.symbols import token_ids
from oneleap.domains.speech.voice.delivery import Delivery
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


def measure_latency(voice: Voice, calls: int, seed: int = 0) -> dict[str, float]:
    """Measure the latencies of a voice on :data:`SENTENCE`.

    Args:
        voice: The voice.
        calls: Number of timed calls of the acoustic model.
        seed: Seed of the noise.

    Returns:
        Figures by name, see :func:`oneleap.domains.speech.commands.bench.bench`.
    """
    wave = voice.speak(SENTENCE, steps=1, seed=seed)
    fewer = max(2, calls // 5)
    speak_ms = median_ms(lambda: voice.speak(SENTENCE, steps=1, seed=seed), calls=fewer, warmup=2)
    long = " ".join([SENTENCE] * 10)
    first_ms = median_ms(
        lambda: next(iter(voice.stream(long, Delivery(steps=1), seed=seed))),
        calls=fewer,
        warmup=1,
    )
    (sentence, *_) = voice.front_end().phonetic_sentences(SENTENCE)
    samplers: dict[str, Sampler] = {
        "1step": FlowMapSampler(1),
        "edm50": EDMSampler(50),
        "fm10": EulerSampler(10, guidance=1.5),
    }
    times = acoustic_ms(voice, sentence, samplers, calls, seed)
    return {
        "seconds": wave.seconds,
        "speak_ms": speak_ms,
        "speak_rtf_1step": speak_ms / 1e3 / wave.seconds,
        "first_audio_ms": first_ms,
        **{f"{name}_acoustic_ms": ms for name, ms in times.items()},
        "edm50_over_1step": times["edm50"] / times["1step"],
        "fm10_over_1step": times["fm10"] / times["1step"],
    }


def acoustic_ms(
    voice: Voice, sentence: str, samplers: dict[str, Sampler], calls: int, seed: int = 0
) -> dict[str, float]:
    """Measure the time from text to spectrogram for several samplers, which take turns.

    Args:
        voice: The voice.
        sentence: Phonetic text.
        samplers: Samplers by name.
        calls: Number of timed network calls of each sampler.
        seed: Seed of the noise.

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
        noise = model.draw_noise([int(durations.sum())], [seed])
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
