"""What a singer sings: a file, a score or phrases; and the dynamics of its sound."""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.lyrics.phonemizer import Phonemizer
from oneleap.domains.singing.scores.phrasing import score_to_segments
from oneleap.domains.singing.scores.read import read_segments
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.segment import Segment

Song = str | os.PathLike[str] | Score | Sequence[Segment]
"""What can be sung: a file, a score, or phrases."""


def song_phrases(song: Song, language: str) -> Sequence[Segment]:
    """Phrases of a song.

    Args:
        song: The song.
        language: Language of the lyrics of files and scores.

    Returns:
        Phrases in order.

    Raises:
        InputError: If the file or the score cannot be sung.
    """
    if isinstance(song, Score):
        return score_to_segments(song, Phonemizer.of_language(language))
    if isinstance(song, (str, os.PathLike)):
        return read_segments(song, Phonemizer.of_language(language))
    return song


def with_dynamics(wave: Wave, phrase: Segment, share: float) -> NDArray[np.float32]:
    """Apply the dynamics of a phrase to its sound, as a gain.

    Args:
        wave: Sound of the phrase.
        phrase: The phrase.
        share: Factor of the decibels, from 0 to 1.

    Returns:
        Samples.
    """
    if phrase.dynamics is None or share == 0:
        return wave.samples
    times = np.arange(len(wave.samples)) / wave.sample_rate
    gain = 10 ** (share * phrase.dynamics.at(times) / 20)
    return np.asarray(wave.samples * gain, np.float32)
