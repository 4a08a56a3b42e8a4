"""``oneleap voice clone`` from end to end, on tones that stand for a person."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_speech import RATE, acoustic, pitched_acoustic, pitched_vocoder, tone, vocoder

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech import Voice
from oneleap.domains.speech.commands.clone import SOURCE, clone


@pytest.fixture
def base(tmp_path: Path) -> Path:
    Voice(pitched_acoustic(), pitched_vocoder()).save(tmp_path / "base", card="# Base\n", bits=32)
    return tmp_path / "base"


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    for i in range(8):
        Wave(tone(3.0, hz=150.0 + 5 * i), RATE).save(folder / f"r{i}.wav")
    rows = "".join(f"r{i}|Seven tall men came here today.\n" for i in range(8))
    (folder / "metadata.csv").write_text(rows, encoding="utf-8")
    return folder


def run(recordings: Path, base: Path, out: Path) -> None:
    clone(recordings, out, str(base), acoustic_steps=2, vocoder_steps=2, workers=1)


def test_recordings_become_a_voice(
    recordings: Path, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    run(recordings, base, out)
    before, after = Voice.load(base), Voice.load(out)
    old, new = (dict(v.acoustic.average.named_parameters()) for v in (before, after))
    assert old.keys() == new.keys()
    gaps = {name: (new[name] - old[name]).abs().max().item() for name in old}
    assert 0 < max(gaps.values()) < 0.05  # two small steps from the weights of the base
    assert "from the base" not in (out / "README.md").read_text(encoding="utf-8")
    page = (out / "comparison.html").read_text(encoding="utf-8")
    assert page.count("<audio") == 4  # recording, copy, before and after of one held-out sentence
    assert np.isfinite(after.speak("Hello.").samples).all()
    assert "speak Hello." in capsys.readouterr().out
    with pytest.raises(InputError, match="holds a voice already"):
        run(recordings, base, out)


@pytest.mark.slow
def test_an_interrupted_clone_goes_on(recordings: Path, base: Path, tmp_path: Path) -> None:
    whole, again = tmp_path / "whole", tmp_path / "again"
    run(recordings, base, whole)
    run(recordings, base, again)
    for path in ("README.md", "training/vocoder/model/config.json"):
        (again / path).unlink()
    (again / "training/vocoder/checkpoints/last.ckpt").unlink()  # stopped before the first one
    stamp = (again / "training/acoustic/model/model.safetensors").stat().st_mtime_ns
    run(recordings, base, again)
    assert (again / "training/acoustic/model/model.safetensors").stat().st_mtime_ns == stamp
    a, b = (dict(Voice.load(folder).vocoder.named_parameters()) for folder in (whole, again))
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "workers: must be at least 1, not 0"),
        ({"acoustic_steps": -1}, "acoustic_steps: must be at least 1, not -1"),
        ({"vocoder_steps": 0}, "vocoder_steps: must be at least 1, not 0"),
        ({"language": "fr"}, "language: must be en-us or en-gb, not 'fr'"),
    ],
)
def test_options_are_checked_before_the_work(
    recordings: Path, base: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        clone(recordings, tmp_path / "mine", str(base), **options)
    assert not (tmp_path / "mine").exists()


def test_another_persons_recordings_need_another_folder(
    recordings: Path, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine" / "training").mkdir(parents=True)
    (tmp_path / "mine" / "training" / SOURCE).write_text("/recordings/of/another")
    with pytest.raises(InputError, match=r"other recordings, /recordings/of/another: name another"):
        run(recordings, base, tmp_path / "mine")
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        run(tmp_path / "nowhere", base, tmp_path / "mine")


def test_a_voice_without_pitch_cannot_be_cloned(recordings: Path, tmp_path: Path) -> None:
    Voice(acoustic(), vocoder()).save(tmp_path / "old", card="# Old\n")
    with pytest.raises(InputError, match="old generates no pitch: start from heart"):
        run(recordings, tmp_path / "old", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_texts_that_are_missing_need_a_recognizer(
    recordings: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recordings / "metadata.csv").unlink()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"8 of 8 recordings have no text, .* 'oneleap\[eval\]'"):
        run(recordings, base, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
