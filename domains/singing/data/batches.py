"""A segment as the numbers that models read, and batches of such."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError, nearest
from oneleap.domains.audio.mel import Mel
from oneleap.domains.singing.lyrics.phonemizer import SYLLABIC
from oneleap.domains.singing.segments import timing
from oneleap.domains.singing.segments.segment import ScoreSegment, Segment
from oneleap.domains.singing.spec import Songs, Spec

SMOOTH_S = 0.06
"""Length of the kernel that rounds the corners of a score's pitch, as in openvpi."""

MARGIN = 2.0
"""Semitones beyond the trained range that are sung all the same."""


class Row(NamedTuple):
    """One phrase; see :class:`Songs`, whose rows these are."""

    tokens: Int[Tensor, "l"]
    durations: Float[Tensor, "l"]
    onset: Bool[Tensor, "l"]
    word: Int[Tensor, "l"]
    word_dur: Float[Tensor, "l"]
    ph_midi: Float[Tensor, "l"]
    each: Int[Tensor, "l"]
    notes: Float[Tensor, "k"]
    rest: Bool[Tensor, "k"]
    note_each: Int[Tensor, "k"]
    base: Float[Tensor, "n"]


class Take(NamedTuple):
    """What was recorded of a phrase, frame by frame.

    Attributes:
        mel: Normalised spectrogram.
        f0: Hz, carried on through what has no voice.
        energy: dB.
        breathiness: dB.
    """

    mel: Float[Tensor, "mels n"]
    f0: Float[Tensor, "n"]
    energy: Float[Tensor, "n"]
    breathiness: Float[Tensor, "n"]


def tokens(segment: Segment, spec: Spec) -> Int[Tensor, "l"]:
    """Numbers of phonemes.

    Raises:
        InputError: If the model does not know one; naming bar and note where they are known.
    """
    known = {phoneme: i + 1 for i, phoneme in enumerate(spec.phonemes)}
    for i, phoneme in enumerate(segment.ph_seq):
        if phoneme not in known:
            where = "ph_seq"
            if segment.note_locations and isinstance(segment, ScoreSegment):
                where = segment.note_location(timing.phoneme_notes(segment, SYLLABIC)[i])
            raise InputError(
                f"{where}: phoneme {i + 1} is '{phoneme}', which this voice does not sing"
                f"{nearest(phoneme, known)} (it sings {' '.join(spec.phonemes)})"
            )
    return torch.tensor([known[phoneme] for phoneme in segment.ph_seq])


def refuse_range(segment: Segment, spec: Spec, key: float = 0.0) -> None:
    """Refuse notes that were never heard in training.

    Args:
        segment: In the key that is to be sung.
        spec: Of the voice.
        key: By how many semitones it was moved.

    Raises:
        InputError: Naming the first note out of range, and the key shift that would mend it.
    """
    sung = [midi for midi in segment.note_midi if midi is not None]
    low, high = spec.lowest - MARGIN, spec.highest + MARGIN
    for i, midi in enumerate(segment.note_midi):
        if midi is None or low <= midi <= high:
            continue
        down, up = np.floor(high - max(sung)), np.ceil(low - min(sung))
        shift = down if midi > high else up
        fits = low <= min(sung) + shift and max(sung) + shift <= high
        mend = (
            f"--key {key + shift:+g} moves the song into it" if fits else "the song spans too much"
        )
        raise InputError(
            f"{segment.note_location(i)} has pitch {midi:g}, this voice sings {low:g} to {high:g} "
            f"semitones (60 is C4): {mend}"
        )


def row(segment: Segment, spec: Spec, frames: int | None = None) -> Row:
    """The numbers of a phrase.

    Args:
        segment: With words and notes; where durations of phonemes are missing they are zeros.
        spec: Phonemes, and the length of a frame.
        frames: Of the recording; by default those of the phonemes, or else of the notes.

    Raises:
        InputError: If a phoneme is unknown, words and notes are missing, or it has no length.
    """
    segment = ScoreSegment.from_segment(segment)
    step_s = 1 / spec.mel.frame_rate
    word = timing.phoneme_words(segment.ph_num)
    each = np.asarray(timing.frame_counts(segment.ph_dur or (0.0,) * len(segment.ph_seq), step_s))
    note_each = np.asarray(timing.frame_counts(segment.note_dur, step_s))
    total = frames
    if total is None:
        total = int(each.sum() if segment.ph_dur else note_each.sum())
    if total < 1:
        raise InputError("lasts less than a frame")
    if segment.ph_dur:
        each = _of_length(each, total)
    midi = timing.word_midi(segment)
    word_dur = timing.word_durations(segment) / step_s
    durations = np.asarray(segment.ph_dur or (0.0,) * len(segment.ph_seq)) / step_s
    notes = _filled(segment.note_midi, spec)
    return Row(
        tokens=tokens(segment, spec),
        durations=torch.from_numpy(durations).float(),
        onset=torch.from_numpy(np.diff(word, prepend=-1) > 0),
        word=torch.from_numpy(word),
        word_dur=torch.from_numpy(word_dur[word]).float(),
        ph_midi=torch.tensor([float(midi[w] or 0.0) for w in word]),
        each=torch.from_numpy(each),
        notes=torch.from_numpy(notes).float(),
        rest=torch.tensor([m is None for m in segment.note_midi]),
        note_each=torch.from_numpy(note_each),
        base=torch.from_numpy(base_pitch(notes, note_each, total, spec.mel)).float(),
    )


