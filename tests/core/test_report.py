"""A page that needs no other file."""

import base64
import re
from pathlib import Path

from matplotlib.figure import Figure

from oneleap.core.report import Code, Media, Section, Table, Text, png, size_text, write_page


def test_sizes_are_never_zero(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for size, text in ((1, "1 KiB"), (6118, "6 KiB"), (2**20, "1.0 MiB"), (5 * 2**19, "2.5 MiB")):
        file.write_bytes(bytes(size))
        assert size_text(file) == text


def test_a_page_holds_everything_and_escapes_text(tmp_path: Path) -> None:
    image = png(Figure(figsize=(1, 1)))
    parts = [
        Text("a < b & c"),
        Code("oneleap fit <config>"),
        Table(("name", "value"), [("x", "1"), ("y & z", "2")]),
        Media("picture", image),
        Media("sound", b"RIFF", "audio/wav"),
        Media("film", b"mp4", "video/mp4"),
    ]
    page = tmp_path / "report.html"
    write_page(page, "Results & more", [Section("First", parts), Section("Second", [])])
    text = page.read_text()
    assert "<h1>Results &amp; more</h1>" in text
    assert text.index("<h2>First</h2>") < text.index("<h2>Second</h2>")
    assert "<p>a &lt; b &amp; c</p>" in text
    assert "<pre>oneleap fit &lt;config&gt;</pre>" in text
    assert "<th>value</th>" in text
    assert "<td>y &amp; z</td>" in text
    found = re.search(r'<img alt="picture" src="data:image/png;base64,([^"]+)">', text)
    assert found is not None
    assert base64.b64decode(found[1]) == image
    assert '<audio controls src="data:audio/wav;base64,UklGRg==">' in text
    assert '<video controls loop muted src="data:video/mp4;base64,bXA0">' in text
    assert not re.search(r'(?:src|href)="(?!data:)', text)  # no other file, no request
