"""One HTML page about results: text, tables, pictures, sounds and videos, all inside one file."""

import base64
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oneleap.core.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .3rem 1rem; border-bottom: 1px solid #8884; text-align: right }
td:first-child, th:first-child { text-align: left }
img, video { max-width: 100%; background: white }
audio { width: 100%; max-width: 32rem }
figure { margin: 1rem 0 }
pre { overflow-x: auto; padding: .7rem; background: #8881 }
"""


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes:
        text: Plain text.
    """

    text: str

    def html(self) -> str:
        """Return the paragraph as HTML."""
        return f"<p>{html.escape(self.text)}</p>"


@dataclass(frozen=True)
class Code:
    """Commands or other text in a fixed-width font.

    Attributes:
        text: Plain text.
    """

    text: str

    def html(self) -> str:
        """Return the text as HTML."""
        return f"<pre>{html.escape(self.text)}</pre>"


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        header: Names of the columns.
        rows: Cells of each row.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def html(self) -> str:
        """Return the table as HTML."""

        def row(cells: Sequence[str], tag: str) -> str:
            inner = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
            return f"<tr>{inner}</tr>"

        body = "".join(row(cells, "td") for cells in self.rows)
        return f"<table>{row(self.header, 'th')}{body}</table>"


@dataclass(frozen=True)
class Media:
    """A picture, a sound or a video with a caption.

    Attributes:
        caption: What it shows.
        data: Contents of the file.
        kind: Type of the file: ``image/png``, ``audio/wav`` or ``video/mp4``.
    """

    caption: str
    data: bytes
    kind: str = "image/png"

    def html(self) -> str:
        """Return the figure as HTML, the file inside it."""
        source = f"data:{self.kind};base64,{base64.b64encode(self.data).decode()}"
        caption = html.escape(self.caption)
        element = {
            "image": f'<img alt="{caption}" src="{source}">',
            "audio": f'<audio controls src="{source}"></audio>',
            "video": f'<video controls loop muted src="{source}"></video>',
        }[self.kind.partition("/")[0]]
        return f"<figure><figcaption>{caption}</figcaption>{element}</figure>"


Part = Text | Code | Table | Media


@dataclass(frozen=True)
class Section:
    """A heading and what follows it.

    Attributes:
        title: The heading.
        parts: Contents, in order.
    """

    title: str
    parts: Sequence[Part]


def size_text(path: Path) -> str:
    """Return the size of a file in MiB, or in KiB below one MiB."""
    size = path.stat().st_size
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{math.ceil(size / 2**10)} KiB"


def write_page(path: Path, title: str, sections: Sequence[Section]) -> None:
    """Write a page that needs no other file.

    Args:
        path: File to write; it appears when it is complete.
        title: Heading of the page.
        sections: Contents, in order.
    """
    body = "".join(
        f"<h2>{html.escape(s.title)}</h2>" + "".join(part.html() for part in s.parts)
        for s in sections
    )
    heading = html.escape(title)
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{heading}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{heading}</h1>{body}</html>\n"
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def png(figure: "Figure") -> bytes:
    """Draw a figure of matplotlib as a PNG file."""
    import io

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
