"""Cases are a function of the seed, and the plots of their controls work."""

import itertools
from pathlib import Path

import pytest
import torch

from oneleap.core.errors import InputError
from oneleap.domains.music.data.midi import MelodyNote
from oneleap.domains.music.data.tunes import compose_tune
from oneleap.domains.music.evaluation.cases import (
    CASE_MAKERS,
    make_cases,
    tune_melody,
)
from oneleap.domains.music.evaluation.plots import plot_controls
from oneleap.domains.music.spec import MUSIC_MEL


@pytest.mark.parametrize("name", CASE_MAKERS)
def test_cases_are_a_function_of_the_seed(name: str, tmp_path: Path) -> None:
    g = torch.Generator().manual_seed(0)
    music = [torch.randn(1, MUSIC_MEL.n_mels, 120, generator=g) for _ in range(3)]
    made = make_cases(name, MUSIC_MEL, 120, music, 0)
    again, other = (
        make_cases(name, MUSIC_MEL, 120, music, 0),
        make_cases(name, MUSIC_MEL, 120, music, 1),
    )
    losses = [
        [case.control.loss(music[2]).item() for case in some] for some in (made, again, other)
    ]
    assert losses[0] == losses[1]
    if name in ("intensity", "melody", "inpaint"):
        assert losses[0] != losses[2]
    for k, case in enumerate(made):
        assert case.control.name == name
        if case.given is not None:  # the given recording fulfills the target
            assert case.known is not None
            assert 0 < case.known.sum() < 120
            assert case.control.loss(case.given).item() == 0
        plot_controls(
            tmp_path / f"{k}.png", music[0], MUSIC_MEL, [case.control], {name: torch.ones(2, 1)}
        )
        assert (tmp_path / f"{k}.png").stat().st_size > 1000


def test_there_is_no_other_control() -> None:
    with pytest.raises(InputError, match="no 'tempo'"):
        make_cases("tempo", MUSIC_MEL, 120, [], 0)


def test_the_melody_of_a_tune_is_in_seconds() -> None:
    tune = compose_tune(4)
    notes = tune_melody(tune)
    assert all(isinstance(note, MelodyNote) for note in notes)
    assert notes[-1].end <= tune.seconds
    assert all(a.start <= b.start for a, b in itertools.pairwise(notes))
