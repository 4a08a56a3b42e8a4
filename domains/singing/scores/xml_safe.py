"""XML of strangers: no entities, nothing fetched, bounded in size; plain or zipped."""

import io
import os
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, ParseError

from oneleap.core.errors import InputError

LARGEST = 32 * 2**20
"""Bytes of XML beyond which a file is refused, 32 MiB; a long opera's vocal score has less."""


def read_xml(path: str | os.PathLike[str]) -> Element:
    """The root of an XML file, or of the score in an ``.mxl`` file.

    Raises:
        InputError: If it cannot be read, is too large, is no XML, or declares entities.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start == b"PK\x03\x04":
            return _zipped(path)
        with path.open("rb") as file:
            return parsed(file.read(LARGEST + 1), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None


def parsed(text: bytes, where: str) -> Element:
    """The root of XML text.

    Raises:
        InputError: As :func:`read_xml`.
    """
    try:
        from defusedxml import ElementTree
        from defusedxml.common import DefusedXmlException
    except ModuleNotFoundError:
        raise InputError("defusedxml is not installed: pip install 'oneleap[singing]'") from None
    if len(text) > LARGEST:
        raise InputError(f"{where}: more than {LARGEST // 2**20} MiB of XML: no score is so large")
    try:
        root: Element = ElementTree.fromstring(text)
    except DefusedXmlException:
        raise InputError(f"{where}: declares entities, which a score has no use for") from None
    except (ParseError, LookupError, ValueError, UnicodeError) as error:
        raise InputError(f"{where}: is no XML ({error})") from None
    return root


def _zipped(path: Path) -> Element:
    """The score of an ``.mxl``: its container names it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "META-INF/container.xml" in names:
                container = parsed(_member(archive, "META-INF/container.xml"), f"{path}")
                roots = [e for e in container.iter() if e.tag.rpartition("}")[2] == "rootfile"]
                name = roots[0].get("full-path", "") if roots else ""
            else:
                scores = [n for n in names if PurePosixPath(n).suffix in (".xml", ".musicxml")]
                name = scores[0] if scores else ""
            if name not in names:
                raise InputError(f"{path}: holds no score")
            return parsed(_member(archive, name), f"{path}, {name}")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise InputError(f"{path}: is no .mxl file ({error})") from None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file of the archive, read no further than the bound, whatever the archive says."""
    with archive.open(name) as file:
        return file.read(LARGEST + 1)


def zipped(text: str, name: str = "score.musicxml") -> bytes:
    """An ``.mxl`` file of MusicXML text."""
    container = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<container><rootfiles>'
        f'<rootfile full-path="{name}"/></rootfiles></container>\n'
    )
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr(name, text)
    return found.getvalue()
