"""Test cases of the evaluation: targets that no training has seen."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.controls.base import Control, Intensity, Melody
from oneleap.domains.music.controls.edits import Inpaint, Loop, Outpaint
from oneleap.domains.music.controls.melody import melody_pitch_classes
from oneleap.domains.music.controls.presets import LOUD_DB, QUIET_DB
from oneleap.domains.music.controls.timbre import Structure, Timbre, mean_cepstrum
from oneleap.domains.music.data.midi import MelodyNote
from oneleap.domains.music.data.tunes import Tune, compose_tune

FIRST_UNSEEN_SEED = 900_000_000
"""First seed of the tunes whose melodies are targets.

``oneleap collect music`` uses lower seeds.
"""

PATTERNS = ("AB", "ABA", "AAB", "ABB", "ABAB", "ABBA", "AABB", "ABC", "ABAC", "ABCA")

TARGET_TAGS = (
    *("piano", "guitar", "strings", "flute", "choir", "harpsichord", "drums", "synth", "techno"),
)
"""Tags that musicnn is to recognize. They replace the text prompts of DITTO-2, which need CLAP."""


class EvaluationCase(NamedTuple):
    """A test case: one target.

    Attributes:
        control: Control with the target.
        given: Spectrogram of a recording that the optimization starts from, or ``None``.
        known: Frames of this recording that are given, or ``None``.
    """

    control: Control
    given: Float[Tensor, "1 mels n"] | None = None
    known: Tensor | None = None


CaseMaker = Callable[[Mel, int, Tensor, np.random.Generator, int], EvaluationCase]
"""Makes a case from a mel format, a number of frames, the spectrogram of a recording (1, mels, n),
a random generator, and the number of the case."""


def _intensity(
    spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int
) -> EvaluationCase:
    """A piecewise linear curve through three to five random levels."""
    knots = int(rng.integers(3, 6))
    levels = rng.uniform(QUIET_DB, LOUD_DB, knots)
    curve = np.interp(np.linspace(0, knots - 1, frames), range(knots), levels)
    return EvaluationCase(Intensity(spec, torch.from_numpy(curve)))


def _melody(
    spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int
) -> EvaluationCase:
    """The start of a tune that was never rendered."""
    tune = compose_tune(FIRST_UNSEEN_SEED + int(rng.integers(1_000_000)))
    return EvaluationCase(Melody(spec, melody_pitch_classes(tune_melody(tune), frames, spec)))


def tune_melody(tune: Tune) -> tuple[MelodyNote, ...]:
    """Return the melody of a tune, in seconds."""
    beat = 60 / tune.tempo
    notes = [note for part in tune.parts if part.name.startswith("melody") for note in part.notes]
    return tuple(
        MelodyNote(n.start * beat, (n.start + n.length) * beat, float(n.pitch))
        for n in sorted(notes)
    )


def _structure(
    spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int
) -> EvaluationCase:
    """One of :data:`PATTERNS`."""
    return EvaluationCase(Structure(spec, PATTERNS[number % len(PATTERNS)]))


def _timbre(
    spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int
) -> EvaluationCase:
    """The timbre of the recording."""
    return EvaluationCase(Timbre(spec, mean_cepstrum(music, spec)))


def _inpaint(
    spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int
) -> EvaluationCase:
    """A gap of a third of the clip at a random position inside."""
    gap = frames // 3
    first = int(rng.integers(frames // 6, frames - gap - frames // 6 + 1))
    at = torch.arange(frames)
    known = (at < first) | (at >= first + gap)
    return EvaluationCase(Inpaint(music[0], known), music, known)


def _outpaint(
    spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int
) -> EvaluationCase:
    """A continuation with an overlap of a sixth of the clip."""
    overlap = frames // 6
    given = music.roll(overlap, dims=2)
    return EvaluationCase(Outpaint(music[0, :, -overlap:]), given, torch.arange(frames) < overlap)


def _loop(
    spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int
) -> EvaluationCase:
    """A loop with an overlap of a sixth of the clip."""
    return EvaluationCase(Loop(frames // 6))


CASE_MAKERS: Mapping[str, CaseMaker] = {
    "intensity": _intensity,
    "melody": _melody,
    "structure": _structure,
    "timbre": _timbre,
    "inpaint": _inpaint,
    "outpaint": _outpaint,
    "loop": _loop,
}
"""Makers of cases, by name of the control. The order decides the random numbers of each."""


def make_cases(
    name: str, spec: Mel, frames: int, music: Sequence[Float[Tensor, "1 mels n"]], seed: int
) -> list[EvaluationCase]:
    """Make a case of a control for each clip of held-out music.

    Args:
        name: Name of the control.
        spec: Mel format.
        frames: Number of frames of a clip.
        music: Spectrograms of the clips.
        seed: Seed of the random targets.

    Returns:
        One case per clip.

    Raises:
        InputError: If there is no such control.
    """
    if name not in CASE_MAKERS:
        raise InputError(f"controls: no '{name}' ({', '.join(CASE_MAKERS)})")
    rng = np.random.default_rng((seed, list(CASE_MAKERS).index(name)))
    return [CASE_MAKERS[name](spec, frames, clip, rng, k) for k, clip in enumerate(music)]
