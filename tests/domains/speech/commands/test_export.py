"""Exported voices: graphs agree with the model, and numpy and ONNX Runtime say what torch says.

Graphs are captured in a process of their own: the checks of shapes that this test run switches on
are no part of the product, and cannot be captured.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.tiny_speech import MEL, acoustic, vocoder

from oneleap.core.errors import InputError
from oneleap.core.sampling.samplers import ConsistencySampler, EulerSampler, Sampler
from oneleap.domains.audio.vocoders.vocos_onnx import RealVocos, vocoder_graph
from oneleap.domains.speech.commands.export import Make, graphs_of
from oneleap.domains.speech.models.acoustic import Acoustic
from oneleap.domains.speech.spec import Spec

TESTS = Path(__file__).parents[2]
SPEAKER = TESTS.parent / "examples" / "speak_onnx.py"

SCRIPT = """
import subprocess, sys
import numpy as np
import torch
from support.tiny_speech import MEL, SPEC, acoustic, vocoder
from oneleap.domains.audio.wave import read_wave
from oneleap.domains.main import main
from oneleap.domains.speech.models.acoustic import Acoustic
from oneleap.domains.speech.models.nets import ConvNeXt
from oneleap.domains.speech.voice.voice import Voice

blocked = (
    "import runpy, sys; sys.modules['torch'] = sys.modules['oneleap'] = None; "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)
plain = acoustic()
sizes = dict(text=plain.text, crop_s=None)
folded = Acoustic(SPEC, plain.objective, decoder=ConvNeXt(16, 1, 1, fold=2), **sizes)
g = torch.Generator().manual_seed(0)
for weight in folded.average.parameters():
    weight.data = 0.2 * torch.randn(weight.shape, generator=g)
Voice(folded.eval(), vocoder()).save("voice", card="# Nobody", half=False)
plain.save_pretrained("acoustic/model", card="# a")
vocoder().save_pretrained("vocoder/model", card="# v")
for run in ("voice", "acoustic", "vocoder"):
    assert main(["export", run]) == 0
subprocess.run(
    [sys.executable, "-c", blocked, sys.argv[1], "voice", "Hello, you.", "-o", "o.wav"], check=True
)
rng = np.random.default_rng(0)  # the noise that numpy drew, frames first
def noise(self, frames, seeds):
    drawn = rng.standard_normal((frames[0], MEL.n_mels), np.float32)
    return torch.from_numpy(drawn).T[None]
Acoustic.noise = noise
wanted = Voice.load("voice").speak("Hello, you.").samples.clip(-1, 1)
found = read_wave("o.wav", MEL.sample_rate).samples
assert found.shape == wanted.shape, (found.shape, wanted.shape)
assert np.abs(found - wanted).max() < 1e-3, np.abs(found - wanted).max()
"""


def model(sampler: Sampler | None = None, speakers: tuple[str, ...] = ("a", "b")) -> Acoustic:
    return acoustic(sampler=sampler, spec=Spec(MEL, speakers=speakers))


@pytest.mark.parametrize("n", [1, 2, 9, 30])
def test_a_vocoder_in_real_numbers_is_the_vocoder(n: int) -> None:
    graph = vocoder_graph(vocoder())
    (mel,), wanted = graph.draw(n)
    assert wanted.shape == (n, MEL.hop)
    with torch.no_grad():
        torch.testing.assert_close(RealVocos(vocoder())(mel), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("speaker", [0, 1])
@pytest.mark.parametrize("sampler", [None, EulerSampler(2, guidance=1.5), ConsistencySampler(1)])
def test_text_and_decoder_are_those_of_the_model(sampler: Sampler | None, speaker: int) -> None:
    for graph in graphs_of(model(sampler), speaker=speaker):
        inputs, wanted = graph.draw(11)
        with torch.no_grad():
            torch.testing.assert_close(graph.module(*inputs), wanted, atol=1e-6, rtol=1e-6)


def test_a_graph_takes_standard_noise_whatever_the_temperature() -> None:
    voice = acoustic()
    means, noise = torch.randn(2, 12, 1, MEL.n_mels)
    with torch.no_grad():
        cool = Make(voice, 0, voice.sampler)(means, 0.5 * noise)
        voice.temperature = 0.5
        torch.testing.assert_close(Make(voice, 0, voice.sampler)(means, noise), cool)


def test_speakers_differ() -> None:
    first, second = (graphs_of(model(), speaker=i)[1] for i in (0, 1))
    inputs, _ = first.draw(5)
    with torch.no_grad():
        assert (first.module(*inputs) - second.module(*inputs)).abs().max() > 1e-3


def test_samplers_with_noise_of_their_own_are_refused() -> None:
    with pytest.raises(InputError, match="Consistency sampler of 2 steps cannot be put"):
        graphs_of(model(ConsistencySampler(2)))


def test_a_voice_without_torch_says_the_same(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(TESTS), "COLUMNS": "160"}
    argv = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(SPEAKER)]
    done = subprocess.run(argv, cwd=tmp_path, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "speak_onnx.py voice " in done.stdout
    assert "`decoder.onnx`" in (tmp_path / "voice" / "README.md").read_text()
    # A run has two graphs, and a vocoder's run one.
    assert len(list((tmp_path / "acoustic" / "model").glob("*.onnx"))) == 2
    assert (tmp_path / "vocoder" / "model" / "vocoder.onnx").is_file()
