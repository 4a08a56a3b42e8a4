"""What ``oneleap speak`` imports: as little as possible, because it starts cold."""

import subprocess
import sys
from pathlib import Path

import pytest

TRAINING = ("lightning", "torchmetrics", "tensorboard", "torch._dynamo", "torch._inductor")
UNUSED = ("pandas", "matplotlib", "librosa", "numba", "scipy", "sklearn", "rich")

SCRIPT = """
import sys
from oneleap.domains.main import main
try:
    status = main(sys.argv[2:])
except SystemExit as end:
    status = end.code
assert status == 0, status
found = set(sys.argv[1].split(",")) & set(sys.modules)
assert not found, found
"""


def run(folder: Path, argv: list[str], unwanted: tuple[str, ...]) -> None:
    """Run a command in a process of its own, and look at the modules it has imported."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, ",".join(unwanted), *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_speaking_imports_nothing_of_training(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    run(tmp_path, ["speak", "Hello.", "-o", "hello.wav"], TRAINING + UNUSED)
    assert (tmp_path / "hello.wav").stat().st_size > 4000


def test_packing_imports_nothing_of_training(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    from oneleap.domains.speech.voice.loading import find_voice

    voice = str(find_voice("heart"))
    run(tmp_path, ["voice", "pack", voice, voice, "copy"], TRAINING + UNUSED)
    run(tmp_path, ["speak", "həlˈoʊ", "--ipa", "--voice", "copy"], TRAINING + UNUSED)
    assert (tmp_path / "speech.wav").is_file()


@pytest.mark.parametrize("command", ["speak", "voice pack", "voices", "bench speech"])
def test_help_does_not_import_torch(command: str, tmp_path: Path) -> None:
    run(tmp_path, [*command.split(), "--help"], ("torch", "numpy", *TRAINING, *UNUSED))


@pytest.mark.parametrize("names", ["Voice", "AcousticModel, Spec", "FrontEnd", "word_error_rate"])
def test_the_face_imports_nothing_of_training(names: str, tmp_path: Path) -> None:
    code = f"""
import sys
import oneleap.domains.speech
assert "torch" not in sys.modules
from oneleap.domains.speech import {names}
assert not set({TRAINING + UNUSED!r}) & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
