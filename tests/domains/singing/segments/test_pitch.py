"""Note names, and the pitch curve of notes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.song_strategies import SAKURA

from oneleap.domains.singing.segments.pitch import midi_to_name, name_to_midi, score_f0


@pytest.mark.parametrize(
    ("name", "midi"),
    [
        ("C4", 60),
        ("A4", 69),
        ("c#-1", 1),
        ("Bb3", 58),
        ("B♯3", 60),
        ("A4+25", 69.25),
        ("C4-50", 59.5),
    ],
)
def test_note_names(name: str, midi: float) -> None:
    assert name_to_midi(name) == midi
    assert name_to_midi("rest") is None


@given(st.integers(0, 12_799))
def test_every_cent_has_its_name(cents: int) -> None:
    assert name_to_midi(midi_to_name(cents / 100)) == pytest.approx(cents / 100, abs=1e-9)


def test_pitch_of_the_notes() -> None:
    f0 = score_f0(SAKURA, 0.1, 32)
    assert f0[:5].tolist() == [0.0] * 5
    np.testing.assert_allclose(f0[5:15], 440.0)
    np.testing.assert_allclose(f0[21:25], 440.0 * 2 ** (3 / 12))
    assert f0[25:].max() == 0
