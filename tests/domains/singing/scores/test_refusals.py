"""What cannot be sung: one line that names the file, the bar and the note, and what helps."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.scores.notations import bar, line, lyric, n, partwise, words

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.elements import xml_safe
from oneleap.domains.singing.scores.read import read_segments

for module in ("mido", "defusedxml"):
    pytest.importorskip(module)


def refusal(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as error:
        read_segments(path, **options)
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert "()" not in message
    assert len(message) < 500 + len(str(path))
    return message


def ra(more: str = "", after: str = "") -> str:
    return n("A4", 4, "ら", more, after)


UNPITCHED = "<note><unpitched/><duration>24</duration><lyric><text>ta</text></lyric></note>"
LONG, LONGER = "9" * 400, "9" * 5000


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            partwise(bar(1, ra())),
            {"verse": 2},
            "verse 2 does not exist; there are 1: name one with",
        ),
        (partwise(bar(1, ra())), {"verse": "²"}, "verse ² does not exist"),
        (partwise(bar(1, ra())), {"part": 2}, "part '2' does not exist; there are 1: name"),
        (partwise(("V", bar(1, ra()))), {"part": "U"}, "part 'U' does not exist; there are 1 (V)"),
        (partwise(("V", bar(1, ra()))), {"part": "²"}, "part '²' does not exist"),
        (
            partwise(bar(1, n("A4", 4))),
            {},
            "has no lyrics in its 1 part: write a syllable under each",
        ),
        (partwise(bar(1, n("A4", 4))), {}, "or sing it on a vowel with --vowel a"),
        (
            partwise(("V", bar(1, n("A4", 4))), ("W", bar(1, n("A4", 4)))),
            {"vowel": "a"},
            "name the one to sing with --part: 1 (V), 2 (W)",
        ),
        (partwise(bar(1, ra()), bar(1, n("A4", 4))), {"part": 2}, "part 2 has no lyrics: write a"),
        (
            partwise(bar(1, UNPITCHED)),
            {},
            "bar 1, note 1: has no pitch (percussion): name the part",
        ),
        (
            partwise(bar(1, ra(), words("D.S."))),
            {},
            "bar 1: D.S., but no bar before it has a segno",
        ),
        (
            partwise(bar(1, ra(), words("D.C. al Coda"))),
            {},
            "bar 1: al Coda, but no bar has a coda",
        ),
        (partwise(bar(1, ra(), line(repeat="backward", times=99999))), {}, "more than 20000 bars"),
        (partwise(bar(1, ra().replace(">4<", f">{LONG}<"))), {}, "bar 1, note 1: '9999999999"),
        (partwise(bar(1, ra().replace(">4<", f">{LONGER}<"))), {}, "is not a decimal number"),
        (partwise(bar(1, ra().replace(">96<", ">²<"))), {}, "bar 1, note 1: '²' is not a decimal"),
        (partwise(bar(1, ra().replace(">96<", f">{LONG}<"))), {}, "is not a decimal number"),
        (partwise(bar(1, ra().replace(">96<", ">1/3<"))), {}, "'1/3' is not a decimal number"),
        (partwise(bar(1, ra().replace(">96<", ">NaN<"))), {}, "'NaN' is not a decimal number"),
        (partwise(bar(1, ra())).replace(">24<", ">0<"), {}, "bar 1, note 1: divisions is 0"),
        (partwise(bar(1, f'<sound tempo="{LONG}"/>', ra())), {}, "is not a decimal number"),
        (
            partwise(bar(1, "<attributes><time><beats>²</beats></time></attributes>", ra())),
            {},
            "'²' is not a decimal number",
        ),
        (
            partwise(bar(1, "<note><duration>24</duration></note>", ra())),
            {},
            "neither a pitch nor a",
        ),
        (
            partwise(bar(1, n("A4", 4, "xq"))),
            {},
            "bar 1, note 1: 'xq' in the lyric 'xq' is not roma",
        ),
        (partwise(bar(7, n("A4", 1, "ら"), n("_"), n("A4", 2, "&amp;"))), {}, "bar 7, note 3: '&'"),
        (partwise(bar(1, n("_", 4, lyric("x")))), {}, "the score contains only rests"),
        ("<score-partwise><part/></score-partwise>", {}, "has no lyrics in its 1 part"),
        ("<score-partwise/>", {}, "has no parts"),
        ("<!DOCTYPE a SYSTEM 'http://x/y'><opus/>", {}, "its root element is 'opus'"),
        ("<a" + " b='1'" * 3, {}, "is not XML"),
    ],
)
def test_scores(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    path = tmp_path / "a.musicxml"
    path.write_text(text, encoding="utf-8")
    assert message in refusal(path, **options)


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    path.write_bytes(data.getvalue())
    return data.getvalue()


def container(name: str) -> bytes:
    return f'<container><rootfile full-path="{name}"/></container>'.encode()


def test_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.mxl"
    score = partwise(bar(1, ra())).encode()
    for name in ("../a.xml", "/etc/passwd", "..\\a.xml"):
        archive(path, {"META-INF/container.xml": container(name), name: score})
        assert "names a score outside of the file" in refusal(path)
    archive(path, {"META-INF/container.xml": container("b.xml"), "a.xml": score})
    assert "contains no score" in refusal(path)
    good = archive(path, {"a.xml": score}, zipfile.ZIP_LZMA)
    assert len(read_segments(path)) == 1
    bad = bytearray(good)
    bad[40:70] = b"\xff" * 30
    path.write_bytes(bad)
    assert "is not an .mxl file" in refusal(path)
    good = archive(path, {"é.xml": score})
    path.write_bytes(good.replace("é".encode(), b"\xff\xfe"))
    assert "a name in it is not UTF-8" in refusal(path)


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mxl"
    archive(path, {"a.xml": b"<a>" + b"<b/>" * (2 * xml_safe.MAX_ELEMENTS) + b"</a>"})
    assert "has more than 600000 elements" in refusal(path)
    archive(path, {"a.xml": b"<a" + b" b=''" * (xml_safe.MAX_ELEMENTS + 1) + b"/>"})
    assert "has more than 600000 elements" in refusal(path)
    archive(path, {"a.xml": b"<a>" * 10_000 + b"</a>" * 10_000})
    assert "its root element is 'a'" in refusal(path)
    monkeypatch.setattr(xml_safe, "MAX_ZIP_BYTES", 100)
    assert "no .mxl file has more than" in refusal(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"ph_seq": "a", "offset": ' + LONG + "}]", "segment 1: offset is 9999"),
        ('[{"ph_seq": "a", "offset": ' + LONGER + "}]", "a number is too long"),
        ('[{"ph_seq": "a", "ph_num": "²"}]', "segment 1: ph_num: value 1: '²' is not a number"),
        ('[{"ph_seq": "a", "ph_num": "' + LONG + '"}]', "segment 1: ph_num: value 1: '9999"),
        ('[{"ph_seq": "a", "ph_dur": "' + LONG + '"}]', "ph_dur: phoneme 1 (a) lasts inf s"),
        ('[{"ph_seq": "a", "note_seq": "C' + LONG + '"}]', "segment 1: note_seq: value 1: 'C9999"),
        (
            '[{"ph_seq": "a", "note_seq": "C²"}]',
            "segment 1: note_seq: value 1: 'C²' is not a pitch",
        ),
        ('[{"ph_seq": "a", "note_slur": "' + LONG + '"}]', "note_slur: value 1: '9999"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "contains no segments"),
        ('[{"ph_seq": "a"}]', "segment 1: ph_num is missing"),
    ],
)
def test_ds(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.ds"
    path.write_text(text, encoding="utf-8")
    assert message in refusal(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"0 {LONG} a^a-a+a=a", "line 1: must be start, end and context"),
        (f"0 {LONGER} a^a-a+a=a", "line 1: must be start, end and context"),
        ("0 ² a^a-a+a=a", "line 1: must be start, end and context"),
        ("0 10 a^a-a+a=a/E:C" + LONG + "]", "line 1: must be start, end and context"),
        ("", "there are no labels"),
        ("5 1 a^a-a+a=a", "line 1: the label ends before it starts"),
    ],
)
def test_labels(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.lab"
    path.write_text(text, encoding="utf-8")
    assert message in refusal(path)