def _of_length(each: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Whole frames that end with the recording: the last phonemes give or take."""
    ends = np.minimum(np.cumsum(each), total)
    ends[-1] = total
    return np.diff(ends, prepend=0)


def _filled(midi: Sequence[float | None], spec: Spec) -> NDArray[np.float64]:
    """Pitch of each note; a rest has that of the note before it, or of the first note."""
    sung = [m for m in midi if m is not None]
    last = sung[0] if sung else (spec.lowest + spec.highest) / 2
    filled = []
    for m in midi:
        last = last if m is None else m
        filled.append(last)
    return np.asarray(filled, np.float64)


def base_pitch(
    notes: NDArray[np.float64], note_each: NDArray[np.int64], frames: int, mel: Mel
) -> NDArray[np.float64]:
    """Steps of the score with rounded corners, semitones of each frame.

    Args:
        notes: Pitch of each note, rests filled.
        note_each: Whole frames of each.
        frames: How many there are to be; the last note is held, or cut.
        mel: Length of a frame.
    """
    steps = np.repeat(notes, note_each)
    steps = np.concatenate([steps, np.full(max(0, frames - len(steps)), notes[-1])])[:frames]
    return smoothed(steps, SMOOTH_S, mel)


def smoothed(curve: NDArray[np.float64], seconds: float, mel: Mel) -> NDArray[np.float64]:
    """Convolution with a half sine of unit sum, the ends held."""
    n = max(1, round(seconds * mel.frame_rate)) | 1
    kernel = np.sin(np.pi * (np.arange(n) + 0.5) / n)
    padded = np.pad(curve, n // 2, mode="edge")
    result: NDArray[np.float64] = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return result


def collate(rows: Sequence[Row], takes: Sequence[Take], mel: Mel) -> Songs:
    """A padded batch; padded frames are silence."""
    frames = torch.tensor([len(r.base) for r in rows])

    def padded(parts: Sequence[Tensor], value: float = 0.0) -> Tensor:
        pad = torch.nn.utils.rnn.pad_sequence
        return pad(list(parts), batch_first=True, padding_value=value)

    last = [int(r.word[-1]) for r in rows]
    word = padded([r.word for r in rows])
    there = padded([torch.ones_like(r.word) for r in rows]).bool()
    word = torch.where(there, word, torch.tensor(last).unsqueeze(1))
    return Songs(
        tokens=padded([r.tokens for r in rows]),
        durations=padded([r.durations for r in rows]),
        onset=padded([r.onset for r in rows]),
        word=word,
        word_dur=padded([r.word_dur for r in rows]),
        ph_midi=padded([r.ph_midi for r in rows]),
        each=padded([r.each for r in rows]),
        notes=padded([r.notes for r in rows]),
        rest=padded([r.rest for r in rows]),
        note_each=padded([r.note_each for r in rows]),
        mel=padded([t.mel.T for t in takes], mel.silence).mT,
        f0=padded([t.f0 for t in takes]),
        base=padded([r.base for r in rows]),
        energy=padded([t.energy for t in takes], -96.0),
        breathiness=padded([t.breathiness for t in takes], -96.0),
        frames=frames,
    )


def unsung(segment: Segment, spec: Spec) -> Songs:
    """A phrase as a batch of one; what would be recorded of it is zeros.

    Raises:
        InputError: See :func:`row`.
    """
    one = row(segment, spec)
    n = max(1, len(one.base))
    silent = torch.zeros(n)
    return collate([one], [Take(torch.zeros(spec.mel.n_mels, n), silent, silent, silent)], spec.mel)
