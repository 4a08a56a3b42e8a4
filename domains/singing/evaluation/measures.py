"""Measures of sung phrases: pitch against the score, spectrum and timing against recordings."""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.domains.audio.mel import Mel
from oneleap.domains.singing.segments import timing
from oneleap.domains.singing.segments.segment import PAUSES, ScoreSegment, Segment

EDGE_S = 0.05
"""Seconds at both ends of a note that are not evaluated, because pitch still moves there."""

HIT_CENTS = 50.0
"""Largest distance from a note that counts as a hit, in cents."""


class PitchErrors(NamedTuple):
    """Pitch of one phrase against its score.

    Attributes:
        cents: Signed distance from the note in cents, for each evaluated frame that is voiced.
        num_frames: Number of evaluated frames, voiced or not.
    """

    cents: NDArray[np.float64]
    num_frames: int

    @property
    def hits(self) -> int:
        """Number of frames within 50 cents of the note."""
        return int((np.abs(self.cents) <= HIT_CENTS).sum())


def score_pitch(segment: Segment, frames: int, mel: Mel) -> NDArray[np.float64]:
    """Target pitch of each frame in semitones; NaN in frames that are not evaluated.

    Frames are evaluated if they belong to the first phoneme of a word, which is its vowel, and lie
    at least 50 ms away from both ends of note and phoneme. Pauses are not evaluated.

    Args:
        segment: Phrase with durations and notes.
        frames: Number of frames.
        mel: Spectrogram format, which fixes the frames.

    Returns:
        Pitch in semitones, (frames,).
    """
    middle = (np.arange(frames) + 0.5) / mel.frame_rate
    found = np.full(frames, np.nan)
    ends = np.cumsum(segment.ph_dur)
    heads = np.concatenate([[0], np.cumsum(segment.ph_num)])[:-1]
    starts = np.concatenate([[0.0], np.cumsum(segment.note_dur)])
    sung = np.zeros(frames, bool)
    for head in heads:
        if segment.ph_seq[head] not in PAUSES:
            begin, end = ends[head] - segment.ph_dur[head] + EDGE_S, ends[head] - EDGE_S
            sung |= (middle >= begin) & (middle < end)
    for midi, begin, end in zip(segment.note_midi, starts, starts[1:], strict=False):
        if midi is not None:
            inside = (middle >= begin + EDGE_S) & (middle < end - EDGE_S)
            found[inside & sung] = midi
    return found


def pitch_errors(f0_hz: NDArray[np.float64], target: NDArray[np.float64]) -> PitchErrors:
    """Compare pitch with the target of :func:`score_pitch`.

    Args:
        f0_hz: Pitch of each frame in Hz, 0 in unvoiced frames.
        target: Target pitch of each frame in semitones, NaN where nothing is evaluated.
    """
    n = min(len(f0_hz), len(target))
    evaluated = ~np.isnan(target[:n])
    voiced = evaluated & (f0_hz[:n] > 0)
    midi = 69 + 12 * np.log2(f0_hz[:n][voiced] / 440.0)
    return PitchErrors(100 * (midi - target[:n][voiced]), int(evaluated.sum()))


def cepstral_distortion(
    generated: Float[Tensor, "b mels n"], real: Float[Tensor, "b mels n"], mel: Mel, order: int = 13
) -> Float[Tensor, "b n"]:
    """Mel-cepstral distortion of each frame in dB: ``10 / ln 10 sqrt(2 sum_k (c_k - c'_k)^2)``.

    ``c_k`` is the cosine transform of the log-mel spectrogram, with ``k`` from 1 to ``order``.
    Coefficient 0, the loudness, is left out. Both spectrograms must have the same timing.

    Args:
        generated: Normalized generated spectrograms.
        real: Normalized recorded spectrograms.
        mel: Their format.
        order: Highest coefficient.

    Returns:
        Distortion of each frame.
    """
    scale = mel.std * (math.log(10) if mel.log_base == "10" else 1.0)
    bands = torch.arange(mel.n_mels, dtype=generated.dtype) + 0.5
    k = torch.arange(1, order + 1, dtype=generated.dtype)
    basis = torch.cos(math.pi / mel.n_mels * torch.outer(k, bands)) * (2 / mel.n_mels) ** 0.5
    gap = basis.to(generated) @ ((generated - real) * scale / mel.n_mels**0.5 * 2**0.5)
    distance: Tensor = 10 / math.log(10) * (2 * gap.square().sum(1)).sqrt()
    return distance


def timing_error_ms(predicted: Segment, recorded: Segment) -> float:
    """Mean absolute error of the start times of phonemes in milliseconds."""
    begins = [np.concatenate([[0.0], np.cumsum(s.ph_dur)])[:-1] for s in (predicted, recorded)]
    return float(1e3 * np.abs(begins[0] - begins[1]).mean())


def match_notes_to_words(segment: ScoreSegment) -> ScoreSegment:
    """Rescale the notes of a recorded phrase to the durations of its words.

    A singer does not sing exactly on the beat. Phoneme durations are therefore evaluated within
    the words as they were sung. Slurred notes keep their proportions.
    """
    word = timing.phoneme_words(segment.ph_num)
    sung = np.bincount(word, np.asarray(segment.ph_dur, np.float64), len(segment.ph_num))
    written = timing.word_durations(segment)
    factor = (np.maximum(sung, 1e-3) / written)[timing.note_words(segment.note_slur)]
    dur = tuple(float(d) for d in np.asarray(segment.note_dur) * factor)
    return ScoreSegment(
        ph_seq=segment.ph_seq,
        ph_num=segment.ph_num,
        note_midi=segment.note_midi,
        note_dur=dur,
        note_slur=segment.note_slur,
        name=segment.name,
    )
