"""``oneleap bench music``: the figures, and that no optimization stops early."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.tiny_music import MEL, composer

from oneleap.core.objectives import ConsistencyTrajectory
from oneleap.domains.main import main
from oneleap.domains.music.composer import loading
from oneleap.domains.music.evaluation import speed

CTD = ConsistencyTrajectory(guidance=(1.0, 4.0))


def test_the_bench_has_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(speed, "untrained_composer", lambda: composer(CTD))
    monkeypatch.setattr(loading, "shipped_composers", dict)
    clock = iter([3.0, 3.0 + speed.DITTO_STEPS[1] - speed.DITTO_STEPS[0]])  # a second per step

    def time_call(function: Callable[[], None]) -> float:
        function()
        return next(clock)

    monkeypatch.setattr(speed, "time_call", time_call)
    argv = ["bench", "music", "--steps", "40", "--calls", "1", "--json", "out.json"]
    assert main(argv) == 0
    figures = json.loads(Path("out.json").read_text())
    assert figures["ditto_step_s"] == 1.0
    assert figures["ditto_seconds_6s"] == 3.0 + 40 - speed.DITTO_STEPS[0]
    ratio = figures["ditto_seconds_6s"] / figures["ditto2_seconds_6s"]
    assert figures["ditto_over_ditto2"] == ratio
    assert all(value > 0 for value in figures.values())
    assert main(["bench", "music", "--steps", "0"]) == 2


def test_no_optimization_of_the_bench_stops_early() -> None:
    control = speed.unreachable_control(composer())
    mel = torch.zeros(1, MEL.n_mels, composer().frames(speed.SECONDS))
    assert not control.reached(control.metric(mel)).any()
