"""Untrusted XML, plain or in ``.mxl`` files: no entities, no network access, limited size."""

import io
import lzma
import os
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, ParseError

from oneleap.core.errors import InputError

MAX_BYTES = 32 * 2**20
"""Largest size of an XML text, 32 MiB; the vocal score of a long opera is smaller."""

MAX_ZIP_BYTES = 8 * 2**20
"""Largest size of an ``.mxl`` file, 8 MiB."""

MAX_ELEMENTS = 600_000
"""Largest number of elements, and of attributes, of a score."""

_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    OverflowError,
    KeyError,
)
"""What the library raises for damaged files."""


def read_xml(path: str | os.PathLike[str]) -> Element:
    """Read the root element of an XML file, or of the score in an ``.mxl`` file.

    Raises:
        InputError: If the file cannot be read, is too large, is not XML, or declares entities.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start == b"PK\x03\x04":
            return _read_mxl(path)
        with path.open("rb") as file:
            return parse_xml(file.read(MAX_BYTES + 1), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None


def parse_xml(text: bytes, where: str) -> Element:
    """Parse XML text.

    Args:
        text: The XML.
        where: Name of the file, for messages.

    Returns:
        The root element.

    Raises:
        InputError: If the text is too large, is not XML, or declares entities.
    """
    try:
        from defusedxml import ElementTree
        from defusedxml.common import DefusedXmlException
    except ModuleNotFoundError:
        raise InputError("defusedxml is not installed: pip install 'oneleap[singing]'") from None
    if len(text) > MAX_BYTES:
        raise InputError(f"{where}: no score has more than {MAX_BYTES // 2**20} MiB of XML")
    if text.count(b"<") > 2 * MAX_ELEMENTS or text.count(b"=") > MAX_ELEMENTS:
        raise InputError(
            f"{where}: has more than {MAX_ELEMENTS} elements: save the part that is sung alone"
        )
    try:
        root: Element = ElementTree.fromstring(text)
    except DefusedXmlException:
        raise InputError(f"{where}: declares entities, which a score does not need") from None
    except (ParseError, LookupError, ValueError, UnicodeError) as error:
        reason = " ".join(str(error).split())[:80] or "it is damaged"
        raise InputError(f"{where} is not XML ({reason})") from None
    return root


def _read_mxl(path: Path) -> Element:
    """Read the score that the container of an ``.mxl`` file names."""
    if path.stat().st_size > MAX_ZIP_BYTES:
        raise InputError(f"{path}: no .mxl file has more than {MAX_ZIP_BYTES // 2**20} MiB")
    try:
        with zipfile.ZipFile(path) as archive:
            name = _score_name(archive, path)
            return parse_xml(_member(archive, name), f"{path}, {name}")
    except InputError:
        raise
    except UnicodeDecodeError:
        raise InputError(f"{path} is not an .mxl file (a name in it is not UTF-8)") from None
    except _BROKEN_ZIP as error:
        reason = " ".join(str(error).split())[:80] or "it is damaged"
        raise InputError(f"{path} is not an .mxl file ({reason})") from None


def _score_name(archive: zipfile.ZipFile, path: Path) -> str:
    """Name of the score in an archive: the container's, or else the first that looks like one."""
    names = archive.namelist()
    if "META-INF/container.xml" in names:
        container = parse_xml(_member(archive, "META-INF/container.xml"), f"{path}")
        roots = [e for e in container.iter() if str(e.tag).rpartition("}")[2] == "rootfile"]
        name = roots[0].get("full-path", "") if roots else ""
    else:
        scores = [n for n in names if PurePosixPath(n).suffix in (".xml", ".musicxml")]
        name = scores[0] if scores else ""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or parts[:1] == ("/",):
        raise InputError(f"{path}: names a score outside of the file: '{name[:60]}'")
    if name not in names:
        raise InputError(f"{path} contains no score")
    return name


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a file of an archive, but no more than the limit, whatever size the archive claims."""
    with archive.open(name) as file:
        return file.read(MAX_BYTES + 1)


def zip_musicxml(text: str, name: str = "score.musicxml") -> bytes:
    """Make an ``.mxl`` file of MusicXML text.

    Args:
        text: The MusicXML.
        name: Name of the score in the archive.

    Returns:
        Content of the file.
    """
    container = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<container><rootfiles>'
        f'<rootfile full-path="{name}"/></rootfiles></container>\n'
    )
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr(name, text)
    return found.getvalue()
