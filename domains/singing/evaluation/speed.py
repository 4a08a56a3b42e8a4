"""Speed of a singer: time from score to sound, in one step and in many."""

import functools
from statistics import median

import torch

from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.samplers import DDPMSampler, EulerSampler, FlowMapSampler, Sampler
from oneleap.core.timing import median_ms
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.singing.models.acoustic import AcousticModel
from oneleap.domains.singing.models.curves import CurveModel
from oneleap.domains.singing.models.durations import DurationModel
from oneleap.domains.singing.models.sampling import diffsinger_schedule
from oneleap.domains.singing.segments.segment import PAUSES, ScoreSegment
from oneleap.domains.singing.spec import Spec
from oneleap.domains.singing.voice.singer import Singer

ROUNDS = 3
"""Number of times each sampler is timed, in alternation with the others."""


def tune(spec: Spec, notes: int = 20) -> ScoreSegment:
    """A melody of about ten seconds in the middle of a voice's range, with a rest at each end."""
    phonemes = [phoneme for phoneme in spec.phonemes if phoneme not in PAUSES]
    vowel = "a" if "a" in phonemes else phonemes[0]
    consonant = next((p for p in phonemes if p != vowel), vowel)
    middle = round((spec.lowest + spec.highest) / 2)
    return ScoreSegment(
        ph_seq=("SP", *(consonant, vowel) * notes, "SP"),
        ph_num=(2, *(2,) * (notes - 1), 1, 1),
        note_midi=(None, *(float(middle + (-1, 0, 1, 0)[i % 4]) for i in range(notes)), None),
        note_dur=(0.5, *(0.45,) * notes, 0.5),
        note_slur=(False,) * (notes + 2),
    )


def untrained() -> Singer:
    """A singer of the default sizes with random weights; it is as fast as a trained one."""
    spec = Spec()
    return Singer(
        AcousticModel(spec, FlowMatching()).eval(),
        DurationModel(spec).eval(),
        CurveModel(spec, FlowMatching()).eval(),
        NSF(spec.mel).eval(),
    )


def acoustic_ms(
    singer: Singer,
    segment: ScoreSegment,
    samplers: dict[str, Sampler],
    calls: int,
    seed: int = 0,
) -> dict[str, float]:
    """Median milliseconds of the acoustic model by sampler.

    Args:
        singer: The singer.
        segment: Phrase to sing.
        samplers: Samplers by name.
        calls: Calls of a one-step sampler; samplers of more steps get fewer.
        seed: Seed of the noise.

    Returns:
        Milliseconds by name of the sampler.
    """
    with torch.inference_mode():
        batch = singer.predict_durations(segment)
        batch = batch._replace(f0=singer.predict_f0(batch, segment, seed))
        frames = singer.acoustic.frame_batch(batch)
    noise = torch.randn(frames.x.shape, generator=torch.Generator().manual_seed(seed))

    @torch.inference_mode()
    def generate(sampler: Sampler) -> None:
        singer.acoustic.generate(frames, noise, sampler, torch.Generator().manual_seed(seed))

    found: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(ROUNDS):
        for name, sampler in samplers.items():
            few = max(1, calls // ROUNDS // sampler.steps)
            found[name].append(median_ms(functools.partial(generate, sampler), calls=few, warmup=1))
    return {name: median(times) for name, times in found.items()}


def measure_speed(singer: Singer, calls: int, seed: int = 0) -> dict[str, float]:
    """Time a singer on a melody of ten seconds.

    Args:
        singer: The singer.
        calls: Number of timed calls.
        seed: Seed of the noise.

    Returns:
        Figures of ``oneleap bench singing`` by name.
    """
    segment = tune(singer.acoustic.spec)
    wave = singer.sing([segment], steps=1, seed=seed)
    few = max(2, calls // 5)
    total_ms = median_ms(lambda: singer.sing([segment], steps=1, seed=seed), calls=few, warmup=2)
    samplers: dict[str, Sampler] = {
        "1step": FlowMapSampler(1),
        "ddpm100": DDPMSampler(diffsinger_schedule(), clip=None),
        "flow20": EulerSampler(20),
    }
    times = acoustic_ms(singer, segment, samplers, calls, seed)
    return {
        "seconds": wave.seconds,
        "sing_ms": total_ms,
        "sing_rtf_1step": total_ms / 1e3 / wave.seconds,
        **{f"{name}_acoustic_ms": ms for name, ms in times.items()},
        "ddpm100_over_1step": times["ddpm100"] / times["1step"],
        "flow20_over_1step": times["flow20"] / times["1step"],
    }
