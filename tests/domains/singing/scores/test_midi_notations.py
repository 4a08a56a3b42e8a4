"""What MIDI and karaoke files write, one thing in each tiny file: each is read right."""

from pathlib import Path
from typing import Any

import pytest
from support.scores.notations import midi_file, played, shown, texts, tune

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.midi import read_midi

mido = pytest.importorskip("mido")

Track = list[tuple[int, Any]]
TWO = ((69, 0, 480), (71, 480, 960))
"""Two notes of a beat each."""


def lyrics(**at: str) -> Track:
    return texts("lyrics", **at)


def meta(kind: str, at: int = 0, **values: Any) -> Track:
    return [(at, mido.MetaMessage(kind, **values))]


ON, OFF = (mido.Message(kind, note=69) for kind in ("note_on", "note_off"))

CASES: list[tuple[str, list[Track], str]] = [
    ("lyrics at their notes", [tune(*TWO) + lyrics(t0="さ", t480="ら")], "さ.A4.1 ら.B4.1 _.2"),
    ("lyrics in another track", [lyrics(t0="さ", t480="ら"), tune(*TWO)], "さ.A4.1 ら.B4.1 _.2"),
    ("lyrics 120 ticks late", [tune(*TWO) + lyrics(t120="さ", t600="ら")], "さ.A4.1 ら.B4.1 _.2"),
    (
        "lyrics 120 ticks early",
        [tune((69, 480, 960), (71, 960, 1440)) + lyrics(t360="さ", t840="ら")],
        "_.1 さ.A4.1 ら.B4.1 _.1",
    ),
    (
        "late lyrics of short notes",
        [
            tune(*((69, 160 * k, 160 * k + 160) for k in range(3)))
            + lyrics(t90="a", t250="i", t410="u")
        ],
        "a.A4.1/3 i.A4.1/3 u.A4.1/3 _.3",
    ),
    (
        "two lyrics at one note",
        [tune((69, 0, 480)) + lyrics(t0="か") + lyrics(t0="い")],
        "か+い.A4.1 _.3",
    ),
    ("a note without a lyric", [tune(*TWO) + lyrics(t0="さ")], "さ.A4.1 ~.B4.1 _.2"),
    (
        "a hummed note",
        [tune((69, 0, 480), (71, 960, 1440)) + lyrics(t0="さ")],
        "さ.A4.1 _.1 a.B4.1 _.1",
    ),
    ("the first note is hummed", [tune(*TWO) + lyrics(t480="ら")], "a.A4.1 ら.B4.1 _.2"),
    *(
        (
            f"the lyric {mark} continues",
            [tune(*TWO) + lyrics(t0="さ", t480=mark)],
            "さ.A4.1 ~.B4.1 _.2",
        )
        for mark in ("-", "+", "ー", "~")
    ),
    (
        "notes that overlap a little",
        [tune((69, 0, 500), (71, 480, 960)) + lyrics(t0="さ", t480="ら")],
        "さ.A4.1 ら.B4.1 _.2",
    ),
    (
        "notes that overlap by half",
        [tune((69, 0, 720), (71, 480, 960)) + lyrics(t0="さ", t480="ら")],
        "さ.A4.1 ら.B4.1 _.2",
    ),
    (
        "a note inside another",
        [tune((69, 0, 960), (71, 480, 600)) + lyrics(t0="さ", t480="ら")],
        "さ.A4.1 ら.B4.1/4 _.11/4",
    ),
    (
        "a gap of a few ticks",
        [tune((69, 0, 470), (71, 480, 960)) + lyrics(t0="さ", t480="ら")],
        "さ.A4.1 ら.B4.1 _.2",
    ),
    ("a chord", [tune((69, 0, 480), (72, 0, 480)) + lyrics(t0="さ")], "さ.C5.1 _.3"),
    (
        "a chord that is strummed",
        [tune((69, 0, 480), (72, 5, 480)) + lyrics(t0="さ")],
        "さ.C5.1 _.3",
    ),
    (
        "a note without length",
        [tune((69, 0, 0), (71, 480, 960)) + lyrics(t0="さ", t480="ら")],
        "さ.A4.1/4 _.3/4 ら.B4.1 _.2",
    ),
    (
        "a note without an end",
        [[(0, ON), *lyrics(t0="さ"), *tune((71, 480, 960))]],
        "さ.A4.1 ~.B4.1 _.2",
    ),
    (
        "the same note again",
        [[(0, ON), (480, ON), (960, OFF), *lyrics(t0="さ", t480="ら")]],
        "さ.A4.1 ら.A4.1 _.2",
    ),
    (
        "percussion",
        [tune((40, 0, 480), channel=9) + tune(*TWO) + lyrics(t0="さ")],
        "さ.A4.1 ~.B4.1 _.2",
    ),
    (
        "channels of one track",
        [
            tune((40, 0, 200), (41, 240, 300), channel=2)
            + tune(*TWO, channel=3)
            + lyrics(t0="さ", t480="ら")
        ],
        "さ.A4.1 ら.B4.1 _.2",
    ),
    ("karaoke lines", [texts("text", t0="\\さ", t480="/ら"), tune(*TWO)], "さ.A4.1 ら.B4.1 _.2"),
    (
        "karaoke heads",
        [
            texts("text", t0="@KMIDI KARAOKE FILE")
            + texts("text", t1="@TTitle")
            + texts("text", t2="\\さ", t480="ら"),
            tune(*TWO),
        ],
        "さ.A4.1 ら.B4.1 _.2",
    ),
    (
        "heads as lyrics",
        [lyrics(t0="@LENGL") + lyrics(t1="さ", t480="ら"), tune(*TWO)],
        "さ.A4.1 ら.B4.1 _.2",
    ),
    (
        "karaoke words",
        [texts("text", t0="\\Hel", t480="lo", t960=" you"), tune(*TWO, (72, 960, 1920))],
        "Hel.A4.1- lo.B4.1 you.C5.2",
    ),
    (
        "spaces after words",
        [lyrics(t0="Hel", t480="lo ", t960="you"), tune(*TWO, (72, 960, 1920))],
        "Hel.A4.1- lo.B4.1 you.C5.2",
    ),
    (
        "line breaks of their own",
        [lyrics(t0="さ", t400="\r", t480="ら"), tune(*TWO)],
        "さ.A4.1 ら.B4.1 _.2",
    ),
    ("hyphens", [lyrics(t0="Hel-", t480="lo"), tune(*TWO)], "Hel.A4.1- lo.B4.1 _.2"),
    ("punctuation", [lyrics(t0="「さ。", t480="ら」"), tune(*TWO)], "さ.A4.1' ら.B4.1 _.2"),
    ("a tag of the language", [lyrics(t0="{@JP}さ", t480="ら"), tune(*TWO)], "さ.A4.1 ら.B4.1 _.2"),
    (
        "texts before the song",
        [texts("text", t0="My Song", t960="さ"), tune((69, 960, 1440))],
        "_.2 さ.A4.1 _.1",
    ),
    (
        "a breath",
        [lyrics(t0="さ", t480="ら") + texts("text", t480="breath"), tune(*TWO)],
        "さ.A4.1' ら.B4.1 _.2",
    ),
]


