"""Melodies to follow: from a score or from a hummed recording, as one pitch class a frame."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.pitch import estimate_f0
from oneleap.domains.audio.wave import SUFFIXES
from oneleap.domains.music.controls.targets import read_whole
from oneleap.domains.music.data.midi import Sung, read_melody
from oneleap.domains.music.features.chroma import SILENT

SCORES = (".mid", ".midi")

SHORTEST_S = 0.08
"""Hummed pitches that last less are taken for slides between notes."""

SLACK_S = 0.1
"""A melody may end so much after the clip: the last note's release."""


def melody_classes(notes: Sequence[Sung], frames: int, spec: Mel) -> Int[Tensor, "n"]:
    """The pitch class sounding at the middle of each frame, C is 0; -1 where there is none."""
    middle = (np.arange(frames) + (0.0 if spec.center else 0.5)) / spec.frame_rate
    classes = np.full(frames, SILENT)
    for note in notes:
        classes[(note.start <= middle) & (middle < note.end)] = round(note.pitch) % 12
    return torch.from_numpy(classes)


def hummed(f0: NDArray[np.float64], spec: Mel) -> tuple[Sung, ...]:
    """Notes of a voice's pitch: rounded to semitones of the voice's own tuning, slides left out.

    Args:
        f0: Hz of each frame, 0 where there is no voice.
        spec: The contract of the frames.
    """
    voiced = f0 > 0
    if not voiced.any():
        return ()
    semitones = 69 + 12 * np.log2(np.where(voiced, f0, 440.0) / 440)
    turn = np.exp(2j * np.pi * semitones[voiced]).mean()  # a circular mean of the tuning
    offset = float(np.angle(turn) / (2 * np.pi)) if abs(turn) > 0 else 0.0
    near = np.where(voiced, np.rint(semitones - offset), np.nan)
    found, first = list[Sung](), 0
    for k in range(1, len(near) + 1):
        if k < len(near) and near[k] == near[first]:
            continue
        if (k - first) / spec.frame_rate >= SHORTEST_S and not np.isnan(near[first]):
            found.append(Sung(first / spec.frame_rate, k / spec.frame_rate, float(near[first])))
        first = k
    return tuple(found)


def read_tune(path: str | os.PathLike[str], spec: Mel) -> tuple[Sung, ...]:
    """The melody of a MIDI file, or of a recording of someone humming.

    A whistle has no harmonics, by which the pitch is found.

    Raises:
        InputError: If the file cannot be read, or has no melody.
    """
    path = Path(path)
    if path.suffix.lower() in SCORES:
        return read_melody(path)
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join((*SCORES, *SUFFIXES))
        raise InputError(f"melody: {path}: a score or a recording has one of {known}")
    notes = hummed(estimate_f0(read_whole(path, spec.sample_rate), spec, high=1200.0), spec)
    if not notes:
        raise InputError(f"melody: {path}: no pitch was found: hum closer and longer")
    return notes


def melody_target(
    path: str | os.PathLike[str], spec: Mel, frames: int, seconds: float
) -> Int[Tensor, "n"]:
    """Pitch classes of a file's melody on the frames of a clip.

    Raises:
        InputError: If the file has no melody, or it does not fit into the clip.
    """
    notes = read_tune(path, spec)
    end = notes[-1].end
    if end > seconds + SLACK_S:
        raise InputError(
            f"melody: {path} lasts {end:.1f} s, the piece {seconds:.1f} s: "
            f"shorten it, or make the piece longer, --seconds {np.ceil(end):.0f}"
        )
    return melody_classes(notes, frames, spec)
