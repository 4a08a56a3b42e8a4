"""How pitch moves between notes and within them: glides, vibrato and scoops."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.manner import USUAL_GLIDE_S, Manner
from oneleap.domains.singing.segments.segment import ScoreSegment, Segment
from oneleap.domains.singing.segments.timing import start_times

Offsets = NDArray[np.float64]
"""Differences of pitch in semitones."""

DRIFT_SEMITONES, DRIFT_HZ = 0.08, 4.0
"""Standard deviation and highest frequency of the random drift of a voice's pitch."""

FULL_VIBRATO_S = 0.3
"""Time in which a vibrato grows to its full depth, in seconds."""


def vibrato(
    starts_s: NDArray[np.float64], times_s: NDArray[np.float64], manner: Manner
) -> NDArray[np.float64]:
    """Compute how far the vibrato moves the pitch at given times, in semitones.

    Args:
        starts_s: Time at which each note starts, and the time at which the last one ends.
        times_s: Times at which the offsets are wanted.
        manner: Depth, rate and delay.

    Returns:
        Offsets, (times,).
    """
    at = np.searchsorted(starts_s, times_s, side="right") - 1
    since = times_s - starts_s[at.clip(0)]
    inside = (at >= 0) & (times_s < starts_s[-1])
    grown = ((since - manner.vibrato_delay_s) / FULL_VIBRATO_S).clip(0, 1)
    phase = 2 * np.pi * manner.vibrato_hz * (since - manner.vibrato_delay_s)
    found: NDArray[np.float64] = inside * manner.vibrato * grown * np.sin(phase)
    return found


def scoops(
    starts_s: NDArray[np.float64], times_s: NDArray[np.float64], manner: Manner
) -> NDArray[np.float64]:
    """Compute how far scoops lower the pitch at given times, in semitones: 0 or below.

    Args:
        starts_s: Times at which notes with a scoop start.
        times_s: Times at which the offsets are wanted.
        manner: Depth and duration.

    Returns:
        Offsets, (times,).
    """
    if len(starts_s) == 0 or manner.scoop == 0 or manner.scoop_s == 0:
        return np.zeros(len(times_s))
    at = np.searchsorted(starts_s, times_s, side="right") - 1
    since = times_s - starts_s[at.clip(0)]
    # Consonants before the first vowel are already low; earlier notes are not touched.
    near = np.searchsorted(starts_s, times_s + manner.scoop_s, side="right") - 1 > at
    risen = np.where(at < 0, 1.0, (since / manner.scoop_s).clip(0, 1))
    depth = np.where(near, 1.0, 0.5 * (1 + np.cos(np.pi * risen)) * (at >= 0))
    found: NDArray[np.float64] = -manner.scoop * depth
    return found


def glide(
    midi: Sequence[float],
    starts_s: NDArray[np.float64],
    times_s: NDArray[np.float64],
    glide_s: float,
) -> NDArray[np.float64]:
    """Pitch of notes with glides between them, each centered on the start of the later note.

    Args:
        midi: Pitch of each note in semitones.
        starts_s: Time at which each note starts; a further time at the end has no effect.
        times_s: Times at which the pitch is wanted.
        glide_s: Duration of a glide.

    Returns:
        Pitch in semitones, (times,); the first and the last note are held.
    """
    pitch = np.full(len(times_s), float(midi[0]))
    for before, after, start in zip(midi, midi[1:], starts_s[1:], strict=False):
        x = ((times_s - start) / glide_s + 0.5).clip(0, 1) if glide_s > 0 else times_s >= start
        pitch += (after - before) * 0.5 * (1 - np.cos(np.pi * x))
    return pitch


def manner_of(segment: Segment, default: Manner) -> Manner:
    """Manner of a phrase: numbers of the same names in its ``.ds``, else those of ``default``.

    Raises:
        InputError: A number is invalid.
    """
    given = {name: segment.extra[name] for name in vars(default) if name in segment.extra}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{name}: must be a number, not {value!r}")
    return replace(default, **given)


def manner_offsets(segment: ScoreSegment, manner: Manner, times_s: NDArray[np.float64]) -> Offsets:
    """Vibrato of all notes, and scoops of those after a rest or a breath, in semitones.

    Args:
        segment: The phrase.
        manner: Its manner.
        times_s: Times in the phrase at which the offsets are wanted.

    Returns:
        Offsets from the pitch of the notes, (times,); 0 in rests.
    """
    starts = np.cumsum([0.0, *segment.note_dur])
    rest = np.array([midi is None for midi in segment.note_midi])
    at = (np.searchsorted(starts, times_s, side="right") - 1).clip(0, len(rest) - 1)
    after_rest = ~rest & np.concatenate([[True], rest[:-1]])
    moved = scoops(starts[:-1][after_rest], times_s, manner)
    return np.where(rest[at], 0.0, vibrato(starts, times_s, manner)) + moved


def glide_difference(
    segment: ScoreSegment, manner: Manner, times_s: NDArray[np.float64]
) -> Offsets:
    """Compute what other glides than those of the smoothed score change, in semitones.

    Args:
        segment: The phrase.
        manner: Its manner.
        times_s: Times in the phrase.

    Returns:
        Offsets, (times,); 0 if the glides have the same duration.
    """
    if manner.glide_s == USUAL_GLIDE_S:
        return np.zeros(len(times_s))
    midi = [m for m in segment.note_midi if m is not None]
    starts = start_times(segment.note_dur)[[m is not None for m in segment.note_midi]]
    if not midi:
        return np.zeros(len(times_s))
    mine, usual = (glide(midi, starts, times_s, s) for s in (manner.glide_s, USUAL_GLIDE_S))
    return mine - usual


def sung_pitch(
    midi: Sequence[float],
    starts_s: NDArray[np.float64],
    frames: int,
    step_s: float,
    manner: Manner,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Pitch of a phrase as a singer with a manner sings it, with a random drift.

    Args:
        midi: Pitch of each note in semitones.
        starts_s: Time at which each note starts, and the time at which the last one ends.
        frames: Number of values of the result.
        step_s: Time between two values, in seconds.
        manner: Glides, vibrato and scoops. The first note has a scoop.
        rng: Source of the drift.

    Returns:
        Pitch in semitones, (frames,).
    """
    times = np.arange(frames) * step_s
    points = max(2, int(frames * step_s * DRIFT_HZ) + 2)
    drift = np.interp(times, np.arange(points) / DRIFT_HZ, rng.normal(size=points))
    return (
        glide(midi, starts_s, times, manner.glide_s)
        + vibrato(starts_s, times, manner)
        + scoops(starts_s[:1], times, manner)
        + DRIFT_SEMITONES * drift
    )
