"""Exported voices: numpy with ONNX Runtime gives the sound of torch.

Graphs are captured in another process, because the shape checks of this test run cannot be
captured.
"""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[3]
SPEAKER = TESTS.parent / "examples" / "speak_onnx.py"

SCRIPT = """
import subprocess, sys
import numpy as np
import torch
from support.tiny_speech import MEL, SPEC, acoustic, vocoder
from oneleap.domains.audio.wave import read_wave
from oneleap.domains.main import main
from oneleap.domains.speech import AcousticModel, ConvNeXtConfig
from oneleap.domains.speech.voice.voice import Voice

without_torch = (
    "import runpy, sys; sys.modules['torch'] = sys.modules['oneleap'] = None; "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)
plain = acoustic()
sizes = dict(text=plain.text, crop_s=None)
folded = AcousticModel(SPEC, plain.objective, decoder=ConvNeXtConfig(16, 1, 1, fold=2), **sizes)
g = torch.Generator().manual_seed(0)
for weight in folded.average.parameters():
    weight.data = 0.2 * torch.randn(weight.shape, generator=g)
Voice(folded.eval(), vocoder()).save("voice", card="# Nobody", bits=32)
plain.save_pretrained("acoustic/model", card="# a")
vocoder().save_pretrained("vocoder/model", card="# v")
for run in ("voice", "acoustic", "vocoder"):
    assert main(["export", run]) == 0
argv = [sys.executable, "-c", without_torch, sys.argv[1]]
subprocess.run([*argv, "voice", "Hello, you.", "-o", "o.wav"], check=True)
rng = np.random.default_rng(0)  # the noise of the script, frames first
def draw_noise(self, frames, seeds):
    drawn = rng.standard_normal((frames[0], MEL.n_mels), np.float32)
    return torch.from_numpy(drawn).T[None]
AcousticModel.draw_noise = draw_noise
wanted = Voice.load("voice").speak("Hello, you.").samples.clip(-1, 1)
found = read_wave("o.wav", MEL.sample_rate).samples
assert found.shape == wanted.shape, (found.shape, wanted.shape)
edge = round(0.005 * MEL.sample_rate)  # a voice fades in and out, the script does not
gap = np.abs(found - wanted)[edge:-edge].max()
assert gap < 1e-3, gap
"""


def test_a_voice_without_torch_gives_the_same_sound(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(TESTS), "COLUMNS": "160"}
    argv = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(SPEAKER)]
    done = subprocess.run(argv, cwd=tmp_path, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "speak_onnx.py voice " in done.stdout
    assert "`decoder.onnx`" in (tmp_path / "voice" / "README.md").read_text()
    # A run of an acoustic model has two graphs, a run of a vocoder has one.
    assert len(list((tmp_path / "acoustic" / "model").glob("*.onnx"))) == 2
    assert (tmp_path / "vocoder" / "model" / "vocoder.onnx").is_file()