@pytest.mark.parametrize(("tracks", "expected"), [pytest.param(t, e, id=i) for i, t, e in CASES])
def test_what_files_write(tmp_path: Path, tracks: list[Track], expected: str) -> None:
    assert shown(read_midi(midi_file(tmp_path / "a.mid", *tracks))) == expected


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("utf-8", "さくら"),
        ("cp932", "さくら"),
        ("cp1252", "été"),
        ("utf-8", "été"),
        ("ascii", "la"),
    ],
)
def test_encodings(tmp_path: Path, charset: str, text: str) -> None:
    path = midi_file(tmp_path / "a.mid", tune(*TWO) + lyrics(t0=text), charset=charset)
    assert read_midi(path).notes[0].lyric == text


@pytest.mark.parametrize("ticks", [24, 96, 120, 192, 480, 960, 1024])
def test_resolutions(tmp_path: Path, ticks: int) -> None:
    late = min(120, ticks // 2)
    notes = tune((69, 0, ticks), (71, ticks, 2 * ticks))
    words = texts("lyrics", **{f"t{late}": "さ", f"t{ticks + late}": "ら"})
    path = midi_file(tmp_path / "a.mid", notes + words, ticks=ticks)
    assert shown(read_midi(path)) == "さ.A4.1 ら.B4.1 _.2"


def test_parts_titles_tempos_and_bars(tmp_path: Path) -> None:
    conductor = meta("set_tempo", tempo=600_000) + meta(
        "time_signature", numerator=3, denominator=4
    )
    conductor += meta("set_tempo", 480, tempo=500_000) + texts("text", t0="@TSong")
    piano = meta("track_name", name="Piano") + tune((48, 0, 240))
    voice = meta("track_name", name="Voice") + tune(*TWO)
    path = midi_file(tmp_path / "a.mid", conductor + lyrics(t0="さ", t480="ら"), piano, voice)
    found = read_midi(path)
    assert (found.title, found.part, found.tempos) == ("Song", "Voice", ((0, 100.0), (1, 120.0)))
    assert [bar.time_signature for bar in found.bars] == [(3, 4)]
    assert played(found) == "1"
    alone = midi_file(tmp_path / "b.mid", piano, voice)
    assert shown(read_midi(alone, part="voice", vowel="u")) == "u.A4.1 ~.B4.1 _.2"
    assert shown(read_midi(alone, part=1, vowel="u")) == "u.C3.1/2 _.7/2"
    with pytest.raises(InputError, match=r"--part: 1 \(Piano\), 2 \(Voice\)"):
        read_midi(alone, vowel="u")
    with pytest.raises(InputError, match=r"part 'x' does not exist; there are 1 \(Piano\)"):
        read_midi(alone, part="x")


def test_the_bottom_of_a_chord(tmp_path: Path) -> None:
    path = midi_file(tmp_path / "a.mid", tune((69, 0, 480), (72, 0, 480)) + lyrics(t0="さ"))
    assert shown(read_midi(path, chords="bottom")) == "さ.A4.1 _.3"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (  # a time of 268 million beats
            "4d546864000000060001000100014d54726b0000001500ff05026b6100903c40ffffff7f803c4000ff2f00",
            "the song has 67108864 bars, at most 20000 are possible",
        ),
        ("4d546864000000060001000100014d54726b00000008", "is not a MIDI file"),
        ("4d546864000000060001000100014d54726b0000000800ff5902090000ff2f00", "is not a MIDI file"),
        ("4d5468640000000600010001000a4d54726b0000000400ff2f00", "has no notes"),
        ("4d5468640000000600010000" + "01e0", "times in ticks per beat"),
        ("4d546864000000060002000100014d54726b0000000400ff2f00", "save it as format 1"),
    ],
)
def test_hostile_files(tmp_path: Path, data: str, message: str) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(bytes.fromhex(data))
    with pytest.raises(InputError) as error:
        read_midi(path)
    assert message in str(error.value)
    assert "()" not in str(error.value)


def test_too_large_files(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"MThd" + bytes(2**20))
    with pytest.raises(InputError, match="bytes, at most 1048576"):
        read_midi(tmp_path / "a.mid")
