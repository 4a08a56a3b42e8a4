"""Projects of UTAU and OpenUtau."""

from pathlib import Path

import pytest
from support.scores.notations import shown

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.read import read_score

HEAD = "[#VERSION]\nUST Version1.2\n[#SETTING]\nTempo=90.5\nProjectName=Song\n"


def ust(*notes: tuple[int, str, int], more: str = "") -> str:
    rows = "".join(
        f"[#{k:04d}]\nLength={length}\nLyric={lyric}\nNoteNum={pitch}\n{more}"
        for k, (length, lyric, pitch) in enumerate(notes)
    )
    return f"{HEAD}{rows}[#TRACKEND]\n"


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([(480, "さ", 69)], "さ.A4.1 _.3"),
        ([(480, "R", 60), (480, "さ", 69)], "_.1 さ.A4.1 _.2"),
        ([(480, "さ", 69), (480, "-", 71)], "さ.A4.1 ~.B4.1 _.2"),
        ([(480, "さ", 69), (480, "+", 71)], "さ.A4.1 ~.B4.1 _.2"),
        ([(480, "- さ", 69), (480, "a ら", 71)], "さ.A4.1 ら.B4.1 _.2"),
        ([(480, "さ", 69), (0, "ら", 71)], "さ.A4.1 _.3"),
        ([(160, "さ", 69)] * 3, "さ.A4.1/3 さ.A4.1/3 さ.A4.1/3 _.3"),
    ],
)
@pytest.mark.parametrize("charset", ["utf-8", "cp932"])
def test_ust(
    tmp_path: Path, notes: list[tuple[int, str, int]], expected: str, charset: str
) -> None:
    (tmp_path / "a.ust").write_text(ust(*notes), encoding=charset)
    score = read_score(tmp_path / "a.ust")
    assert shown(score) == expected
    assert (score.title, score.tempos) == ("Song", ((0, 90.5),))


def test_tempo_changes_of_ust(tmp_path: Path) -> None:
    text = ust((480, "さ", 69), (480, "ら", 69)).replace("[#0001]\n", "[#0001]\nTempo=60\n")
    (tmp_path / "a.ust").write_text(text, encoding="utf-8")
    assert read_score(tmp_path / "a.ust").tempos == ((0, 90.5), (1, 60.0))


USTX = """\
name: Song
bpm: 100
beat_per_bar: 3
beat_unit: 4
tempos:
- {position: 0, bpm: 100}
- {position: 480, bpm: 120}
voice_parts:
- name: Voice
  position: 480
  notes:
  - {position: 0, duration: 480, tone: 69, lyric: さ}
  - {position: 480, duration: 480, tone: 71, lyric: +~}
  - {position: 960, duration: 480, tone: 72, lyric: "ら[r a]"}
- name: Other
  position: 0
  notes:
  - {position: 0, duration: 480, tone: 60, lyric: R}
  - {position: 480, duration: 240, tone: 60, lyric: う}
"""


def test_ustx(tmp_path: Path) -> None:
    (tmp_path / "a.ustx").write_text(USTX, encoding="utf-8")
    score = read_score(tmp_path / "a.ustx")
    assert shown(score) == "_.1 さ.A4.1 ~.B4.1 ら.C5.1 _.2"
    assert (score.title, score.part) == ("Song", "Voice")
    assert score.tempos == ((0, 100.0), (1, 120.0))
    assert score.bars[0].time_signature == (3, 4)
    assert shown(read_score(tmp_path / "a.ustx", part="other")) == "_.1 う.C4.1/2 _.3/2"


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        (".ust", "hello", "is not a project of UTAU"),
        (".ust", ust((480, "R", 69)), "has no notes with a lyric"),
        (
            ".ust",
            ust((480, "さ", 200)),
            "note 1: NoteNum is '200', not a whole number from 0 to 127",
        ),
        (".ust", ust((480, "さ", 69)).replace("480", "9" * 400), "note 1: Length is '9999"),
        (".ust", ust((480, "さ", 69)).replace("480", "²"), "note 1: Length is '²'"),
        (".ust", ust((480, "さ", 69)).replace("90.5", "0"), "section [#SETTING]: the tempo is '0'"),
        (".ust", ust((99999999, "さ", 69)), "bars, at most 20000 are possible"),
        (".ustx", "a: [", "is not a project of OpenUtau ("),
        (".ustx", "[" * 5000, "is not a project of OpenUtau"),
        (".ustx", "bpm: 90", "it has no voice_parts"),
        (".ustx", "voice_parts: [{notes: []}]", "has no notes"),
        (".ustx", USTX.replace("tone: 69", "tone: x"), "note 1: tone is 'x'"),
        (".ustx", USTX.replace("position: 960", "position: 480"), "note 2: starts together"),
        (".ustx", "a: &a [1]\nvoice_parts: *a", "has anchors"),
    ],
)
def test_refusals(tmp_path: Path, suffix: str, text: str, message: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_score(path)
    assert message in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
