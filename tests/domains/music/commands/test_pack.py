"""``oneleap composer``: models of runs are packed into a composer."""

from pathlib import Path

import pytest
import torch
from support.tiny_music import composer, model, vocoder

from oneleap.core.objectives import ConsistencyTrajectory
from oneleap.domains.main import main
from oneleap.domains.music.composer.composer import Composer

CTD = ConsistencyTrajectory(guidance=(1.0, 4.0))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of a base model, a student and a vocoder."""
    monkeypatch.chdir(tmp_path)
    model().save_pretrained("a/model")
    model(CTD, seed=4).save_pretrained("b/model")
    vocoder().save_pretrained("c/model")
    return tmp_path


def test_runs_are_packed_into_a_composer(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("card.md").write_text("# Mine\n")
    given = ["--guidance", "1.5", "--card", "card.md", "--bits", "32"]
    assert main(["composer", "a", "b", "c", "mine", *given]) == 0
    assert "mine: 0." in capsys.readouterr().out
    made, parts = Composer.load("mine"), composer(CTD)
    assert made.guidance == 1.5
    noise = made.noise(1, 1.0, torch.Generator().manual_seed(0))
    wanted = parts.vocode(parts.decode(noise, 2, ["calm"], 3.0))
    assert torch.allclose(made.vocode(made.decode(noise, 2, ["calm"], 3.0)), wanted, atol=1e-6)
    assert Path("mine/README.md").read_text() == "# Mine\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["a", "b", "c", "a"], "a exists already"),
        (["a", "b", "a", "new"], "holds a MusicModel, not a vocoder"),
        (["c", "b", "c", "new"], "holds a Vocos, not a music model"),
        (["a", "none", "c", "new"], "none: no such folder"),
        (["a", "b", "c", "new", "--card", "none.md"], "none.md: no such file"),
        (["a", "b", "c", "new", "--guidance", "-1"], "guidance: must be finite and not negative"),
    ],
)
def test_bad_parts_are_refused_and_nothing_is_written(
    argv: list[str], words: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["composer", *argv]) == 2
    assert words in capsys.readouterr().err
    assert not Path("new").exists()
