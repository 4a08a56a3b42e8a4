"""The page of deviations and the docstrings name the same classes."""

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "deviations.md"
LISTED = re.findall(r"^\| `(oneleap\.\S+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
FACES = ("core", "domains.audio", "domains.speech", "domains.singing", "domains.music")
"""Packages all of whose deviations are listed."""


def paragraph(thing: Any) -> str | None:
    """Return the paragraph of a docstring that names deviations."""
    found = re.search(r"(?ms)^Deviations?\b[^:]*:(.+?)(?=^\s*$|\Z)", inspect.getdoc(thing) or "")
    return found and found[1].strip()


def test_there_is_a_page_and_nothing_is_listed_twice() -> None:
    assert len(LISTED) > 30
    assert len(set(LISTED)) == len(LISTED)


@pytest.mark.parametrize("name", LISTED)
def test_a_listed_name_says_its_deviations(name: str) -> None:
    package, _, attribute = name.rpartition(".")
    words = paragraph(getattr(importlib.import_module(package), attribute))
    assert words is not None, f"{name} has no paragraph Deviations"
    assert len(words.split()) > 3


@pytest.mark.parametrize("package", FACES)
def test_what_says_deviations_is_listed(package: str) -> None:
    face = importlib.import_module(f"oneleap.{package}")
    names = [
        f"oneleap.{package}.{name}"
        for name in dir(face)
        if not name.startswith("_") and paragraph(getattr(face, name)) is not None
    ]
    assert [name for name in names if name not in LISTED] == []


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("core.MeanFlow", "3/4"),
        ("core.ImprovedMeanFlow", "unconditional velocity"),
        ("core.ConsistencyDistillation", "mean zero"),
        ("core.ConsistencyTrajectory", "denoising term"),
        ("core.plms", "DiffSinger"),
        ("domains.speech.AcousticModel", "Euler's steps"),
        ("domains.singing.AcousticModel", "leading"),
        ("domains.rl.DQL", "ema_start"),
    ],
)
def test_what_an_audit_found_is_said(name: str, word: str) -> None:
    package, _, attribute = f"oneleap.{name}".rpartition(".")
    words = paragraph(getattr(importlib.import_module(package), attribute)) or ""
    assert word in " ".join(words.split())
