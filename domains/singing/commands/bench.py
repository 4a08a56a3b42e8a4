"""``oneleap bench singing``: score to sound in one step, against teachers of many."""

import functools
from pathlib import Path
from statistics import median

import torch

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching
from oneleap.core.timing import median_ms, report
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.singing.models.acoustic import Acoustic
from oneleap.domains.singing.models.curves import Curves
from oneleap.domains.singing.models.durations import Durations
from oneleap.domains.singing.models.samplers import (
    DDPMSampler,
    EulerSampler,
    FlowMapSampler,
    Sampler,
)
from oneleap.domains.singing.segments.segment import PAUSES, Segment
from oneleap.domains.singing.spec import Spec
from oneleap.domains.singing.voice.loading import shipped
from oneleap.domains.singing.voice.singer import Singer

TURNS = 3


def tune(spec: Spec, notes: int = 20) -> Segment:
    """About ten seconds of syllables up and down a voice's middle, with a rest at each end."""
    known = [phoneme for phoneme in spec.phonemes if phoneme not in PAUSES]
    vowel = "a" if "a" in known else known[0]
    consonant = next((p for p in known if p != vowel), vowel)
    middle = round((spec.lowest + spec.highest) / 2)
    return Segment(
        ph_seq=("SP", *(consonant, vowel) * notes, "SP"),
        ph_num=(2, *(2,) * (notes - 1), 1, 1),
        note_midi=(None, *(float(middle + (-1, 0, 1, 0)[i % 4]) for i in range(notes)), None),
        note_dur=(0.5, *(0.45,) * notes, 0.5),
        note_slur=(False,) * (notes + 2),
    )


def untrained() -> Singer:
    """A singer of the default sizes that sings noise, as fast as a trained one."""
    spec = Spec()
    return Singer(
        Acoustic(spec, FlowMatching()).eval(),
        Durations(spec).eval(),
        Curves(spec, FlowMatching()).eval(),
        NSF(spec.mel).eval(),
    )


def acoustic_ms(
    singer: Singer, segment: Segment, samplers: dict[str, Sampler], calls: int
) -> dict[str, float]:
    """Median milliseconds of timed and pitched score to spectrogram by each sampler, in turns."""
    with torch.inference_mode():
        songs = singer.timed(segment)
        batch = singer.acoustic.framed(songs._replace(f0=singer.pitched(songs, segment, 0)))
    noise = torch.randn(batch.x.shape, generator=torch.Generator().manual_seed(0))

    @torch.inference_mode()
    def make(sampler: Sampler) -> None:
        singer.acoustic.generate(batch, noise, sampler, torch.Generator().manual_seed(0))

    found: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(TURNS):
        for name, sampler in samplers.items():
            few = max(1, calls // TURNS // sampler.steps)
            found[name].append(median_ms(functools.partial(make, sampler), calls=few, warmup=1))
    return {name: median(times) for name, times in found.items()}


def bench(voice: str | None = None, calls: int = 50, json: Path | None = None) -> None:
    """Time a singer, from score to sound, on a tune of ten seconds.

    ``sing_rtf_1step`` is the time of one step, from score to samples, over the length of the sound.
    ``ddpm100_over_1step`` is how often one step fits into the hundred of DiffSinger,
    ``flow20_over_1step`` into the twenty of a rectified flow; of the acoustic part alone, from
    noise, with the same network. Without a voice, an untrained one of the default sizes is timed.

    Example: oneleap bench singing --json singing.json

    Args:
        voice: Name or folder; by default one that ships, if any does.
        calls: Tunes timed.
        json: Also write the figures to this file.

    Raises:
        InputError: If there is no such voice, or nothing is to be timed.
    """
    if calls < 1:
        raise InputError(f"calls: {calls} is not positive")
    known = list(shipped())
    chosen = voice if voice is not None else (known[0] if known else None)
    singer = untrained() if chosen is None else Singer.load(chosen)
    segment = tune(singer.acoustic.spec)
    wave = singer.sing([segment], steps=1)
    few = max(2, calls // 5)
    whole = median_ms(lambda: singer.sing([segment], steps=1), calls=few, warmup=2)
    samplers: dict[str, Sampler] = {
        "leap": FlowMapSampler(1),
        "ddpm100": DDPMSampler(100),
        "flow20": EulerSampler(20, depth=1.0),
    }
    times = acoustic_ms(singer, segment, samplers, calls)
    figures = {
        "seconds": wave.seconds,
        "sing_ms": whole,
        "sing_rtf_1step": whole / 1e3 / wave.seconds,
        **{f"{name}_acoustic_ms": ms for name, ms in times.items()},
        "ddpm100_over_1step": times["ddpm100"] / times["leap"],
        "flow20_over_1step": times["flow20"] / times["leap"],
    }
    name = "untrained" if chosen is None else chosen
    report(f"Singing, {name}, {torch.get_num_threads()} threads", figures, json)
