"""How near a sung take is: pitch to the score, spectrum and timing to a recording."""

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
"""Seconds at both ends of a note in which pitch moves, and is not held against the singer."""

NEAR_CENTS = 50.0
"""So near counts as hit."""


class SungPitch(NamedTuple):
    """Pitch of one take against its score.

    Attributes:
        cents: Distance from the note, of each frame that is judged and has voice.
        judged: How many frames are judged, with voice or without.
    """

    cents: NDArray[np.float64]
    judged: int

    @property
    def hits(self) -> int:
        """Frames within 50 cents."""
        return int((np.abs(self.cents) <= NEAR_CENTS).sum())


def score_pitch(segment: Segment, frames: int, mel: Mel) -> NDArray[np.float64]:
    """Pitch of the note of each frame that is to be judged, semitones; NaN elsewhere.

    Judged are frames of the phonemes that words begin with, the vowels, pauses left out, and 50 ms
    or more away from the ends of note and phoneme.

    Args:
        segment: With durations and notes.
        frames: How many there are.
        mel: Length of a frame.
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


def sung_pitch(f0_hz: NDArray[np.float64], wanted: NDArray[np.float64]) -> SungPitch:
    """A take's pitch against :func:`score_pitch`.

    Args:
        f0_hz: Of each frame, 0 without voice.
        wanted: Semitones of each frame, NaN where nothing is judged.
    """
    n = min(len(f0_hz), len(wanted))
    judged = ~np.isnan(wanted[:n])
    voiced = judged & (f0_hz[:n] > 0)
    midi = 69 + 12 * np.log2(f0_hz[:n][voiced] / 440.0)
    return SungPitch(100 * (midi - wanted[:n][voiced]), int(judged.sum()))


def cepstral_distortion(
    made: Float[Tensor, "b mels n"], real: Float[Tensor, "b mels n"], mel: Mel, order: int = 13
) -> Float[Tensor, "b n"]:
    """Mel-cepstral distortion of each frame, dB: ``10 / ln 10 sqrt(2 sum_k (c_k - c'_k)^2)``.

    Of the cosine transform of log-mel spectrograms, coefficients 1 to ``order``; loudness, the
    0th, is left out. Takes of one timing are compared frame by frame.

    Args:
        made: Normalised spectrograms.
        real: Likewise.
        mel: Their contract.
        order: Highest coefficient.
    """
    scale = mel.std * (math.log(10) if mel.log_base == "10" else 1.0)
    bands = torch.arange(mel.n_mels, dtype=made.dtype) + 0.5
    k = torch.arange(1, order + 1, dtype=made.dtype)
    basis = torch.cos(math.pi / mel.n_mels * torch.outer(k, bands)) * (2 / mel.n_mels) ** 0.5
    gap = basis.to(made) @ ((made - real) * scale / mel.n_mels**0.5 * 2**0.5)
    distance: Tensor = 10 / math.log(10) * (2 * gap.square().sum(1)).sqrt()
    return distance


def timing_error_ms(found: Segment, wanted: Segment) -> float:
    """Mean distance of the beginnings of phonemes, milliseconds."""
    begins = [np.concatenate([[0.0], np.cumsum(s.ph_dur)])[:-1] for s in (found, wanted)]
    return float(1e3 * np.abs(begins[0] - begins[1]).mean())


def words_as_sung(segment: Segment) -> Segment:
    """The segment with notes as long as its words were sung, slurs in proportion.

    A singer is not on the beat; durations of phonemes are judged within the words that were sung.
    """
    segment = ScoreSegment.from_segment(segment)
    word = timing.phoneme_words(segment.ph_num)
    sung = np.bincount(word, np.asarray(segment.ph_dur, np.float64), len(segment.ph_num))
    written = timing.word_durations(segment)
    factor = (np.maximum(sung, 1e-3) / written)[timing.note_words(segment.note_slur)]
    dur = tuple(float(d) for d in np.asarray(segment.note_dur) * factor)
    return Segment(
        ph_seq=segment.ph_seq,
        ph_num=segment.ph_num,
        note_midi=segment.note_midi,
        note_dur=dur,
        note_slur=segment.note_slur,
        name=segment.name,
    )
