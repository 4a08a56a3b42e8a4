"""Long sounds are cut at pauses, and only there."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from oneleap.domains.audio.pauses import cut_at_pauses
from oneleap.domains.audio.wave import Wave

RATE = 8_000


def tone(seconds: float, rate: int = RATE) -> Wave:
    t = np.arange(round(seconds * rate)) / rate
    return Wave((0.3 * np.sin(2 * np.pi * 150 * t)).astype(np.float32), rate)


def phrases(*seconds: float, pause_s: float = 0.4) -> Wave:
    gap = np.zeros(round(pause_s * RATE), np.float32)
    parts = [part for s in seconds for part in (tone(s).samples, gap)]
    return Wave(np.concatenate(parts[:-1]), RATE)


def test_a_long_sound_is_cut_in_the_middle_of_its_pauses() -> None:
    wave = phrases(3.0, 3.0, 3.0)
    pieces = cut_at_pauses(wave, 7.0)
    assert [round(piece.seconds, 1) for piece in pieces] == [6.6, 3.2]


def test_a_short_pause_is_no_place_to_cut() -> None:
    assert len(cut_at_pauses(phrases(3.0, 3.0, pause_s=0.1), 4.0)) == 1
    assert len(cut_at_pauses(phrases(3.0, 3.0, pause_s=0.3), 4.0)) == 2


@settings(max_examples=30, deadline=None)
@given(
    seconds=st.lists(st.floats(0.2, 4.0), min_size=1, max_size=6),
    pause_s=st.floats(0.05, 1.0),
    longest_s=st.floats(1.0, 9.0),
)
def test_the_pieces_are_the_sound(seconds: list[float], pause_s: float, longest_s: float) -> None:
    wave = phrases(*seconds, pause_s=pause_s)
    pieces = cut_at_pauses(wave, longest_s)
    np.testing.assert_array_equal(np.concatenate([p.samples for p in pieces]), wave.samples)
    assert min(piece.seconds for piece in pieces) > 0
