"""``transcriptions.csv``: every column survives, and errors name the line."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.song_strategies import segments

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.segment import Segment
from oneleap.domains.singing.segments.transcriptions import (
    read_transcriptions,
    write_transcriptions,
)


@given(st.lists(segments(), min_size=1, max_size=3))
@settings(max_examples=15)
def test_transcriptions_keep_every_column(found: list[Callable[[], Segment]]) -> None:
    plain = tuple(
        Segment(
            ph_seq=s.ph_seq,
            ph_num=s.ph_num,
            ph_dur=s.ph_dur,
            note_midi=s.note_midi,
            note_dur=s.note_dur,
            note_slur=s.note_slur,
            name=f"clip, {k}",
            extra={"singer": "x"} if k else {},
        )
        for k, s in enumerate(build() for build in found)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "transcriptions.csv")
        write_transcriptions(path, plain)
        assert read_transcriptions(path) == plain


def test_columns_of_openvpi(tmp_path: Path) -> None:
    path = tmp_path / "transcriptions.csv"
    path.write_text(
        "name,ph_seq,ph_dur,ph_num,note_seq,note_dur\n"
        '2001000001,SP g an SP,0.1 0.2 0.3 0.1,"2 1 1",rest C4 rest,0.3 0.3 0.1\n'
    )
    (segment,) = read_transcriptions(path)
    assert segment.name == "2001000001"
    assert segment.note_slur == ()
    assert segment.note_midi == (None, 60.0, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,phones\na,b\n", "no column ph_seq"),
        ("name,ph_seq\n", "contains no recordings"),
        ("name,ph_seq,ph_dur\na,SP a,0.1\n", "line 2 (a): ph_dur has 1 values, ph_seq 2"),
        ("name,ph_seq\na,SP\na,SP\n", "line 3: the name 'a' is used already"),
        ("name,ph_seq\na,SP,x\n", "line 2: the number of fields differs"),
    ],
)
def test_bad_transcriptions(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "transcriptions.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_transcriptions(path)
    assert message in str(error.value)
