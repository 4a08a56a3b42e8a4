"""Damaged files: each reader succeeds or says in one line what is wrong, and quickly."""

import io
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.scores.notations import (
    bar,
    line,
    lyric,
    midi_file,
    n,
    partwise,
    sign,
    texts,
    tune,
    words,
)
from support.song_strategies import SAKURA

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.read import read_segments
from oneleap.domains.singing.segments.ds import write_ds
from oneleap.domains.singing.segments.hts_segments import segment_to_labels

for module in ("mido", "defusedxml"):
    pytest.importorskip(module)

pytestmark = pytest.mark.filterwarnings("ignore:Dictionary.create:DeprecationWarning")

LIMIT_S = 5.0
"""Longest time in which any file is read; a normal one takes milliseconds."""

TOKENS = [
    b"0", b"-1", b"1e9", b"9" * 20, b"9" * 400, b"\xc2\xb2", b"1/0", b"NaN", b"inf", b"", b" ",
    b"\x00", b"\xff\xff\xff\x7f", b"<", b">", b"</note>", b"<chord/>", b"&a;", b'"', b"[", b"{",
    b"backward", b"99999999", b"yes", b"stop", b"\xe3\x81\x95", b"\xff\xfe", b"\n", b"rest", b"|",
]  # fmt: skip
"""What replaces a piece of a file: numbers, signs of the formats, and bytes that are no text."""


def song() -> str:
    """A score that uses most of what is read."""
    dynamics = sign("<dynamics><p/></dynamics>") + sign('<wedge type="crescendo"/>')
    tempo = '<sound tempo="90"/>'
    both = lyric("さ") + lyric("し", "2")
    one = bar(1, tempo, dynamics, n("A4", 2, both), n("C5", 2, "", "<chord/>"), n("_", 2))
    two = bar(
        2,
        n("A4", 1, "ら。", "", '<tie type="start"/>'),
        n("A4", 3, "", "", '<tie type="stop"/>'),
        start=line("1, 2"),
        end=line("1, 2", "stop", "backward"),
    )
    three = bar(3, sign("segno"), "<backup><duration>0</duration></backup>", n("Bb4", 4, "ら"))
    return partwise(("Voice", one + two + three + bar(4, n("A4", 4, "か"), words("D.S. al Fine"))))


def musicxml(folder: Path) -> bytes:
    return song().encode()


def mxl(folder: Path) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(
            "META-INF/container.xml", '<container><rootfile full-path="a.xml"/></container>'
        )
        file.writestr("a.xml", song())
    return data.getvalue()


def midi(folder: Path) -> bytes:
    lyrics = texts("lyrics", t0="さ", t480="ら", t960="く")
    notes = tune((69, 0, 480), (71, 480, 960), (72, 960, 1920))
    return midi_file(folder / "seed.mid", lyrics + texts("text", t0="@T"), notes).read_bytes()


def ds(folder: Path) -> bytes:
    write_ds(folder / "seed.ds", [SAKURA, replace(SAKURA, offset=3.0)])
    return (folder / "seed.ds").read_bytes()


def lab(folder: Path) -> bytes:
    return "".join(f"{label.line}\n" for label in segment_to_labels(SAKURA)).encode()


def ust(folder: Path) -> bytes:
    notes = "".join(f"[#000{k}]\nLength=480\nLyric=さ\nNoteNum=69\n" for k in range(3))
    return f"[#VERSION]\nUST Version1.2\n[#SETTING]\nTempo=120\n{notes}[#TRACKEND]\n".encode()


def ustx(folder: Path) -> bytes:
    note = "  - {position: %d, duration: 480, tone: 69, lyric: さ}\n"
    return ("bpm: 120\nvoice_parts:\n- name: V\n  notes:\n" + note % 0 + note % 480).encode()


SEEDS: dict[str, Callable[[Path], bytes]] = {
    ".musicxml": musicxml,
    ".mxl": mxl,
    ".mid": midi,
    ".ds": ds,
    ".lab": lab,
    ".ust": ust,
    ".ustx": ustx,
}
"""A sound file of each format."""

edits = st.lists(
    st.tuples(
        st.sampled_from(("flip", "cut", "copy", "token")),
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 255),
        st.sampled_from(TOKENS),
    ),
    min_size=1,
    max_size=6,
)


def mutated(data: bytes, changes: list[tuple[str, float, int, bytes]]) -> bytes:
    """Apply edits to a file: flip a byte, cut or copy a piece, or put a token in its place."""
    for kind, where, size, token in changes:
        at = int(where * len(data))
        piece = data[at : at + size % 64]
        if kind == "flip":
            data = data[:at] + bytes([size]) + data[at + 1 :]
        elif kind == "cut":
            data = data[:at] + data[at + len(piece) :]
        elif kind == "copy":
            data = data[:at] + piece * (1 + size % 5) + data[at:]
        else:
            data = data[:at] + token + data[at + size % 8 :]
    return data


def check(suffix: str, folder: Path, count: int) -> None:
    seed, path = SEEDS[suffix](folder), folder / f"a{suffix}"
    read = 0

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @given(edits)
    def run(changes: list[tuple[str, float, int, bytes]]) -> None:
        nonlocal read
        path.write_bytes(mutated(seed, changes))
        start = time.process_time()
        try:
            read_segments(path)
            read += 1
        except InputError as error:
            message = str(error)
            assert message.startswith(str(path))
            assert "\n" not in message
            assert "()" not in message
            assert not message.rstrip().endswith(":")
        assert time.process_time() - start < LIMIT_S

    run()
    assert read  # some damage is harmless


@pytest.mark.parametrize("suffix", SEEDS)
def test_sound_files_are_read(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").write_bytes(SEEDS[suffix](tmp_path))
    assert read_segments(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", SEEDS)
def test_damaged_files(suffix: str, tmp_path: Path) -> None:
    check(suffix, tmp_path, 100)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SEEDS)
def test_many_damaged_files(suffix: str, tmp_path: Path) -> None:
    check(suffix, tmp_path, 1500)
