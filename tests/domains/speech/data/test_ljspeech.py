"""Tables of transcripts: LJSpeech's layout and its variants."""

import warnings
from pathlib import Path

import pytest

from oneleap.core.errors import InputError, Notice
from oneleap.domains.speech.data.ljspeech import read_ljspeech


def corpus(folder: Path, table: str | bytes, *names: str) -> Path:
    """Write a table, and empty files for the recordings."""
    for name in names or ("c0.wav", "c1.wav"):
        (folder / "wavs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "wavs" / name).touch()
    raw = table if isinstance(table, bytes) else table.encode()
    (folder / "metadata.csv").write_bytes(raw)
    return folder


def read(folder: Path) -> list[tuple[str, str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [(item.path.name, item.text) for item in read_ljspeech(folder)]


BOTH = [("c0.wav", "Hello there."), ("c1.wav", "Bye now.")]


@pytest.mark.parametrize(
    "table",
    [
        "c0|Hello there.\nc1|Bye now.\n",
        "\ufeffc0|Hello there.\r\nc1|Bye now.\r\n",
        "c0.wav|Hello there.\nwavs/c1.wav|Bye now.",
        "./wavs/c0.WAV|Hello there.\nwavs\\c1.wav|Bye now.",
        "C0|Hello there.\n\n c1 | Bye now. \n",
        "c0|Hello 1.|Hello there.\nc1|Bye 2.|Bye now.",
        "c0|Hello there.|\nc1|Bye now.||",
        "c0|ann|Hello there.\nc1|ann|Bye now.",
        '"c0"|"Hello there."\nc1|"Bye now."',
        "c0\tHello there.\nc1\tBye now.",
        "file_name,transcription\nc0.wav,Hello there.\nc1.wav,Bye now.",
        "audio_file|text|speaker_name\nwavs/c0.wav|Hello there.|ann\nwavs/c1.wav|Bye now.|ann",
        "c0|Hello there.\nc1|Bye now.".encode("utf-16"),
    ],
)
def test_forms_of_a_table(table: str | bytes, tmp_path: Path) -> None:
    assert read(corpus(tmp_path, table)) == BOTH


def test_quotation_marks_of_the_text_stay(tmp_path: Path) -> None:
    table = 'c0|"Stop," he said, "now."\nc1|"He said ""now""."'
    said = [text for _, text in read(corpus(tmp_path, table))]
    assert said == ['"Stop," he said, "now."', 'He said "now".']


def test_speakers_are_told_from_words(tmp_path: Path) -> None:
    found = read_ljspeech(corpus(tmp_path, "c0|ann|Hello there.\nc1|ann|Bye now."))
    assert [item.speaker for item in found] == ["ann", "ann"]
    short = corpus(tmp_path, "c0|DAHDI|Dahdi.\nc1|PBX|P B X.")
    assert [item.speaker for item in read_ljspeech(short)] == ["", ""]
    with pytest.warns(Notice, match="2 speakers are trained as one"):
        read_ljspeech(corpus(tmp_path, "c0|a|One two.\nc1|b|No.\nc2|a|Yes.\nc3|b|So.",
                             "c0.wav", "c1.wav", "c2.wav", "c3.wav"))  # fmt: skip


def test_suffixes_in_capitals_folders_below_and_the_folder_itself(tmp_path: Path) -> None:
    table = "a.b|One.\nsub/c|Two.\nd|Three."
    assert read(corpus(tmp_path / "x", table, "a.b.WAV", "sub/c.Flac", "d.mp3")) == [
        ("a.b.WAV", "One."),
        ("c.Flac", "Two."),
        ("d.mp3", "Three."),
    ]
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "c0.wav").touch()
    (plain / "metadata.csv").write_text("c0|One.")
    assert read(plain) == [("c0.wav", "One.")]


def test_the_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    corpus(tmp_path / "mine", "c0|One.\n~/mine/wavs/c1.wav|Two.")
    assert read(Path("~/mine")) == [("c0.wav", "One."), ("c1.wav", "Two.")]


def test_what_is_skipped_is_counted_and_named(tmp_path: Path) -> None:
    table = "c0|One.\nc1|\nc2|Two.\nc0|Again.\nnothing\n"
    with pytest.warns(Notice) as caught:
        found = read_ljspeech(corpus(tmp_path, table, "c0.wav", "c1.wav", "c3.wav"))
    assert [item.path.name for item in found] == ["c0.wav"]
    assert len(caught) == 1
    said = str(caught[0].message)
    for part in (
        "1 recordings without a text (c1.wav)",
        "1 lines without a recording (line 3: c2)",
        "1 repeated lines (line 4: c0)",
        "1 lines without name|text (line 5)",
        "1 recordings without a line (c3.wav)",
    ):
        assert part in said


def test_many_skipped_lines_are_shortened(tmp_path: Path) -> None:
    table = "c0|One.\n" + "".join(f"x{i}|Two.\n" for i in range(9))
    with pytest.warns(Notice, match=r"9 lines without a recording \(.* and 4 more\)"):
        read_ljspeech(corpus(tmp_path, table, "c0.wav"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "holds no transcripts of the recordings"),
        ("x|One.", r"holds no transcripts .*1 lines without a recording \(line 1: x\)"),
        (b"c0|\xff\xfe\xfa", "is not UTF-8 text"),
    ],
)
def test_a_table_without_a_use(table: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_ljspeech(corpus(tmp_path, table))


def test_no_sound(tmp_path: Path) -> None:
    corpus(tmp_path, "c0|One.", "c0.txt")
    with pytest.raises(InputError, match=r"wavs: holds no sound files \(.flac"):
        read_ljspeech(tmp_path)
