import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support import tiny_music

from oneleap.core.errors import InputError
from oneleap.domains.main import main
from oneleap.domains.music.commands.evaluate import Reference, figures, targets_of
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.controls.musicnn import Tagger
from oneleap.domains.music.data.midi import Sung
from oneleap.domains.music.data.tunes import compose_tune
from oneleap.domains.music.evaluation.plots import draw
from oneleap.domains.music.evaluation.runner import Judge, Row
from oneleap.domains.music.evaluation.trials import HEARD, MAKERS, Trial, sung, trials
from oneleap.domains.music.spec import MUSIC


def row(method: str, number: int, metric: list[float], seed: int) -> Row:
    g = torch.Generator().manual_seed(seed)
    seen = torch.randn(6, 200, generator=g).tolist()
    return Row("intensity", method, number, metric, metric, 1.5, 2, seen)


@pytest.mark.parametrize("name", MAKERS)
def test_trials_are_drawn_from_the_seed(name: str, tmp_path: Path) -> None:
    g = torch.Generator().manual_seed(0)
    music = [torch.randn(1, MUSIC.n_mels, 120, generator=g) for _ in range(3)]
    made = trials(name, MUSIC, 120, music, 0)
    again, other = trials(name, MUSIC, 120, music, 0), trials(name, MUSIC, 120, music, 1)
    losses = [[t.control.loss(music[2]).item() for t in some] for some in (made, again, other)]
    assert losses[0] == losses[1]
    if name in ("intensity", "melody", "inpaint"):
        assert losses[0] != losses[2]
    for k, trial in enumerate(made):
        assert trial.control.name == name
        if trial.given is not None:  # what is given is as it is wanted
            assert trial.kept is not None
            assert 0 < trial.kept.sum() < 120
            assert trial.control.loss(trial.given).item() == 0
        draw(tmp_path / f"{k}.png", music[0], MUSIC, [trial.control], {name: torch.ones(2, 1)})
        assert (tmp_path / f"{k}.png").stat().st_size > 1000


def test_there_is_no_other_control() -> None:
    with pytest.raises(InputError, match="no 'tempo'"):
        trials("tempo", MUSIC, 120, [], 0)


def test_a_tune_is_sung_in_seconds() -> None:
    tune = compose_tune(4)
    notes = sung(tune)
    assert all(isinstance(note, Sung) for note in notes)
    assert notes[-1].end <= tune.seconds
    assert all(a.start <= b.start for a, b in itertools.pairwise(notes))


def test_figures_are_means_over_targets() -> None:
    rows = [row("ditto2", 0, [1.0, 3.0], 0), row("ditto2", 1, [6.0, 6.0], 1)]
    real = Reference(torch.randn(40, 200), torch.randn(50, 200))
    found = figures([*rows, row("ditto", 0, [5.0, 5.0], 2)], real)
    assert found["intensity_ditto2_error"] == 4
    assert found["intensity_ditto2_standard_error"] == pytest.approx(np.std([2, 6]))
    assert found["intensity_ditto2_targets"] == 2
    assert found["intensity_ditto_error"] == 5
    assert found["intensity_ditto2_seconds"] == 1.5
    assert found["intensity_ditto_frechet"] > 0
    assert "intensity_ditto2_frechet" not in figures(rows, None)


def test_the_command_measures_and_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("soxr")
    tiny_music.composer().save(tmp_path / "composer")
    music = tiny_music.write_pieces(tmp_path / "music", each=1)
    rows, out = tmp_path / "rows.jsonl", tmp_path / "figures.json"
    words = ["evaluate", str(tmp_path / "composer"), str(music), "--seconds", "0.5"]
    words += ["--seeds", "2", "--steps", "2", "--rows", str(rows), "--json", str(out)]
    controls = ["--controls", '["intensity","inpaint"]']
    assert main([*words, *controls, "--targets", "2", "--ditto_targets", "1"]) == 0
    found = json.loads(out.read_text())
    assert found["intensity_ditto_targets"] == 1
    assert found["inpaint_ditto2_targets"] == 2
    assert all(np.isfinite(value) for value in found.values())
    lines = rows.read_text().splitlines()
    assert len(lines) == 1 + 2 * (2 + 2 + 1)
    rows.write_text("\n".join(lines)[:-20])  # killed while it wrote
    assert main([*words, *controls, "--targets", "2", "--ditto_targets", "1"]) == 0
    again = rows.read_text().splitlines()
    assert again[:-1] == lines[:-1]
    assert json.loads(again[-1])["metric"] == json.loads(lines[-1])["metric"]
    capsys.readouterr()
    for wrong, told in (
        (["--targets", "99"], "99 targets take as many"),
        (["--targets", "0"], "positive"),
        (["--methods", '["magic"]'], "no 'magic'"),
        (["--controls", '["tempo"]', "--targets", "2"], "no 'tempo'"),
        (["--controls", '["tags"]', "--targets", "2"], "tags takes a --tagger"),
        (["--tagger", "none.npz"], "none.npz: no such file"),
        ([*controls, "--targets", "2", "--seed", "1"], "rows.jsonl has rows of other settings"),
        ([*controls, "--targets", "2", "--seed", "-1"], "seed: -1 is negative"),
    ):
        assert main([*words, *wrong]) == 2
        assert told in capsys.readouterr().err
    rows.write_text(f"{lines[0]}\n{{}}\n")
    assert main([*words, *controls, "--targets", "2"]) == 2
    assert "line 2 is none of this command's" in capsys.readouterr().err


def test_tags_that_an_ear_is_to_hear() -> None:
    composer, ear = tiny_music.composer(), Tagger()
    clips = [torch.zeros(1, tiny_music.MEL.n_mels, 32)] * (len(HEARD) + 1)
    made = [trial.control for trial in targets_of("tags", composer, clips, ear, 0)]
    assert [control.wanted for control in made] == [(word,) for word in (*HEARD, HEARD[0])]
    with pytest.raises(InputError, match="tags takes a --tagger"):
        targets_of("tags", Composer.of(composer.base, composer.student), clips, ear, 0)
    row = Judge(composer, ear, 2, 0.5, 0.02, 2, (), 0)("tags", "ditto2", 0, Trial(made[0]))
    assert len(row.metric) == len(row.heard) == 2
    assert all(0 < p < 1 for p in row.metric)
