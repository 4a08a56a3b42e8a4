"""Features of phrases as tensors, and batches of them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError, suggest
from oneleap.domains.audio.mel import Mel
from oneleap.domains.singing.lyrics.phonemizer import SYLLABIC
from oneleap.domains.singing.segments import timing
from oneleap.domains.singing.segments.manner import USUAL_GLIDE_S
from oneleap.domains.singing.segments.phonemes import spell
from oneleap.domains.singing.segments.segment import ScoreSegment
from oneleap.domains.singing.spec import SingingBatch, Spec

SMOOTH_S = USUAL_GLIDE_S
"""Length of the half sine that smooths the pitch of a score, in seconds, as in openvpi."""

QUIET_DB = -96.0
"""Lowest energy and breathiness in dB."""

RANGE_MARGIN = 2.0
"""Semitones beyond the range of the training data that a voice may still sing."""


class ScoreFeatures(NamedTuple):
    """Score of one phrase; its fields are rows of a :class:`SingingBatch`."""

    tokens: Int[Tensor, "l"]
    exact_durations: Float[Tensor, "l"]
    word_onset: Bool[Tensor, "l"]
    word_index: Int[Tensor, "l"]
    word_durations: Float[Tensor, "l"]
    ph_midi: Float[Tensor, "l"]
    durations: Int[Tensor, "l"]
    note_midi: Float[Tensor, "k"]
    note_rest: Bool[Tensor, "k"]
    note_durations: Int[Tensor, "k"]
    base_pitch: Float[Tensor, "n"]


class AudioFeatures(NamedTuple):
    """Features of the recording of one phrase, frame by frame.

    Attributes:
        mel: Normalized log-mel spectrogram, with voicing after it if it is generated.
        f0: Pitch in Hz, interpolated through unvoiced frames.
        energy: Energy in dB.
        breathiness: Energy of the aperiodic part in dB.
    """

    mel: Float[Tensor, "mels n"]
    f0: Float[Tensor, "n"]
    energy: Float[Tensor, "n"]
    breathiness: Float[Tensor, "n"]


def phoneme_tokens(segment: ScoreSegment, spec: Spec) -> Int[Tensor, "l"]:
    """Tokens of the phonemes of a phrase, in the spelling of the voice.

    Raises:
        InputError: The voice has no such phoneme. The message names bar and note if known.
    """
    known = spec.tokens
    spelled = {p: spell(p, known, segment.lang) for p in set(segment.ph_seq)}
    for i, phoneme in enumerate(segment.ph_seq):
        if spelled[phoneme] not in known:
            where = "ph_seq"
            if segment.note_locations:
                where = segment.note_location(timing.phoneme_notes(segment, SYLLABIC)[i])
            raise InputError(
                f"{where}: phoneme {i + 1} is '{phoneme}', which this voice cannot sing"
                f"{suggest(phoneme, known)} (known: {' '.join(spec.phonemes)})"
            )
    return torch.tensor([known[spelled[phoneme]] for phoneme in segment.ph_seq])


def score_features(segment: ScoreSegment, spec: Spec, frames: int | None = None) -> ScoreFeatures:
    """Score of a phrase as tensors.

    Args:
        segment: Phrase. Missing phoneme durations become zeros.
        spec: Phonemes and spectrogram format of the voice.
        frames: Frames of the recording; by default the sum of the phonemes, or else of the notes.

    Returns:
        The tensors.

    Raises:
        InputError: A phoneme is unknown, or the phrase is shorter than a frame.
    """
    step_s = 1 / spec.mel.frame_rate
    seconds = segment.ph_dur or (0.0,) * len(segment.ph_seq)
    word = timing.phoneme_words(segment.ph_num)
    durations = np.asarray(timing.frame_counts(seconds, step_s))
    note_durations = np.asarray(timing.frame_counts(segment.note_dur, step_s))
    total = frames
    if total is None:
        total = int(durations.sum() if segment.ph_dur else note_durations.sum())
    if total < 1:
        raise InputError("is shorter than a frame")
    if segment.ph_dur:
        durations = _fit_to_length(durations, total)
    midi = timing.word_midi(segment)
    word_dur = timing.word_durations(segment) / step_s
    notes = _fill_rests(segment.note_midi, spec)
    return ScoreFeatures(
        tokens=phoneme_tokens(segment, spec),
        exact_durations=torch.from_numpy(np.asarray(seconds) / step_s).float(),
        word_onset=torch.from_numpy(np.diff(word, prepend=-1) > 0),
        word_index=torch.from_numpy(word),
        word_durations=torch.from_numpy(word_dur[word]).float(),
        ph_midi=torch.tensor([float(midi[w] or 0.0) for w in word]),
        durations=torch.from_numpy(durations),
        note_midi=torch.from_numpy(notes).float(),
        note_rest=torch.tensor([m is None for m in segment.note_midi]),
        note_durations=torch.from_numpy(note_durations),
        base_pitch=torch.from_numpy(base_pitch(notes, note_durations, total, spec.mel)).float(),
    )


def _fit_to_length(durations: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Durations whose sum is ``total``; only the last phonemes become shorter or longer."""
    ends = np.minimum(np.cumsum(durations), total)
    ends[-1] = total
    return np.diff(ends, prepend=0)


