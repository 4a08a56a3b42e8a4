"""``oneleap evaluate``: figures of controls, and a run that continues."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support import tiny_music

from oneleap.core.errors import InputError
from oneleap.domains.main import main
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.controls.musicnn import Tagger
from oneleap.domains.music.evaluation.cases import (
    TARGET_TAGS,
    EvaluationCase,
)
from oneleap.domains.music.evaluation.comparison import (
    ReferenceEmbeddings,
    evaluation_cases,
    summarize,
)
from oneleap.domains.music.evaluation.runner import CaseResult, CaseRunner


def row(method: str, number: int, metric: list[float], seed: int) -> CaseResult:
    g = torch.Generator().manual_seed(seed)
    seen = torch.randn(6, 200, generator=g).tolist()
    return CaseResult("intensity", method, number, metric, metric, 1.5, 2, seen)


def test_figures_are_means_over_targets() -> None:
    rows = [row("ditto2", 0, [1.0, 3.0], 0), row("ditto2", 1, [6.0, 6.0], 1)]
    real = ReferenceEmbeddings(torch.randn(40, 200), torch.randn(50, 200))
    found = summarize([*rows, row("ditto", 0, [5.0, 5.0], 2)], real)
    assert found["intensity_ditto2_error"] == 4
    assert found["intensity_ditto2_standard_error"] == pytest.approx(np.std([2, 6]))
    assert found["intensity_ditto2_targets"] == 2
    assert found["intensity_ditto_error"] == 5
    assert found["intensity_ditto2_seconds"] == 1.5
    assert found["intensity_ditto_frechet"] > 0
    assert "intensity_ditto2_frechet" not in summarize(rows, None)


def test_the_command_evaluates_and_continues_where_it_stopped(
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
    assert json.loads((tmp_path / "composer" / "evaluation.json").read_text()) == found
    assert found["intensity_ditto_targets"] == 1
    assert found["inpaint_ditto2_targets"] == 2
    assert all(np.isfinite(value) for value in found.values())
    lines = rows.read_text().splitlines()
    assert len(lines) == 1 + 2 * (2 + 2 + 1)
    rows.write_text("\n".join(lines)[:-20])  # killed while writing
    assert main([*words, *controls, "--targets", "2", "--ditto_targets", "1"]) == 0
    again = rows.read_text().splitlines()
    assert again[:-1] == lines[:-1]
    assert json.loads(again[-1])["metric"] == json.loads(lines[-1])["metric"]
    capsys.readouterr()
    for wrong, expected in (
        (["--targets", "99"], "99 targets need one each"),
        (["--targets", "0"], "positive"),
        (["--methods", '["magic"]'], "no 'magic'"),
        (["--controls", '["tempo"]', "--targets", "2"], "no 'tempo'"),
        (["--controls", '["tags"]', "--targets", "2"], "tags needs a --tagger"),
        (["--tagger", "none.npz"], "none.npz: no such file"),
        ([*controls, "--targets", "2", "--seed", "1"], "rows.jsonl has results of other settings"),
        ([*controls, "--targets", "2", "--seed", "-1"], "seed: -1 is negative"),
    ):
        assert main([*words, *wrong]) == 2
        assert expected in capsys.readouterr().err
    rows.write_text(f"{lines[0]}\n{{}}\n")
    assert main([*words, *controls, "--targets", "2"]) == 2
    assert "line 2 is not a result" in capsys.readouterr().err


def test_cases_of_target_tags() -> None:
    composer, tagger = tiny_music.composer(), Tagger()
    clips = [torch.zeros(1, tiny_music.MEL.n_mels, 32)] * (len(TARGET_TAGS) + 1)
    made = [case.control for case in evaluation_cases("tags", composer, clips, tagger, 0)]
    assert [control.wanted for control in made] == [
        (tag,) for tag in (*TARGET_TAGS, TARGET_TAGS[0])
    ]
    without_vocoder = Composer.from_parts(composer.base, composer.student)
    with pytest.raises(InputError, match="tags needs a --tagger"):
        evaluation_cases("tags", without_vocoder, clips, tagger, 0)
    row = CaseRunner(composer, tagger, 2, 0.5, 0.02, 2, (), 0)(
        "tags", "ditto2", 0, EvaluationCase(made[0])
    )
    assert len(row.metric) == len(row.metric_of_audio) == 2
    assert all(0 < p < 1 for p in row.metric)
