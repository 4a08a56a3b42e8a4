"""``.ds`` files: every field survives, and errors name the segment and the field."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from support.song_strategies import segments

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.ds import ds_to_segment, read_ds, segment_to_ds, write_ds
from oneleap.domains.singing.segments.segment import Segment

ROW: dict[str, Any] = {
    "offset": 1.5,
    "text": "さく",
    "ph_seq": "SP s a k u SP",
    "ph_dur": "0.2 0.1 0.3 0.1 0.4 0.2",
    "ph_num": "2 2 1 1",
    "note_seq": "rest A4 B4+25 rest",
    "note_dur": "0.3 0.4 0.4 0.2",
    "note_slur": "0 0 0 0",
    "f0_seq": "0.0 440.0 441.5",
    "f0_timestep": "0.005",
    "gender": 0.25,
    "velocity": "1 1.1",
    "velocity_timestep": "0.1",
    "dynamics": "-3.0 2.5",
    "dynamics_timestep": "0.01",
    "spk_mix": {"a": 1.0},
    "ph_glide": "none none none none",
}


@given(segments())
@settings(max_examples=25)
def test_ds_keeps_every_field(build: Callable[[], Segment]) -> None:
    segment = build()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "song.ds")
        write_ds(path, [segment, segment])
        assert read_ds(path) == (segment, segment)


def test_a_ds_row_survives_conversion() -> None:
    again = segment_to_ds(ds_to_segment(ROW))
    numbers = ("ph_dur", "note_dur", "f0_seq", "velocity", "dynamics")
    for key, value in ROW.items():
        if key in numbers:
            assert [float(x) for x in again[key].split()] == [float(x) for x in value.split()]
        else:
            assert again[key] == value
    assert again.keys() == ROW.keys()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("ph_seq", None, "segment 1: ph_seq is missing"),
        ("ph_dur", "0.2 0.1", "ph_dur has 2 values, ph_seq 6"),
        ("ph_dur", "0.2 x 0.3 0.1 0.4 0.2", "ph_dur: value 2 is 'x'"),
        ("ph_num", "2 2 1", "ph_num counts 5 phonemes, ph_seq has 6"),
        ("note_seq", "rest A4 H4 rest", "note_seq: value 3: 'H4' is not a pitch"),
        ("note_dur", "0.3 0.4 0 0.2", "note 3 lasts 0.0 s"),
        ("note_slur", "0 0 2 0", "note_slur: value 3: '2' is neither 0 nor 1"),
        ("note_slur", "0 0 1 0", "4 words, but note_slur has 3"),
        ("f0_timestep", None, "f0_seq needs f0_timestep"),
        ("f0_seq", "440 nan", "f0_seq: a curve"),
        ("f0_timestep", "0", "f0_seq: a curve's time step"),
        ("gender", [1], "gender is"),
        ("ph_seq", 3, "ph_seq must be a string"),
        ("offset", "soon", "offset is 'soon', which is not a number"),
    ],
)
def test_bad_ds_is_named(tmp_path: Path, key: str, value: object, message: str) -> None:
    row = {k: v for k, v in {**ROW, key: value}.items() if v is not None}
    path = tmp_path / "bad.ds"
    path.write_text(json.dumps([row]))
    with pytest.raises(InputError) as error:
        read_ds(path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}, segment 1")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "is not valid JSON"),
        ("[]", "contains no segments"),
        ("[3]", "segment 1"),
        ("[" * 99_999, "deep"),
    ],
)
def test_files_that_are_not_ds(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.ds"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_ds(path)
