"""Reading any file that can be sung, by its suffix."""

from pathlib import Path

import pytest
from support.song_strategies import SAKURA

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.midi_write import write_midi
from oneleap.domains.singing.scores.read import read_score, read_segments
from oneleap.domains.singing.scores.score import with_lyrics
from oneleap.domains.singing.segments.ds import write_ds
from oneleap.domains.singing.segments.hts import write_labels
from oneleap.domains.singing.segments.hts_segments import segment_to_labels
from oneleap.domains.singing.segments.segment import Segment

for module in ("mido", "defusedxml"):
    pytest.importorskip(module)

EXAMPLE = Path(__file__).parents[4] / "examples" / "sakura.musicxml"


def test_the_example() -> None:
    score = read_score(EXAMPLE)
    assert score.title == "Sakura"
    assert len(score.bars) == 14
    once = read_segments(EXAMPLE)
    assert "".join("".join(s.text.split()) for s in once).startswith("さくらさくらやよいのそらわ")
    assert once[0].offset == -0.25  # the first note is at 0
    assert min(m for s in once for m in s.note_midi if m is not None) == 59.0
    other = with_lyrics(score, ["ら"] * 45)
    assert {n.lyric for n in other.notes} == {"ら", ""}
    with pytest.raises(InputError, match="3 syllables for 45 notes"):
        with_lyrics(score, ["ら"] * 3)


def test_suffixes_of_scores(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("la la")
    with pytest.raises(InputError, match=r"the suffix of a score must be one of \.musicxml"):
        read_segments(tmp_path / "a.txt")
    with pytest.raises(InputError, match="no such file"):
        read_segments(tmp_path / "b.mid")
    score = read_score(EXAMPLE)
    write_midi(tmp_path / "s.mid", score)
    assert [s.ph_seq for s in read_segments(tmp_path / "s.mid")] == [
        s.ph_seq for s in read_segments(EXAMPLE)
    ]


def test_segments_are_scores(tmp_path: Path) -> None:
    write_ds(tmp_path / "a.ds", [SAKURA])
    (found,) = read_segments(tmp_path / "a.ds")
    assert found == SAKURA
    write_labels(tmp_path / "a.lab", segment_to_labels(SAKURA))
    (found,) = read_segments(tmp_path / "a.lab")
    assert found.ph_seq == SAKURA.ph_seq
    write_ds(tmp_path / "a.ds", [SAKURA, Segment(ph_seq=("SP",))])
    with pytest.raises(InputError, match=r"a\.ds, segment 2: ph_num is missing"):
        read_segments(tmp_path / "a.ds")
