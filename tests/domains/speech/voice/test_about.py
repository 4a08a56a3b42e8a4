"""What the folder of a voice says about it: written, read, and absent or damaged."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_speech import acoustic, vocoder

from oneleap.core.errors import InputError
from oneleap.domains.speech import About, Voice
from oneleap.domains.speech.voice.about import read_about, read_entry, write_about

TEXT = st.text(st.characters(codec="utf-8"))


@settings(max_examples=25, deadline=None)
@given(description=TEXT, license=TEXT, sentence=TEXT)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, description: str, license: str, sentence: str
) -> None:
    folder, about = tmp_path_factory.getbasetemp(), About(description, license, sentence)
    write_about(folder, about)
    assert read_about(folder) == about


def test_a_folder_without_the_file_is_described_by_its_card(tmp_path: Path) -> None:
    assert read_about(tmp_path) == About()
    card = "---\nlicense: none\n---\n# anna\n\n![x](y)\n\nA German voice\nof 1920. It is old.\n"
    (tmp_path / "README.md").write_text(card)
    assert read_about(tmp_path) == About("A German voice of 1920.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a JSON object"),
        ("[" * 100_000, "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("\x80", "is not a JSON object"),
        ('{"license": 3}', "license must be a text, not 3"),
        ('{"sentence": null}', "sentence must be a text, not null"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "voice.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=f"voice.json: {message}") as caught:
        read_about(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "voice.json").write_text('{"license": "x", "later": [1]}')
    assert read_about(tmp_path) == About(license="x")


def test_an_entry_says_what_the_models_say(tmp_path: Path) -> None:
    Voice(acoustic(), vocoder(), about=About("nobody", "CC0-1.0")).save(tmp_path / "a", card="abc")
    entry = read_entry("a", tmp_path / "a")
    size = sum(path.stat().st_size for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert entry.mib * 2**20 == pytest.approx(size)
    assert (entry.sample_rate, entry.language, entry.speakers) == (8000, "en-us", ("speaker",))
    assert entry.about == About("nobody", "CC0-1.0")
    config = tmp_path / "a" / "acoustic" / "config.json"
    config.write_text(config.read_text().replace("sample_rate", "rate"))
    with pytest.raises(InputError, match=r"config\.json: is not the configuration of an acoustic"):
        read_entry("a", tmp_path / "a")


def test_voices_are_listed_without_torch(tmp_path: Path) -> None:
    code = """
import sys
from oneleap.domains.main import main
assert main(["voices"]) == 0
assert not {"torch", "numpy", "safetensors", "rich"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "MiB  24 kHz  en-us  Apache-2.0    American woman" in done.stdout
    assert "MiB  24 kHz  en-us  CC-BY-SA-3.0  American woman" in done.stdout
