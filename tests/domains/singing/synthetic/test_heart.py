"""The English teacher: durations of sung phonemes, invented songs, and a phrase end to end."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneleap.domains.singing.lyrics.english import ENGLISH_VOWELS, read_lyrics
from oneleap.domains.singing.segments.manner import Manner
from oneleap.domains.singing.synthetic.english_lyrics import random_syllables
from oneleap.domains.singing.synthetic.english_songs import (
    HIGHEST_MIDI,
    LOWEST_MIDI,
    random_song,
)
from oneleap.domains.singing.synthetic.heart_timing import SungNote, fit_consonants, nuclei

SKY = [SungNote(tuple(p), 60.0 + i, 0.5) for i, p in enumerate(read_lyrics(["the", "sky", "fell"]))]


def test_the_first_vowel_is_on_the_beat() -> None:
    names = [p.name for note in SKY for p in note.phones]
    assert names == ["dh_b", "ax0", "s_b", "k_b", "ay1", "f_b", "eh1", "l_e"]
    assert nuclei(SKY) == [1, 4, 6]


def test_consonants_keep_their_durations_and_vowels_take_the_rest() -> None:
    names = [p.name for note in SKY for p in note.phones]
    spoken = np.array([2.0, 3, 4, 3, 5, 3, 4, 2])
    starts = np.array([12, 32, 52, 72])
    found = fit_consonants(names, nuclei(SKY), spoken, starts).tolist()
    assert found == [2, 13, 4, 3, 17, 3, 18, 2]


@given(st.lists(st.integers(1, 40), min_size=8, max_size=8), st.integers(4, 60))
def test_every_note_is_filled_exactly(spoken: list[int], length: int) -> None:
    names = [p.name for note in SKY for p in note.phones]
    starts = 50 + length * np.arange(4)
    found = fit_consonants(names, nuclei(SKY), np.array(spoken, float), starts)
    for k, (one, stop) in enumerate(((1, 4), (4, 6), (6, 8))):
        part = found[one:stop]
        assert part.min() >= 1
        assert part.sum() == length
        if sum(spoken[one + 1 : stop]) > int(0.6 * length):
            assert part[1:].sum() <= max(int(0.6 * length), stop - one - 1), k


def test_songs_are_in_range_and_depend_only_on_the_seed() -> None:
    manner, phrases = random_song(np.random.default_rng(3))
    again = random_song(np.random.default_rng(3))
    assert (manner, phrases) == again
    notes = [note for phrase in phrases for note in phrase.notes]
    assert all(LOWEST_MIDI <= note.midi <= HIGHEST_MIDI for note in notes)
    assert all(note.seconds > 0 for note in notes)
    assert phrases[0].notes[0].phones  # a phrase starts with a syllable
    for syllables in islice(random_syllables(np.random.default_rng(0)), 20):
        assert all(sum(p.name in ENGLISH_VOWELS for p in phones) == 1 for _, phones in syllables)


def test_a_phrase_end_to_end() -> None:
    pytest.importorskip("hibari")
    from oneleap.domains.singing.synthetic.heart import HeartSinger

    segment, wave = HeartSinger().sing(SKY, Manner(), np.random.default_rng(0))
    assert segment.seconds == pytest.approx(wave.seconds, abs=0.03)
    assert segment.ph_num == (2, 3, 2, 2, 1)
    assert segment.note_midi == (None, 60.0, 61.0, 62.0, None)
    starts = np.cumsum((0.0, *segment.ph_dur))
    onsets = np.cumsum((0.0, *segment.note_dur))
    np.testing.assert_allclose(starts[[2, 5, 7]], onsets[[1, 2, 3]])  # vowels are on the beat
