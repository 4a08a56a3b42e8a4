"""The shipped composers work without options, are small, and name their training data."""

from pathlib import Path

import pytest

from oneleap.domains.main import main
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.loading import DEFAULT, shipped_composers
from oneleap.domains.music.spec import MUSIC_MEL

soundfile = pytest.importorskip("soundfile")


def test_the_default_ships() -> None:
    assert DEFAULT in shipped_composers()


@pytest.mark.parametrize("name", shipped_composers())
def test_it_is_small_and_names_the_license_of_its_data(name: str) -> None:
    folder = shipped_composers()[name]
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert size < 40 * 2**20
    assert "license" in (folder / "README.md").read_text(encoding="utf-8")
    made = Composer.load(name)
    assert made.spec.mel == MUSIC_MEL
    assert made.student is not None


def test_it_is_the_default_of_the_command(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    words = ["compose", "--seconds", "2", "--intensity", "rise", "--steps", "20", "-o", str(out)]
    assert main(words) == 0
    assert soundfile.info(out).duration == pytest.approx(2.0, abs=0.02)
    assert out.with_suffix(".png").is_file()
