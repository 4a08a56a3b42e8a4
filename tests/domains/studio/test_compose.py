"""The tab Compose without a browser: curves, requests, and a short piece."""

from pathlib import Path

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.music.controls.presets import LOUD_DB, PRESETS, QUIET_DB
from oneleap.domains.studio import compose as tab
from oneleap.domains.studio.curve import POINTS, SCRIPT, parse_levels, preset_levels, write_curve
from oneleap.domains.studio.models import composer_tags
from oneleap.domains.studio.request import CONTINUE, DRAWN, GAP, MELODY, TIMBRE, Form, read_request

for name in ("soundfile", "soxr", "mido", "PIL"):
    pytest.importorskip(name)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    """Two seconds of a tone."""
    path = tmp_path / "tone.wav"
    time = np.arange(2 * 22050) / 22050
    Wave((0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), 22050).save(path)
    return str(path)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_can_be_edited(name: str) -> None:
    levels = parse_levels(preset_levels(name))
    assert (levels[0], levels[-1]) == (PRESETS[name][0], PRESETS[name][-1])


def test_the_browser_draws_as_many_points_as_are_parsed() -> None:
    assert f"const points = {POINTS}," in SCRIPT


@pytest.mark.parametrize(
    "text", [None, "", "0.5", "x," * 61, ",".join(["2"] * POINTS), "nan," * 61]
)
def test_what_is_no_curve(text: str | None) -> None:
    with pytest.raises(InputError, match=r"^curve: draw one"):
        parse_levels(text)


def test_a_curve_becomes_a_table_of_seconds_and_decibels(tmp_path: Path) -> None:
    write_curve(preset_levels("rise"), 6.0, tmp_path / "c.csv")
    table = np.loadtxt(tmp_path / "c.csv", delimiter=",")
    assert table.shape == (POINTS, 2)
    assert table[0].tolist() == [0.0, QUIET_DB]
    assert table[-1].tolist() == [6.0, LOUD_DB]


def test_a_form_is_a_request(tmp_path: Path, recording: str) -> None:
    plain = read_request(Form("rise", structure=" ABA ", loop=True), tmp_path)
    assert (plain.intensity, plain.structure, plain.loop) == ("rise", "ABA", True)
    assert read_request(Form(), tmp_path).controls == ("outpaint",)
    assert read_request(Form(recording=recording, use=MELODY), tmp_path).melody == Path(recording)
    assert read_request(Form(recording=recording, use=TIMBRE), tmp_path).timbre == Path(recording)
    longer = read_request(Form(recording=recording, use=CONTINUE), tmp_path)
    assert (longer.outpaint, longer.seconds) == (Path(recording), pytest.approx(8.0))
    filled = read_request(
        Form(DRAWN, preset_levels("hill"), recording=recording, use=GAP, begin=0.5, end=1.0),
        tmp_path,
    )
    assert (filled.inpaint, filled.gap, filled.seconds) == (Path(recording), (0.5, 1.0), None)
    assert np.loadtxt(str(filled.intensity), delimiter=",")[-1, 0] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (Form(seconds=40.0), "seconds: must be from 2 to 12, not 40"),
        (Form(DRAWN, None), "curve: draw one"),
        (Form(use=GAP, begin=1.0, end=5.0), "end of the gap: must be from 1 to 2, not 5"),
        (Form(use=GAP, begin=None, end=5.0), "start of the gap: must be from 0 to 2, not nothing"),
        (Form(use=CONTINUE, loop=True), "outpaint and loop cannot be combined"),
    ],
)
def test_forms_that_are_refused(form: Form, message: str, tmp_path: Path, recording: str) -> None:
    from dataclasses import replace

    given = replace(form, recording=recording if form.use != MELODY else None)
    with pytest.raises(InputError) as error:
        read_request(given, tmp_path)
    assert str(error.value).startswith(message)


def test_long_and_unreadable_recordings_are_refused(tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    Wave(np.full(31 * 8000, 0.1, np.float32), 8000).save(long)
    with pytest.raises(InputError, match=r"^long\.wav: lasts 31 s; the studio takes up to 30 s"):
        tab.compose(Form(recording=str(long)), (), 5, 0)
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"^noise\.wav: cannot be read as sound"):
        tab.compose(Form(recording=str(noise)), (), 5, 0)


def test_a_short_piece_and_its_limit_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    form = Form(DRAWN, preset_levels("rise"), seconds=2.0)
    piece, image = tab.compose(form, composer_tags()[:1], 5, 0, done.append)
    assert piece.wave.seconds == pytest.approx(2.0, abs=0.05)
    assert done[-1] == 5
    assert image.shape[2] == 3
    monkeypatch.setattr(tab, "LIMIT_S", -1.0)
    with pytest.raises(InputError, match=r"^took longer than"):
        tab.compose(form, (), 5, 0)
