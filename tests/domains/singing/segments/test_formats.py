"""Files of segments: ``.ds``, ``transcriptions.csv``, HTS labels; nothing is lost on the way."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.song_strategies import segments

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.data.recordings import pieces, recordings, write_piece, write_table
from oneleap.domains.singing.lyrics.phonemes import CARRIERS
from oneleap.domains.singing.segments.ds import read_ds, row_of, segment_of, write_ds
from oneleap.domains.singing.segments.hts import Label, parse_labels, read_labels, write_labels
from oneleap.domains.singing.segments.hts import segment_of as sung
from oneleap.domains.singing.segments.hts_write import labels_of
from oneleap.domains.singing.segments.pitch_names import midi_of, name_of
from oneleap.domains.singing.segments.segment import Curve, Segment
from oneleap.domains.singing.segments.transcriptions import (
    read_transcriptions,
    write_transcriptions,
)

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


def test_a_ds_row_is_the_same_again() -> None:
    again = row_of(segment_of(ROW))
    numbers = ("ph_dur", "note_dur", "f0_seq", "velocity")
    for key, value in ROW.items():
        if key in numbers:
            assert [float(x) for x in again[key].split()] == [float(x) for x in value.split()]
        else:
            assert again[key] == value
    assert again.keys() == ROW.keys()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("ph_seq", None, "segment 1: ph_seq is missing"),
        ("ph_dur", "0.2 0.1", "ph_dur has 2 values, ph_seq 6"),
        ("ph_dur", "0.2 x 0.3 0.1 0.4 0.2", "ph_dur: value 2 is 'x'"),
        ("ph_num", "2 2 1", "ph_num counts 5 phonemes, ph_seq has 6"),
        ("note_seq", "rest A4 H4 rest", "note_seq: value 3: 'H4' is no pitch"),
        ("note_dur", "0.3 0.4 0 0.2", "note 3 lasts 0.0 s"),
        ("note_slur", "0 0 2 0", "note_slur: value 3: '2' is neither 0 nor 1"),
        ("note_slur", "0 0 1 0", "4 words, note_slur 3"),
        ("f0_timestep", None, "f0_seq is there, f0_timestep is missing"),
        ("f0_seq", "440 nan", "f0_seq: a curve"),
        ("f0_timestep", "0", "f0_seq: a curve's step"),
        ("gender", [1], "gender is"),
        ("ph_seq", 3, "ph_seq is a string"),
        ("offset", "soon", "offset is 'soon', no number"),
    ],
)
def test_bad_ds_is_named(tmp_path: Path, key: str, value: object, said: str) -> None:
    row = {k: v for k, v in {**ROW, key: value}.items() if v is not None}
    path = tmp_path / "bad.ds"
    path.write_text(json.dumps([row]))
    with pytest.raises(InputError) as error:
        read_ds(path)
    assert said in str(error.value)
    assert str(error.value).startswith(f"{path}, segment 1")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "is no JSON"),
        ("[]", "holds no segments"),
        ("[3]", "segment 1"),
        ("[" * 99_999, "deep"),
    ],
)
def test_no_ds(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.ds"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_ds(path)


@pytest.mark.parametrize(
    ("name", "midi"),
    [
        ("C4", 60),
        ("A4", 69),
        ("c#-1", 1),
        ("Bb3", 58),
        ("B♯3", 60),
        ("A4+25", 69.25),
        ("C4-50", 59.5),
    ],
)
def test_names_of_pitches(name: str, midi: float) -> None:
    assert midi_of(name) == midi
    assert midi_of("rest") is None


@given(st.integers(0, 12_799))
def test_every_cent_has_its_name(cents: int) -> None:
    assert midi_of(name_of(cents / 100)) == pytest.approx(cents / 100, abs=1e-9)


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
            more={"singer": "x"} if k else {},
        )
        for k, s in enumerate(build() for build in found)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "transcriptions.csv")
        write_transcriptions(path, plain)
        assert read_transcriptions(path) == plain


def test_openvpis_own_columns(tmp_path: Path) -> None:
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
    ("text", "said"),
    [
        ("name,phones\na,b\n", "no column ph_seq"),
        ("name,ph_seq\n", "holds no recordings"),
        ("name,ph_seq,ph_dur\na,SP a,0.1\n", "line 2 (a): ph_dur has 1 values, ph_seq 2"),
        ("name,ph_seq\na,SP\na,SP\n", "line 3: the name 'a' is taken"),
        ("name,ph_seq\na,SP,x\n", "line 2: more or fewer fields"),
    ],
)
def test_bad_transcriptions(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "transcriptions.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_transcriptions(path)
    assert said in str(error.value)


SINSY = """\
0 4000000 p@xx^xx-pau+s=a_x/A:x/E:xx]xx^0=4/4~100!1@40#24+xx]1$1|0/F:A4#9
4000000 5000000 c@xx^pau-s+a=xx_x/A:x/E:A4]9^0=4/4~100!1@60#24+xx]1$4|0/F:C5#9
5000000 8000000 v@pau^s-a+xx=N_x/A:x/E:A4]9^0=4/4~100!1@60#24+xx]1$4|0/F:C5#9
8000000 9000000 xx@s^a-xx+k=a_x/A:x/E:C5]0^0=4/4~100!1@60#24+xx]2$3|0/F:G4#9
9000000 9500000 c@a^xx-k+a=N_x/A:x/E:G4]7^0=4/4~100!1@60#24+xx]3$3|0/F:G4#9
9500000 12000000 v@xx^k-a+N=br_x/A:x/E:G4]7^0=4/4~100!1@60#24+xx]3$3|0/F:G4#9
12000000 14000000 v@k^a-N+br=pau_x/A:x/E:G4]7^0=4/4~100!1@60#24+xx]3$3|0/F:G4#9
14000000 15000000 b@a^N-br+pau=xx_x/A:x/E:G4]7^0=4/4~100!1@60#24+xx]3$3|0/F:xx
15000000 20000000 p@N^br-pau+xx=xx_x/A:x/E:xx]xx^0=4/4~100!1@40#24+xx]1$1|0/F:xx
"""


def test_sinsys_labels() -> None:
    found = sung(parse_labels(SINSY.splitlines()), CARRIERS)
    assert found.ph_seq == ("SP", "s", "a", "k", "a", "N", "AP", "SP")
    assert found.ph_num == (2, 2, 2, 1, 1)
    assert found.ph_dur == pytest.approx((0.4, 0.1, 0.4, 0.05, 0.25, 0.2, 0.1, 0.5))
    assert found.note_midi == (None, 69.0, 72.0, 67.0, None, None)
    assert found.note_slur == (False, False, True, False, False, False)
    # Notes begin with their vowels: a consonant's time is the note's before.
    assert found.note_dur == pytest.approx((0.5, 0.3, 0.15, 0.45, 0.1, 0.5))


def test_a_prolonged_vowel_is_a_slur() -> None:
    """ーっ on a note of its own: the vowel goes on, the stop is its end."""
    ends = (0, 4, 5, 8, 10, 11)
    rows = (
        ("pau", "xx]xx", "1_1_1@xx|xx"),
        ("s", "A4]9", "2_1_1@JPN|0"),
        ("o", "A4]9", "2_1_1@JPN|0"),
        ("o", "C5]0", "2_1_1@JPN|1"),
        ("cl", "C5]0", "2_1_1@JPN|1"),
    )
    lines = [
        f"{a}000000 {b}000000 x@x^x-{name}+x=x_x/A:x/B:{flag}/C:x/E:{note}^0/F:x"
        for (a, b), (name, note, flag) in zip(pairwise(ends), rows, strict=True)
    ]
    found = sung(parse_labels(lines), CARRIERS)
    assert found.ph_seq == ("SP", "s", "o", "cl")
    assert found.ph_dur == pytest.approx((0.4, 0.1, 0.5, 0.1))
    assert found.note_midi == (None, 69.0, 72.0)
    assert found.note_slur == (False, False, True)
    assert found.note_dur == pytest.approx((0.5, 0.3, 0.3))
    other = [line.replace("C5]0", "A4]9") for line in lines]  # ああ on one note is two vowels
    assert sung(parse_labels(other), CARRIERS).ph_seq == ("SP", "s", "o", "o", "cl")


def test_labels_are_written_and_read_verbatim(tmp_path: Path) -> None:
    labels = parse_labels(SINSY.splitlines())
    write_labels(tmp_path / "a.lab", labels)
    assert (tmp_path / "a.lab").read_text() == SINSY
    assert read_labels(tmp_path / "a.lab") == labels
    assert [label.phoneme for label in labels][:4] == ["pau", "s", "a", "xx"]


def test_segments_come_back_from_labels() -> None:
    once = sung(parse_labels(SINSY.splitlines()), CARRIERS)
    labels = labels_of(once)
    assert sung(labels, CARRIERS) == once
    assert [label.phoneme for label in labels] == [
        label.phoneme for label in parse_labels(SINSY.splitlines())
    ]
    with pytest.raises(InputError, match="ph_dur is missing"):
        labels_of(replace(once, ph_dur=()))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "holds no labels"),
        (["0 10"], "line 1: start, end and context"),
        (["x 10 pau"], "line 1"),
        (["10 0 a^a-a+a=a"], "ends before it begins"),
    ],
)
def test_bad_labels(lines: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_labels(lines)


def test_labels_without_times_or_with_gaps() -> None:
    first = Label(0, 10, "x@a^a-pau+a=a/E:xx]")
    for second, said in (
        (Label(10, -1, "x@a^a-a+a=a/E:A4]"), "has no times"),
        (Label(20, 30, "x@a^a-a+a=a/E:A4]"), "ends at 10"),
        (Label(10, 30, "x@a^a-xx+a=a/E:A4]"), "slur follows no syllable"),
    ):
        with pytest.raises(InputError, match=said):
            sung((first, second), CARRIERS)


def test_a_folder_of_recordings(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    whole = replace(segment_of(ROW), offset=0.0, more={}, f0=Curve(np.arange(260.0), 0.005))
    wave = Wave(np.linspace(0.1, 0.9, 20_800, dtype=np.float32), 16_000)
    (named,) = list(pieces(wave, (whole,), "song"))
    write_piece(tmp_path, *named)
    write_table(tmp_path, (named[0],))
    (found,) = recordings(tmp_path)
    assert found.path == tmp_path / "wavs" / "song_00.wav"
    assert found.segment.name == "song_00"
    assert found.segment.f0 == whole.f0
    (tmp_path / "f0" / "song_00.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="no array of numbers"):
        recordings(tmp_path)
    (tmp_path / "f0" / "song_00.npy").unlink()
    assert recordings(tmp_path)[0].segment.f0 is None
    (tmp_path / "wavs" / "song_00.wav").unlink()
    with pytest.raises(InputError, match=r"no wavs/song_00\.wav"):
        recordings(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        recordings(tmp_path / "none")
