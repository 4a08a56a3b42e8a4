"""The exported graph of a source-filter vocoder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.tiny_audio import MEL, tiny_source_filter

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.source_filter_onnx import source_filter_graph


@pytest.mark.parametrize("frames", [1, 2, 7, 700])
def test_the_graph_equals_the_vocoder(frames: int) -> None:
    graph = source_filter_graph(tiny_source_filter())
    inputs, expected = graph.draw(frames)
    assert expected.shape == (frames, MEL.hop)
    torch.testing.assert_close(graph.module(*inputs), expected, atol=1e-5, rtol=1e-4)


SCRIPT = """
from support.tiny_audio import tiny_source_filter
from oneleap.domains.main import main
tiny_source_filter().save_pretrained("vocoder", card="# v")
assert main(["export", "vocoder", "--tolerance", "1e-4"]) == 0
"""


def test_the_command_writes_a_graph(tmp_path: Path) -> None:
    """In another process, because shape checks cannot be captured."""
    for module in ("onnxscript", "onnxruntime"):
        pytest.importorskip(module)
    path = os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])
    command = [sys.executable, "-c", SCRIPT]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, check=True)
    assert (tmp_path / "vocoder" / "vocoder.onnx").is_file()


def test_an_odd_hop_is_refused() -> None:
    odd = SourceFilterVocoder(Mel(8000, 256, 100, 256, 10, fmax=4000.0), 8, 8, 1)
    with pytest.raises(InputError, match="not a multiple of hop"):
        source_filter_graph(odd)
