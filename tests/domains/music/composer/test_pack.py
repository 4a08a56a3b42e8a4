"""A composer packed, exported and timed by the commands; their bad inputs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.tiny_music import MEL, composer, model, untagged, vocoder

from oneleap.core.errors import InputError
from oneleap.core.objectives import ConsistencyTrajectory, SplitMeanFlow
from oneleap.domains.audio.stft import istft
from oneleap.domains.main import main
from oneleap.domains.music.commands import bench
from oneleap.domains.music.commands.export import Inverse, graph_of
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
    given = ["--guidance", "1.5", "--card", "card.md", "--full", "true"]
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
        (["a", "b", "a", "new"], "holds a MusicModel, which makes no sound"),
        (["c", "b", "c", "new"], "holds a Vocos, which makes no music"),
        (["a", "none", "c", "new"], "none: no such folder"),
        (["a", "b", "c", "new", "--card", "none.md"], "none.md: no such file"),
        (["a", "b", "c", "new", "--guidance", "-1"], "guidance: a scale from 0 up"),
    ],
)
def test_bad_parts_are_told_and_nothing_is_written(
    argv: list[str], words: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["composer", *argv]) == 2
    assert words in capsys.readouterr().err
    assert not Path("new").exists()


def test_the_inverse_transform_as_a_product_is_the_vocoders() -> None:
    made = vocoder()
    g = torch.Generator().manual_seed(0)
    real, imaginary = torch.randn(2, 3, MEL.n_fft // 2 + 1, 9, generator=g)
    wanted = istft(torch.complex(real, imaginary), MEL.n_fft, MEL.hop, MEL.window)
    assert torch.allclose(Inverse(made, 9)(real, imaginary), wanted, atol=1e-5)


SCRIPT = """
import sys
import torch
from pathlib import Path
from oneleap.core.hub.export import difference, load
from oneleap.domains.main import main
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.commands.export import graph_of
from support.tiny_music import model, vocoder
from oneleap.core.objectives import ConsistencyTrajectory

torch.set_num_threads(1)
assert main(["composer", "a", "b", "c", "mine"]) == 0
assert main(["export", "mine", "--format", sys.argv[1], "--seconds", "0.5"]) == 0
path = next(Path("mine").glob("composer.*"))
graph = graph_of(Composer.load("mine"), 0.5)
assert graph.inputs == ("noise", "tags", "guidance")
assert difference(graph, load(path, graph, sys.argv[1])) < 1e-4
assert path.name in Path("mine/README.md").read_text()
student = model(ConsistencyTrajectory(guidance=(1.0, 4.0)), seed=8)
other = graph_of(Composer.of(model(), student, vocoder()), 0.5)
assert difference(other, load(path, other, sys.argv[1])) > 1e-2
print("agrees")
"""
"""The checks of shapes that this test run switches on cannot be captured, being no part of the
product: a process of its own."""


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_the_graph_is_the_composer(format: str, runs: Path) -> None:
    if format == "onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    tests = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, format],
        env={**os.environ, "PYTHONPATH": tests},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "agrees" in done.stdout


def test_what_has_no_student_is_not_exported(runs: Path) -> None:
    with pytest.raises(InputError, match="only a composer with a student"):
        graph_of(Composer.of(model()), 0.5)
    bare = Composer.of(model(spec=untagged()), model(SplitMeanFlow(), untagged()), vocoder())
    assert graph_of(bare, 0.5).inputs == ("noise",)


def test_a_student_of_scales_without_tags_has_nothing_to_be_guided_by() -> None:
    graph = graph_of(Composer.of(model(spec=untagged()), model(CTD, untagged()), vocoder()), 0.5)
    assert graph.inputs == ("noise",)
    inputs, wanted = graph.draw(2)
    assert torch.allclose(graph.module(*inputs), wanted, atol=1e-4)


def test_the_bench_has_its_figures(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "untrained", lambda: composer(CTD))
    monkeypatch.setattr(bench, "shipped", dict)
    clock = iter([3.0, 3.0 + bench.DITTO_STEPS[1] - bench.DITTO_STEPS[0]])  # a second a step

    def seconds(function: Callable[[], None]) -> float:
        function()
        return next(clock)

    monkeypatch.setattr(bench, "seconds", seconds)
    argv = ["bench", "music", "--steps", "40", "--calls", "1", "--json", "out.json"]
    assert main(argv) == 0
    figures = json.loads(Path("out.json").read_text())
    assert figures["ditto_step_s"] == 1.0
    assert figures["ditto_seconds_6s"] == 3.0 + 40 - bench.DITTO_STEPS[0]
    ratio = figures["ditto_seconds_6s"] / figures["ditto2_seconds_6s"]
    assert figures["ditto_over_ditto2"] == ratio
    assert all(value > 0 for value in figures.values())
    assert main(["bench", "music", "--steps", "0"]) == 2


def test_no_search_of_the_bench_stops_early() -> None:
    control = bench.endless(composer())
    mel = torch.zeros(1, MEL.n_mels, composer().frames(bench.SECONDS))
    assert not control.reached(control.metric(mel)).any()
