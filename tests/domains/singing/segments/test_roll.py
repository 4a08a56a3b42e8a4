"""Songs as tables and piano rolls."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.song_strategies import SAKURA

from oneleap.domains.singing.lyrics.phonemizer import SYLLABIC
from oneleap.domains.singing.segments.roll import draw_roll, format_notes, note_rows, save_roll

NAMED = replace(SAKURA, note_lyrics=("", "さ", "く", "ら", "", ""), offset=1.0)


def test_notes_and_their_phonemes() -> None:
    rows = note_rows([NAMED], SYLLABIC)
    assert [(r.start, r.seconds, r.midi, r.lyric) for r in rows] == [
        (1.5, 0.5, 69.0, "さ"),
        (2.0, 0.5, 69.0, "く"),
        (2.5, 0.6, 71.0, "ら"),
        (pytest.approx(3.1), 0.4, 72.0, ""),
    ]
    assert [[p for p, _ in r.phonemes] for r in rows] == [["s", "a"], ["k", "u"], ["r", "a"], []]
    assert [t for r in rows for _, t in r.phonemes] == pytest.approx(
        [1.4, 1.5, 1.9, 2.0, 2.45, 2.5]
    )


def test_without_durations_only_vowels_have_times() -> None:
    rows = note_rows([replace(NAMED, ph_dur=())], SYLLABIC)
    assert rows[0].phonemes == (("s", None), ("a", 1.5))


def test_the_table_and_the_roll() -> None:
    rows = note_rows([NAMED], SYLLABIC)
    table = format_notes(rows).splitlines()
    assert table[0].split() == [
        "start",
        "s",
        "length",
        "note",
        "syllable",
        "phonemes",
        "(start",
        "s)",
    ]
    assert table[1].split() == ["1.500", "0.500", "A4", "さ", "s", "1.400", "a", "1.500"]
    assert table[4].split() == ["3.100", "0.400", "C5", "-"]
    roll = draw_roll(rows, 71).splitlines()  # 4 columns a second
    assert [line.split("|")[0].strip() for line in roll[:4]] == ["C5", "B4", "A#4", "A4"]
    assert roll[0] == "   C5 |" + " " * 12 + "██"
    assert roll[1] == "   B4 |" + " " * 10 + "▐█"
    assert roll[3] == "   A4 |" + " " * 6 + "▐█▐█"
    assert roll[4].split() == ["さくら"]
    assert roll[5].split() == ["0", "4", "8", "12"]
    assert draw_roll([]) == ""
    assert draw_roll(note_rows([NAMED, replace(NAMED, offset=33.0)], SYLLABIC)).count("\n\n") == 1


def test_pictures(tmp_path: Path) -> None:
    save_roll(tmp_path / "roll.png", note_rows([NAMED], SYLLABIC), "さくら")
    assert (tmp_path / "roll.png").read_bytes().startswith(b"\x89PNG")
