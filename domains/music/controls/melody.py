"""Melodies to follow, from a MIDI file or a hummed recording, as one pitch class per frame."""

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
from oneleap.domains.music.controls.targets import frame_times, read_complete_wave
from oneleap.domains.music.data.midi import MIDI_SUFFIXES, MelodyNote, read_midi_melody
from oneleap.domains.music.features.chroma import NO_MELODY

MIN_NOTE_S = 0.08
"""Shortest note in seconds. Shorter hummed pitches count as slides between notes."""

MAX_RELEASE_S = 0.1
"""Time in seconds by which the last note of a melody may exceed the clip."""


def melody_pitch_classes(notes: Sequence[MelodyNote], frames: int, spec: Mel) -> Int[Tensor, "n"]:
    """Return the pitch class at the middle of each frame.

    Args:
        notes: Notes of the melody, which do not overlap.
        frames: Number of frames.
        spec: Mel format.

    Returns:
        Pitch classes; C is 0, and -1 means no note.
    """
    middle = frame_times(frames, spec)
    classes = np.full(frames, NO_MELODY)
    for note in notes:
        classes[(note.start <= middle) & (middle < note.end)] = round(note.pitch) % 12
    return torch.from_numpy(classes)


def notes_from_f0(f0: NDArray[np.float64], spec: Mel) -> tuple[MelodyNote, ...]:
    """Convert the pitch of a voice to notes.

    The pitch is rounded to semitones relative to the voice's own tuning. Slides between notes are
    left out.

    Args:
        f0: Pitch of each frame in Hz, 0 where there is no voice.
        spec: Mel format of the frames.
    """
    voiced = f0 > 0
    if not voiced.any():
        return ()
    semitones = 69 + 12 * np.log2(np.where(voiced, f0, 440.0) / 440)
    turn = np.exp(2j * np.pi * semitones[voiced]).mean()  # circular mean of the tuning
    offset = float(np.angle(turn) / (2 * np.pi)) if abs(turn) > 0 else 0.0
    rounded = np.where(voiced, np.rint(semitones - offset), np.nan)
    found, first = list[MelodyNote](), 0
    for k in range(1, len(rounded) + 1):
        if k < len(rounded) and rounded[k] == rounded[first]:
            continue
        if (k - first) / spec.frame_rate >= MIN_NOTE_S and not np.isnan(rounded[first]):
            start, end = first / spec.frame_rate, k / spec.frame_rate
            found.append(MelodyNote(start, end, float(rounded[first])))
        first = k
    return tuple(found)


def load_melody(path: str | os.PathLike[str], spec: Mel) -> tuple[MelodyNote, ...]:
    """Load the melody of a MIDI file, or of a recording of a person who hums.

    Whistling does not work: the pitch is found by the harmonics, which a whistle lacks.

    Raises:
        InputError: If the file cannot be read, or has no melody.
    """
    path = Path(path)
    if path.suffix.lower() in MIDI_SUFFIXES:
        return read_midi_melody(path)
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join((*MIDI_SUFFIXES, *SUFFIXES))
        raise InputError(f"melody: {path}: expected a MIDI file or a recording ({known})")
    wave = read_complete_wave(path, spec.sample_rate)
    notes = notes_from_f0(estimate_f0(wave, spec, high=1200.0), spec)
    if not notes:
        raise InputError(f"melody: {path}: no pitch was found: hum louder and longer")
    return notes


def melody_target(
    path: str | os.PathLike[str], spec: Mel, frames: int, seconds: float
) -> Int[Tensor, "n"]:
    """Return the pitch classes of a file's melody on the frames of a clip.

    Args:
        path: MIDI file or recording.
        spec: Mel format.
        frames: Number of frames of the clip.
        seconds: Duration of the clip in seconds.

    Raises:
        InputError: If the file has no melody, or the melody is longer than the clip.
    """
    notes = load_melody(path, spec)
    end = notes[-1].end
    if end > seconds + MAX_RELEASE_S:
        raise InputError(
            f"melody: {path} lasts {end:.1f} s, the piece {seconds:.1f} s: "
            f"shorten it, or make the piece longer, --seconds {np.ceil(end):.0f}"
        )
    return melody_pitch_classes(notes, frames, spec)
