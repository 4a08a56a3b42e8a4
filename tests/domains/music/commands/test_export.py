"""``oneleap export``: the exported graph equals the composer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.tiny_music import MEL, model, untagged, vocoder

from oneleap.core.errors import InputError
from oneleap.core.objectives import ConsistencyTrajectory, SplitMeanFlow
from oneleap.domains.audio.stft import istft
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.graph import InverseSTFT, composer_graph

CTD = ConsistencyTrajectory(guidance=(1.0, 4.0))


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of a base model, a student and a vocoder."""
    monkeypatch.chdir(tmp_path)
    model().save_pretrained("a/model")
    model(CTD, seed=4).save_pretrained("b/model")
    vocoder().save_pretrained("c/model")
    return tmp_path


def test_the_inverse_transform_equals_istft() -> None:
    made = vocoder()
    g = torch.Generator().manual_seed(0)
    real, imaginary = torch.randn(2, 3, MEL.n_fft // 2 + 1, 9, generator=g)
    wanted = istft(torch.complex(real, imaginary), MEL.n_fft, MEL.hop, MEL.window)
    assert torch.allclose(InverseSTFT(made, 9)(real, imaginary), wanted, atol=1e-5)


SCRIPT = """
import sys
import torch
from pathlib import Path
from oneleap.core.hub.export import difference, load
from oneleap.domains.main import main
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.graph import composer_graph
from support.tiny_music import model, vocoder
from oneleap.core.objectives import ConsistencyTrajectory

torch.set_num_threads(1)
assert main(["composer", "a", "b", "c", "mine"]) == 0
assert main(["export", "mine", "--format", sys.argv[1], "--seconds", "0.5"]) == 0
path = next(Path("mine").glob("composer.*"))
graph = composer_graph(Composer.load("mine"), 0.5)
assert graph.inputs == ("noise", "tags", "guidance")
assert difference(graph, load(path, graph, sys.argv[1])) < 1e-4
assert path.name in Path("mine/README.md").read_text()
student = model(ConsistencyTrajectory(guidance=(1.0, 4.0)), seed=8)
other = composer_graph(Composer.from_parts(model(), student, vocoder()), 0.5)
assert difference(other, load(path, other, sys.argv[1])) > 1e-2
print("agrees")
"""
"""Exports in a process of its own, since torch.export cannot capture the shape checks of tests."""


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "pt2"])
def test_the_graph_equals_the_composer(format: str, runs: Path) -> None:
    if format == "onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    tests = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, format],
        env={**os.environ, "PYTHONPATH": tests},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "agrees" in done.stdout


def test_a_composer_without_a_student_is_not_exported(runs: Path) -> None:
    with pytest.raises(InputError, match="only a composer with a student"):
        composer_graph(Composer.from_parts(model()), 0.5)
    bare = Composer.from_parts(
        model(spec=untagged()), model(SplitMeanFlow(), untagged()), vocoder()
    )
    assert composer_graph(bare, 0.5).inputs == ("noise",)


def test_a_graph_without_tags_has_no_guidance_input() -> None:
    graph = composer_graph(
        Composer.from_parts(model(spec=untagged()), model(CTD, untagged()), vocoder()), 0.5
    )
    assert graph.inputs == ("noise",)
    inputs, wanted = graph.draw(2)
    assert torch.allclose(graph.module(*inputs), wanted, atol=1e-4)
