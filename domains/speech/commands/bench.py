"""``oneleap bench speech``: text to sound in one step, against teachers of many."""

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
from oneleap.domains.speech.models.acoustic import Acoustic
from oneleap.domains.speech.models.alignment import real
from oneleap.domains.speech.models.encoder import whole_frames
from oneleap.domains.speech.spec import Spec
from oneleap.domains.speech.text.symbols import ids
from oneleap.domains.speech.voice.loading import shipped
from oneleap.domains.speech.voice.voice import Voice

SENTENCE = (
    "The quick brown fox jumps over the lazy dog, while the old man by the river counts his "
    "silver coins, and the children sing."
)
"""About ten seconds."""

TURNS = 3


def untrained() -> Voice:
    """A voice of the default sizes that says noise, at 80 ms a sound: as fast as a trained one."""
    spec = Spec(Mel())
    return Voice(Acoustic(spec, FlowMatching()).eval(), Vocos(spec.mel).eval())


def acoustic_ms(
    voice: Voice, said: str, samplers: dict[str, Sampler], calls: int
) -> dict[str, float]:
    """Median milliseconds of text to spectrogram by each sampler, in turns."""
    model = voice.acoustic
    tokens = torch.tensor([ids(said, model.spec.symbols)])
    mask = real(torch.tensor([tokens.shape[1]]), tokens.shape[1])
    who = torch.zeros(1, dtype=torch.long)

    @torch.inference_mode()
    def make(sampler: Sampler) -> None:
        encoded = model.speaking(tokens, mask, who)
        each = whole_frames(encoded.log_frames, mask)
        noise = model.noise([int(each.sum())], [0])
        owner_mask = torch.ones(1, 1, noise.shape[2], dtype=torch.bool)
        owner = torch.repeat_interleave(torch.arange(tokens.shape[1]), each[0]).unsqueeze(0)
        sampler(model.average.field(encoded, owner, owner_mask), noise)

    found: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(TURNS):
        for name, sampler in samplers.items():
            few = max(1, calls // TURNS // sampler.steps)
            found[name].append(median_ms(functools.partial(make, sampler), calls=few, warmup=1))
    return {name: median(times) for name, times in found.items()}


def bench(voice: str | None = None, calls: int = 50, json: Path | None = None) -> None:
    """Time a voice, from text to sound, on the sentence of ten seconds.

    ``speak_rtf_1step`` is the time of one step, from text to samples, over the length of the sound,
    ``first_audio_ms`` the time to the first samples of a text of ten such sentences.
    ``edm50_over_1step`` is how often one step fits into fifty of an EDM teacher,
    ``fm10_over_1step`` into ten guided ones of flow matching; of the acoustic part alone, with the
    same network. Without a voice, an untrained one of the default sizes is timed.

    Example: oneleap bench speech --json speech.json

    Args:
        voice: Name or folder; by default one that ships, if any does.
        calls: Sentences timed.
        json: Also write the figures to this file.

    Raises:
        InputError: If there is no such voice, or nothing is to be timed.
    """
    if calls < 1:
        raise InputError(f"calls: {calls} is not positive")
    known = list(shipped())
    chosen = voice if voice is not None else (known[0] if known else None)
    timed = untrained() if chosen is None else Voice.load(chosen)
    wave = timed.speak(SENTENCE, steps=1)
    few = max(2, calls // 5)
    whole = median_ms(lambda: timed.speak(SENTENCE, steps=1), calls=few, warmup=2)
    long = " ".join([SENTENCE] * 10)
    first = median_ms(lambda: next(iter(timed.stream(long, steps=1))), calls=few, warmup=1)
    (said, *_) = timed.reader().sentences(SENTENCE)
    samplers: dict[str, Sampler] = {
        "leap": FlowMapSampler(1),
        "edm50": EDMSampler(50),
        "fm10": EulerSampler(10, guidance=1.5),
    }
    times = acoustic_ms(timed, said, samplers, calls)
    figures = {
        "seconds": wave.seconds,
        "speak_ms": whole,
        "speak_rtf_1step": whole / 1e3 / wave.seconds,
        "first_audio_ms": first,
        **{f"{name}_acoustic_ms": ms for name, ms in times.items()},
        "edm50_over_1step": times["edm50"] / times["leap"],
        "fm10_over_1step": times["fm10"] / times["leap"],
    }
    name = "untrained" if chosen is None else chosen
    report(f"Speech, {name}, {torch.get_num_threads()} threads", figures, json)
