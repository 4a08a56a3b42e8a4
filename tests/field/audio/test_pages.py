"""Every refusal of data names the page that says what the data must hold, and the page is true."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support import tiny_audio, tiny_music, tiny_singing, tiny_speech

from oneleap.core.errors import InputError
from oneleap.domains.audio.data.datamodule import AudioData
from oneleap.domains.audio.data.pages import SOUNDS, refers_to
from oneleap.domains.audio.data.pitched import PitchedAudioData
from oneleap.domains.audio.wave import SUFFIXES
from oneleap.domains.music.data.datamodule import PAGE as MUSIC
from oneleap.domains.music.data.datamodule import MusicData
from oneleap.domains.singing.data.datamodule import SingingData
from oneleap.domains.singing.data.recordings import PAGE as SINGING
from oneleap.domains.singing.segments.transcriptions import COLUMNS
from oneleap.domains.speech.data.datamodule import SpeechData
from oneleap.domains.speech.data.ljspeech import PAGE as SPEECH

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")
ROOT = Path(__file__).parents[3]


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def silence(folder: Path) -> None:
    path = min(folder.rglob("*.wav"))
    soundfile.write(path, np.zeros(4000, np.float32), 8000)


def damage(folder: Path) -> None:
    min(folder.rglob("*.wav")).write_bytes(b"RIFF")


def not_finite(folder: Path) -> None:
    path = min(folder.rglob("*.wav"))
    soundfile.write(path, np.full(4000, np.nan, np.float32), 8000, subtype="FLOAT")


def gone(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def emptied(folder: Path) -> None:
    for path in folder.rglob("*.wav"):
        path.unlink()


EVERYWHERE = (silence, damage, not_finite, gone, emptied)


def speech(folder: Path) -> None:
    pytest.importorskip("numba")
    data = SpeechData((str(folder),), mel=tiny_speech.MEL, ipa=True)
    next(iter(data.train_dataloader()))


def singing(folder: Path) -> None:
    pytest.importorskip("pyworld")
    data = SingingData((str(folder),), mel=tiny_singing.MEL, batch_size=2)
    assert data.spec.phonemes
    next(iter(data.train_dataloader()))


def music(folder: Path) -> None:
    data = MusicData((str(folder),), mel=tiny_music.MEL, frames=32, batch_size=2)
    next(iter(data.train_dataloader()))


def table_of_speech(change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder / "metadata.csv", change)


def table_of_songs(change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder / "transcriptions.csv", change)


def lengthen(folder: Path) -> None:
    path = min(folder.rglob("*.wav"))
    soundfile.write(path, tiny_singing.tone((57.0,), (5.0,)), tiny_singing.RATE)


@pytest.mark.parametrize(
    "spoil",
    [
        *EVERYWHERE,
        table_of_speech(lambda text: ""),
        table_of_speech(lambda text: text.replace("|", " ")),
    ],
)
def test_refused_speech(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = tiny_speech.write_corpus(tmp_path / "mine")
    spoil(folder)
    with pytest.raises(InputError, match=f"(?s)^.*{re.escape(SPEECH)}"):
        speech(folder)


@pytest.mark.parametrize(
    "spoil",
    [
        *EVERYWHERE,
        lengthen,
        table_of_songs(lambda text: text.partition("\n")[0] + "\n"),
        table_of_songs(lambda text: text.replace("ph_seq", "phones")),
        table_of_songs(lambda text: text.replace("A3", "H3")),
        table_of_songs(lambda text: re.sub(r"[AC]#?[34]|E4", "rest", text)),
        table_of_songs(lambda text: text.replace("2 2 1 1", "2 2 1 2")),
    ],
)
def test_refused_songs(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = tiny_singing.write_corpus(tmp_path / "mine", songs=2, phrases=1)
    spoil(folder)
    with pytest.raises(InputError, match=f"(?s)^.*{re.escape(SINGING)}"):
        singing(folder)


@pytest.mark.parametrize(
    "spoil",
    [
        *EVERYWHERE,
        lambda folder: (folder / "metadata.csv").write_text("file\n"),
        lambda folder: (folder / "metadata.csv").write_text("file,tags\nmissing.wav,calm\n"),
        lambda folder: [p.unlink() for p in sorted(folder.rglob("*.wav"))[1:]],
    ],
)
def test_refused_music(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    folder = tiny_music.write_pieces(tmp_path / "mine", each=1)
    spoil(folder)
    with pytest.raises(InputError, match=f"(?s)^.*{re.escape(MUSIC)}"):
        music(folder)


@pytest.mark.parametrize("build", [AudioData, PitchedAudioData])
@pytest.mark.parametrize("spoil", EVERYWHERE)
def test_refused_sounds(
    tmp_path: Path, spoil: Callable[[Path], None], build: type[AudioData]
) -> None:
    pytest.importorskip("pyworld")
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in "ab":
        soundfile.write(folder / f"{name}.wav", tiny_audio.tone(0.5, 220), tiny_audio.RATE)
    spoil(folder)
    data = build((str(folder),), mel=tiny_audio.MEL, seconds=0.1, batch_size=2)
    with pytest.raises(InputError, match=f"(?s)^.*{re.escape(SOUNDS)}"):
        next(iter(data.train_dataloader()))


def test_a_page_is_named_once_and_other_errors_pass() -> None:
    once = r"^bad \(what the data must hold: page\.md\)$"
    with pytest.raises(InputError, match=once), refers_to("page.md"), refers_to("page.md"):
        raise InputError("bad")
    with pytest.raises(KeyError), refers_to("page.md"):
        raise KeyError("other")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (SPEECH, ("metadata.csv", "wavs/name.wav", "--data.longest_s", "```python")),
        (
            SINGING,
            ("transcriptions.csv", "wavs/NAME.wav", "f0/NAME.npy", *COLUMNS, "```python"),
        ),
        (MUSIC, ("metadata.csv", "`file`", "`tags`", "--data.frames", "```python")),
        (SOUNDS, ("data-speech.md", "data-singing.md", "data-music.md")),
    ],
)
def test_the_pages_exist_and_name_what_is_read(page: str, words: tuple[str, ...]) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for word in (*words, *SUFFIXES):
        assert word in text, word


@pytest.mark.parametrize("domain", ["speech", "singing", "music"])
def test_a_path_may_start_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, domain: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write, read = {
        "speech": (tiny_speech.write_corpus, speech),
        "singing": (tiny_singing.write_corpus, singing),
        "music": (tiny_music.write_pieces, music),
    }[domain]
    write(tmp_path / "mine")
    read(Path("~/mine"))


def test_a_table_of_tags_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    folder = tiny_music.write_pieces(tmp_path / "mine", each=2)
    files = sorted(folder.rglob("*.wav"))
    tags = ("calm", "calm", "loud", "loud")
    rows = [f"{path.relative_to(folder)},{tag}" for path, tag in zip(files, tags, strict=True)]
    (folder / "metadata.csv").write_text("\r\n".join(["file,tags", *rows]), encoding="utf-8-sig")
    data = MusicData((str(folder),), mel=tiny_music.MEL, frames=32, batch_size=2)
    assert data.spec.tags == ("calm", "loud")
