"""Commands on shipped voices: they take names, and write nothing to the installed package."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.tiny_speech import acoustic, vocoder

from oneleap.core.hub.export import Graph
from oneleap.domains.audio.wave import Wave
from oneleap.domains.main import main
from oneleap.domains.speech import About, Voice
from oneleap.domains.speech.evaluation import measures
from oneleap.domains.speech.evaluation.recognition import Recognizer

TESTS = Path(__file__).parents[3]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package that ships the voice anna, which may only be read."""
    folder = tmp_path / "package"
    about = About("nobody", "CC0-1.0", "A test.")
    Voice(acoustic(), vocoder(), about=about).save(folder / "voices" / "anna", card="# anna\n")
    for module in ("oneleap.core.hub.registry", "oneleap.domains.speech.text.voices"):
        monkeypatch.setattr(f"{module}.files", lambda package: folder)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    inside = [folder, *folder.rglob("*")]
    before = [(path, path.stat().st_mtime_ns) for path in inside]
    for path in inside:
        path.chmod(0o500 if path.is_dir() else 0o400)
    yield folder
    for path in inside:
        path.chmod(0o700)
    assert [(path, path.stat().st_mtime_ns) for path in [folder, *folder.rglob("*")]] == before


@pytest.fixture
def recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    def recognize(self: Recognizer, wave: Wave) -> str:
        return "hello"

    monkeypatch.setattr(Recognizer, "__call__", recognize)
    monkeypatch.setattr(measures, "dnsmos", lambda wave: 3.0)


@pytest.mark.usefixtures("package", "recognized")
def test_a_shipped_voice_is_evaluated_in_the_current_folder() -> None:
    argv = ["evaluate", "anna", "--limit", "1", "--steps", "[1]", "--compare", "anna"]
    assert main(argv) == 0
    assert json.loads(Path("evaluation/anna/evaluation.json").read_text())["anna_1_dnsmos"] == 3.0
    assert main([*argv, "--out", "other"]) == 0
    assert [str(path) for path in Path().rglob("*.json")].count("other/evaluation.json") == 1


@pytest.mark.usefixtures("package")
def test_a_name_that_nearly_fits_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "ana"]) == 2
    wanted = "oneleap: ana: no such folder, and no such model ships; did you mean 'anna'?\n"
    assert capsys.readouterr().err == wanted
    assert main(["export", "runs/none"]) == 2
    assert "runs/none: no such folder" in capsys.readouterr().err


@pytest.mark.usefixtures("package")
def test_the_list_has_its_size_and_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("anna  0.")
    assert first.endswith(" MiB  8 kHz  en-us  CC0-1.0  nobody")
    assert second.strip() == '"A test."'


def test_an_export_goes_to_the_current_folder_or_where_the_user_wants(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = list[Path]()

    def export_graphs(graphs: Sequence[Graph], folder: Path, *_: object) -> list[Path]:
        found.append(folder)
        return []

    monkeypatch.setattr("oneleap.core.hub.export.export_graphs", export_graphs)
    assert main(["export", "anna"]) == 0
    assert main(["export", "anna", "--out", "other"]) == 0
    assert found == [Path("export/anna"), Path("other")]
    for folder in found:
        assert (folder / "README.md").read_text() == "# anna\n"
        config = package / "voices" / "anna" / "acoustic" / "config.json"
        assert (folder / "config.json").read_bytes() == config.read_bytes()


EXPORT = """
import sys
from pathlib import Path
import oneleap.core.hub.registry as registry
registry.files = lambda package: Path("package").resolve()
from support.tiny_speech import acoustic, vocoder
from oneleap.domains.main import main
from oneleap.domains.speech import Voice
Voice(acoustic(), vocoder()).save("package/voices/anna", card="# anna")
before = sorted((p, p.stat().st_mtime_ns) for p in Path("package").rglob("*"))
assert main(["export", "anna"]) == 0
assert sorted((p, p.stat().st_mtime_ns) for p in Path("package").rglob("*")) == before
"""


@pytest.mark.slow
def test_a_shipped_voice_is_exported_to_the_current_folder(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(TESTS), "COLUMNS": "160"}
    argv = [sys.executable, "-W", "ignore", "-c", EXPORT]
    done = subprocess.run(argv, cwd=tmp_path, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "speak_onnx.py export/anna " in done.stdout
    found = sorted(path.name for path in (tmp_path / "export/anna").iterdir())
    graphs = ["decoder.onnx", "text.onnx", "vocoder.onnx"]
    assert found == sorted(["README.md", "config.json", *graphs])
    card = (tmp_path / "export/anna/README.md").read_text()
    assert card.startswith("# anna")
    assert "`decoder.onnx`" in card
    speaker = TESTS.parent / "examples" / "speak_onnx.py"
    argv = [sys.executable, str(speaker), "export/anna", "Hello.", "-o", "o.wav"]
    done = subprocess.run(argv, cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
