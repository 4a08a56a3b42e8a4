"""The shipped singers: they are small, have a card, and sing in tune."""

from pathlib import Path

import numpy as np
import pytest

from oneleap.domains.main import main
from oneleap.domains.singing.voice.loading import DEFAULT, shipped_singers

for name in ("pyworld", "soundfile", "pyopenjtalk", "defusedxml"):
    pytest.importorskip(name)

SAKURA = Path(__file__).parents[4] / "examples" / "sakura.musicxml"

MOST = 25 * 2**20
"""Largest size of a singer with its vocoder in bytes."""

OPENING = (69, 69, 71)
"""First notes of the song as MIDI numbers."""


def test_the_default_singer_ships() -> None:
    assert DEFAULT in shipped_singers()


@pytest.mark.parametrize("name", sorted(shipped_singers()))
def test_it_is_small_and_has_a_card(name: str) -> None:
    files = [path for path in shipped_singers()[name].rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST
    assert "licen" in (shipped_singers()[name] / "README.md").read_text(encoding="utf-8").lower()


def test_the_default_singer_sings_the_notes_of_the_score(tmp_path: Path) -> None:
    import pyworld

    from oneleap.domains.audio.wave import read_wave

    out = tmp_path / "sakura.wav"
    assert main(["sing", str(SAKURA), "-o", str(out)]) == 0
    sung = read_wave(out, 24_000)
    assert 30 < sung.seconds < 50
    assert np.abs(sung.samples).max() > 0.05
    f0, _ = pyworld.harvest(sung.samples[: 3 * 24_000].astype(np.float64), 24_000)
    midi = np.round(69 + 12 * np.log2(f0[f0 > 0] / 440))
    heard = [note for note in dict.fromkeys(midi) if (midi == note).mean() > 0.15]
    assert sorted(heard) == sorted(set(OPENING))
