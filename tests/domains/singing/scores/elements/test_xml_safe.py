"""Zip bombs, and zip files that contain no score."""

import io
import zipfile
from pathlib import Path

import pytest

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.elements import xml_safe
from oneleap.domains.singing.scores.elements.xml_safe import zip_musicxml
from oneleap.domains.singing.scores.musicxml import read_musicxml

pytest.importorskip("defusedxml")


def test_zip_bombs_and_zips_without_a_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xml_safe, "MAX_BYTES", 10_000)
    big = io.BytesIO()
    with zipfile.ZipFile(big, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", b" " * 1_000_000)
    path = tmp_path / "a.mxl"
    path.write_bytes(big.getvalue())
    with pytest.raises(InputError, match="no score has more than"):
        read_musicxml(path)
    broken = bytearray(zip_musicxml("<a/>" * 200))
    at = broken.index(b"score.musicxml") + len("score.musicxml")
    broken[at : at + 8] = b"\xff" * 8
    path.write_bytes(broken)
    with pytest.raises(InputError, match=r"is not an \.mxl file \(Error -3"):
        read_musicxml(path)
    none = io.BytesIO()
    with zipfile.ZipFile(none, "w") as archive:
        archive.writestr("a.txt", "hello")
    path.write_bytes(none.getvalue())
    with pytest.raises(InputError, match="contains no score"):
        read_musicxml(path)
    path.write_bytes(none.getvalue()[:30])
    with pytest.raises(InputError, match=r"is not an \.mxl file"):
        read_musicxml(path)
