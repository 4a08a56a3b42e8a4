"""HTS labels: reading, writing, and conversion to segments and back."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.phonemizer import SYLLABIC
from oneleap.domains.singing.segments.hts import Label, parse_labels, read_labels, write_labels
from oneleap.domains.singing.segments.hts_segments import labels_to_segment, segment_to_labels

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


def test_labels_of_sinsy() -> None:
    found = labels_to_segment(parse_labels(SINSY.splitlines()), SYLLABIC)
    assert found.ph_seq == ("SP", "s", "a", "k", "a", "N", "AP", "SP")
    assert found.ph_num == (2, 2, 2, 1, 1)
    assert found.ph_dur == pytest.approx((0.4, 0.1, 0.4, 0.05, 0.25, 0.2, 0.1, 0.5))
    assert found.note_midi == (None, 69.0, 72.0, 67.0, None, None)
    assert found.note_slur == (False, False, True, False, False, False)
    # A note starts with its vowel, so the time of a consonant belongs to the note before.
    assert found.note_dur == pytest.approx((0.5, 0.3, 0.15, 0.45, 0.1, 0.5))


def test_a_prolonged_vowel_is_a_slur() -> None:
    """A note with the lyric ーっ continues the vowel and ends with the sokuon."""
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
    found = labels_to_segment(parse_labels(lines), SYLLABIC)
    assert found.ph_seq == ("SP", "s", "o", "cl")
    assert found.ph_dur == pytest.approx((0.4, 0.1, 0.5, 0.1))
    assert found.note_midi == (None, 69.0, 72.0)
    assert found.note_slur == (False, False, True)
    assert found.note_dur == pytest.approx((0.5, 0.3, 0.3))
    other = [line.replace("C5]0", "A4]9") for line in lines]  # ああ on one note is two vowels
    assert labels_to_segment(parse_labels(other), SYLLABIC).ph_seq == ("SP", "s", "o", "o", "cl")


def test_labels_are_written_and_read_unchanged(tmp_path: Path) -> None:
    labels = parse_labels(SINSY.splitlines())
    write_labels(tmp_path / "a.lab", labels)
    assert (tmp_path / "a.lab").read_text() == SINSY
    assert read_labels(tmp_path / "a.lab") == labels
    assert [label.phoneme for label in labels][:4] == ["pau", "s", "a", "xx"]


def test_segments_survive_conversion_to_labels() -> None:
    once = labels_to_segment(parse_labels(SINSY.splitlines()), SYLLABIC)
    labels = segment_to_labels(once)
    assert labels_to_segment(labels, SYLLABIC) == once
    assert [label.phoneme for label in labels] == [
        label.phoneme for label in parse_labels(SINSY.splitlines())
    ]
    with pytest.raises(InputError, match="ph_dur is missing"):
        segment_to_labels(replace(once, ph_dur=()))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "there are no labels"),
        (["0 10"], "line 1: must be start, end and context"),
        (["x 10 pau"], "line 1"),
        (["10 0 a^a-a+a=a"], "ends before it starts"),
    ],
)
def test_bad_labels(lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_labels(lines)


def test_labels_without_times_or_with_gaps() -> None:
    first = Label(0, 10, "x@a^a-pau+a=a/E:xx]")
    for second, message in (
        (Label(10, -1, "x@a^a-a+a=a/E:A4]"), "has no times"),
        (Label(20, 30, "x@a^a-a+a=a/E:A4]"), "ends at 10"),
        (Label(10, 30, "x@a^a-xx+a=a/E:A4]"), "slur must follow a syllable"),
    ):
        with pytest.raises(InputError, match=message):
            labels_to_segment((first, second), SYLLABIC)
