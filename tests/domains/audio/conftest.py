"""A folder of sounds."""

from pathlib import Path

import pytest
from support.tiny_audio import RATE, tone


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Four tones."""
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    folder = tmp_path / "sounds"
    folder.mkdir()
    for i, hz in enumerate((110, 165, 220, 330)):
        soundfile.write(folder / f"{i}.wav", tone(0.4 + 0.1 * i, hz), RATE)
    return folder
