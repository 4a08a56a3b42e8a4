"""Generated tunes have the form, key and notes that they state."""

from hypothesis import given, settings
from hypothesis import strategies as st

from oneleap.domains.music.data.tunes import BEATS_PER_BAR, DRUM_CHANNEL, SCALES, compose_tune


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_a_tune_is_what_it_states(seed: int) -> None:
    tune = compose_tune(seed, 20.0)
    assert tune == compose_tune(seed, 20.0)
    scale = {(tune.tonic + step) % 12 for step in SCALES[tune.mode]}
    channels = [part.channel for part in tune.parts]
    assert len(set(channels)) == len(channels)
    assert len(tune.dynamics) == tune.beats + 1
    assert max(tune.dynamics) <= 0
    assert len(tune.starts) == len(tune.form)
    for part in tune.parts:
        for note in part.notes:
            assert 0 <= note.start < tune.beats
            assert 0 <= note.pitch <= 127
            if part.channel != DRUM_CHANNEL:
                assert note.pitch % 12 in scale
            if part.name.startswith("melody"):
                assert note.pitch >= 60
            elif part.channel != DRUM_CHANNEL:
                assert note.pitch < 60


def test_sections_of_one_letter_are_the_same_music() -> None:
    tune = compose_tune(3, 30.0)
    for part in tune.parts:
        role, _, letter = part.name.partition(" ")
        if role != "melody":
            continue
        length = tune.bars * BEATS_PER_BAR
        sections = [
            [n._replace(start=n.start - k * length) for n in part.notes if n.start // length == k]
            for k, name in enumerate(tune.form)
            if name == letter
        ]
        assert all(section == sections[0] for section in sections)


def test_tunes_differ() -> None:
    tunes = [compose_tune(seed) for seed in range(40)]
    assert len({tune.form for tune in tunes}) > 4
    assert len({tune.tags for tune in tunes}) > 15
    assert {tune.mode for tune in tunes} == set(SCALES)
