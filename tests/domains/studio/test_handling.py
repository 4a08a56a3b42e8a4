"""What the tabs share: limits, sounds and pictures; the command and its mistakes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from support.tiny import complain

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.studio.handling import (
    as_pixels,
    as_sound,
    check_range,
    check_upload,
    seed_of,
    short_paths,
)


def test_a_sound_keeps_its_level_and_does_not_wrap() -> None:
    samples = np.array([0.0, 0.5, -0.5, 1.5, -1.5], np.float32)
    rate, numbers = as_sound(Wave(samples, 8000))
    assert rate == 8000
    assert numbers.dtype == np.int16
    assert numbers.tolist() == [0, 16384, -16384, 32767, -32767]


def test_a_figure_becomes_pixels_of_its_size() -> None:
    figure = Figure(figsize=(3, 2), dpi=50, facecolor=(1.0, 0.0, 0.0))
    pixels = as_pixels(figure)
    assert pixels.shape == (100, 150, 3)
    assert (pixels == (255, 0, 0)).all()


@pytest.mark.parametrize("value", [None, 0.49, 2.01, float("nan"), float("inf")])
def test_a_number_outside_its_range_is_refused(value: float | None) -> None:
    with pytest.raises(InputError, match=r"^speed: must be from 0.5 to 2, not "):
        check_range("speed", value, 0.5, 2.0)


def test_seeds() -> None:
    assert seed_of(3.0) == 3
    for wrong in (None, 1.5, -1, 2**32, float("inf"), float("nan")):
        with pytest.raises(InputError, match=r"^seed: "):
            seed_of(wrong)


def test_an_upload_is_there_and_small(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    path.write_bytes(bytes(1000))
    assert check_upload("score", str(path), 1000) == path
    with pytest.raises(InputError, match=r"^score: song.mid has 0.0 MiB; the studio takes up to"):
        check_upload("score", str(path), 999)
    for missing in (None, "", str(tmp_path / "other.mid")):
        with pytest.raises(InputError, match=r"^score: upload a file first"):
            check_upload("score", missing, 999)


def test_messages_do_not_name_temporary_folders(tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    with (
        pytest.raises(InputError, match=r"^song.mid: bar 3 is odd, see song.mid$"),
        short_paths(path, None),
    ):
        raise InputError(f"{path}: bar 3 is odd, see {path}")


def test_mistakes_become_errors_of_the_page() -> None:
    gradio = pytest.importorskip("gradio")
    from oneleap.domains.studio.handling import clear_errors

    with pytest.raises(gradio.Error, match="speed: too fast"), clear_errors("speech"):
        raise InputError("speed: too fast")
    with (
        pytest.raises(gradio.Error, match=r"mido is not installed: pip install 'oneleap\[music\]'"),
        clear_errors("music"),
    ):
        raise ModuleNotFoundError("No module named 'mido'", name="mido")


def test_the_page_is_built_without_torch() -> None:
    pytest.importorskip("gradio")
    code = (
        "import sys; from oneleap.domains.studio.app import build; page = build(0); "
        "assert not {'torch', 'lightning'} & set(sys.modules)\n"
        "kinds = ('Audio', 'Image', 'Video')\n"
        "media = [b for b in page.blocks.values() if type(b).__name__ in kinds]\n"
        "assert len(media) > 8\n"
        "assert all(b.buttons is not None and 'share' not in b.buttons for b in media)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_missing_gradio_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "")  # the command sets it, the patch resets it
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert complain(capsys, "studio") == "gradio is not installed: pip install 'oneleap[studio]'"


@pytest.mark.parametrize("port", [0, 70000])
def test_a_port_that_cannot_be(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert complain(capsys, f"studio --port {port}") == f"port: must be from 1 to 65535, not {port}"