def _fill_rests(midi: Sequence[float | None], spec: Spec) -> NDArray[np.float64]:
    """Pitch of each note; a rest takes the pitch of the note before it, or of the first note."""
    sung = [m for m in midi if m is not None]
    last = sung[0] if sung else (spec.lowest + spec.highest) / 2
    filled = []
    for m in midi:
        last = last if m is None else m
        filled.append(last)
    return np.asarray(filled, np.float64)


def base_pitch(
    notes: NDArray[np.float64], note_durations: NDArray[np.int64], frames: int, mel: Mel
) -> NDArray[np.float64]:
    """Smoothed pitch of the score at each frame.

    Args:
        notes: Pitch of each note in semitones, rests filled.
        note_durations: Whole frames of each note.
        frames: Number of frames of the result; the last note is held or cut.
        mel: Spectrogram format, which fixes the frames.

    Returns:
        Pitch in semitones, (frames,).
    """
    steps = np.repeat(notes, note_durations)
    steps = np.concatenate([steps, np.full(max(0, frames - len(steps)), notes[-1])])[:frames]
    return smooth(steps, SMOOTH_S, mel)


def smooth(curve: NDArray[np.float64], seconds: float, mel: Mel) -> NDArray[np.float64]:
    """Convolve a curve with a half sine of unit sum; the ends are held.

    Args:
        curve: Values of frames.
        seconds: Length of the kernel in seconds.
        mel: Spectrogram format, which fixes the frames.

    Returns:
        The smoothed values.
    """
    n = max(1, round(seconds * mel.frame_rate)) | 1
    kernel = np.sin(np.pi * (np.arange(n) + 0.5) / n)
    padded = np.pad(curve, n // 2, mode="edge")
    result: NDArray[np.float64] = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return result


def collate(
    scores: Sequence[ScoreFeatures], recordings: Sequence[AudioFeatures], mel: Mel
) -> SingingBatch:
    """Combine phrases to a padded batch; padded frames are silent.

    Args:
        scores: Scores of the phrases.
        recordings: Features of their recordings.
        mel: Spectrogram format.

    Returns:
        The batch.
    """

    def padded(parts: Sequence[Tensor], value: float = 0.0) -> Tensor:
        pad = torch.nn.utils.rnn.pad_sequence
        return pad(list(parts), batch_first=True, padding_value=value)

    last = torch.tensor([int(s.word_index[-1]) for s in scores]).unsqueeze(1)
    word_index = padded([s.word_index for s in scores])
    real = padded([torch.ones_like(s.word_index) for s in scores]).bool()
    return SingingBatch(
        tokens=padded([s.tokens for s in scores]),
        exact_durations=padded([s.exact_durations for s in scores]),
        word_onset=padded([s.word_onset for s in scores]),
        word_index=torch.where(real, word_index, last),
        word_durations=padded([s.word_durations for s in scores]),
        ph_midi=padded([s.ph_midi for s in scores]),
        durations=padded([s.durations for s in scores]),
        note_midi=padded([s.note_midi for s in scores]),
        note_rest=padded([s.note_rest for s in scores]),
        note_durations=padded([s.note_durations for s in scores]),
        mel=padded([r.mel.T for r in recordings], mel.silence).mT,
        f0=padded([r.f0 for r in recordings]),
        base_pitch=padded([s.base_pitch for s in scores]),
        energy=padded([r.energy for r in recordings], QUIET_DB),
        breathiness=padded([r.breathiness for r in recordings], QUIET_DB),
        num_frames=torch.tensor([len(s.base_pitch) for s in scores]),
    )


def score_batch(segment: ScoreSegment, spec: Spec) -> SingingBatch:
    """Score of one phrase as a batch; the features of a recording are zeros.

    Raises:
        InputError: See :func:`score_features`.
    """
    score = score_features(segment, spec)
    n = max(1, len(score.base_pitch))
    zeros = torch.zeros(n)
    recording = AudioFeatures(torch.zeros(spec.channels, n), zeros, zeros, zeros)
    return collate([score], [recording], spec.mel)
