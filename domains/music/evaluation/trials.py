"""Targets that music models are measured against, none of which any training has seen."""

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
from oneleap.domains.music.controls.melody import melody_classes
from oneleap.domains.music.controls.targets import LOUD_DB, QUIET_DB
from oneleap.domains.music.controls.timbre import Structure, Timbre, timbre_of
from oneleap.domains.music.data.midi import Sung
from oneleap.domains.music.data.tunes import Tune, compose_tune

UNSEEN = 900_000_000
"""First seed of tunes whose melodies are asked for; those of ``oneleap collect music`` are far."""

PATTERNS = ("AB", "ABA", "AAB", "ABB", "ABAB", "ABBA", "AABB", "ABC", "ABAC", "ABCA")

HEARD = ("piano", "guitar", "strings", "flute", "choir", "harpsichord", "drums", "synth", "techno")
"""What musicnn is to hear: the text that DITTO-2 steers by, in the words there are without CLAP."""


class Trial(NamedTuple):
    """One target.

    Attributes:
        control: What is asked for.
        given: Spectrogram of a recording that the search starts from, if there is one.
        kept: Its frames that are given.
    """

    control: Control
    given: Float[Tensor, "1 mels n"] | None = None
    kept: Tensor | None = None


Maker = Callable[[Mel, int, Tensor, np.random.Generator, int], Trial]
"""Of a contract, frames, a recording (1, mels, n), a generator and the trial's number."""


def _intensity(
    spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int
) -> Trial:
    """Straight lines between three to five random levels."""
    knots = int(rng.integers(3, 6))
    levels = rng.uniform(QUIET_DB, LOUD_DB, knots)
    curve = np.interp(np.linspace(0, knots - 1, frames), range(knots), levels)
    return Trial(Intensity(spec, torch.from_numpy(curve)))


def _melody(spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int) -> Trial:
    """The beginning of a tune that was never rendered."""
    tune = compose_tune(UNSEEN + int(rng.integers(1_000_000)))
    return Trial(Melody(spec, melody_classes(sung(tune), frames, spec)))


def sung(tune: Tune) -> tuple[Sung, ...]:
    """The melody of a tune, in seconds."""
    beat = 60 / tune.tempo
    notes = [note for part in tune.parts if part.name.startswith("melody") for note in part.notes]
    return tuple(
        Sung(n.start * beat, (n.start + n.length) * beat, float(n.pitch)) for n in sorted(notes)
    )


def _structure(
    spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int
) -> Trial:
    return Trial(Structure(spec, PATTERNS[number % len(PATTERNS)]))


def _timbre(spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int) -> Trial:
    return Trial(Timbre(spec, timbre_of(music, spec)))


def _inpaint(spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int) -> Trial:
    """A third of the clip, somewhere inside."""
    gap = frames // 3
    first = int(rng.integers(frames // 6, frames - gap - frames // 6 + 1))
    at = torch.arange(frames)
    kept = (at < first) | (at >= first + gap)
    return Trial(Inpaint(music[0], kept), music, kept)


def _outpaint(
    spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int
) -> Trial:
    """On from a sixth of a clip."""
    overlap = frames // 6
    given = music.roll(overlap, dims=2)
    return Trial(Outpaint(music[0, :, -overlap:]), given, torch.arange(frames) < overlap)


def _loop(spec: Mel, frames: int, music: Tensor, rng: np.random.Generator, number: int) -> Trial:
    return Trial(Loop(frames // 6))


MAKERS: Mapping[str, Maker] = {
    "intensity": _intensity,
    "melody": _melody,
    "structure": _structure,
    "timbre": _timbre,
    "inpaint": _inpaint,
    "outpaint": _outpaint,
    "loop": _loop,
}


def trials(
    name: str, spec: Mel, frames: int, music: Sequence[Float[Tensor, "1 mels n"]], seed: int
) -> list[Trial]:
    """A trial of a control for each clip of held-out music.

    Raises:
        InputError: If there is no such control.
    """
    if name not in MAKERS:
        raise InputError(f"controls: no '{name}' ({', '.join(MAKERS)})")
    rng = np.random.default_rng((seed, list(MAKERS).index(name)))
    return [MAKERS[name](spec, frames, clip, rng, k) for k, clip in enumerate(music)]
