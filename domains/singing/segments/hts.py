"""Full-context label files of HTS and Sinsy: the time and the context of each phoneme."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.singing.segments.pitch import name_to_midi
from oneleap.domains.singing.segments.text import read_text

TICKS_PER_SECOND = 10_000_000
"""Ticks in a second; the times of labels are in ticks of 100 ns."""

_PHONEME = re.compile(r"-(.*?)\+")
_NOTE = re.compile(r"/E:(.*?)(?=/F:|$)")
_PROLONGED = re.compile(r"/B:[^/]*\|1/C:")


@dataclass(frozen=True)
class Label:
    """A line of a label file.

    Attributes:
        start: Start of the phoneme, in ticks of 100 ns; -1 if unknown.
        end: End of the phoneme, in ticks of 100 ns; -1 if unknown.
        context: The phoneme and its context, as in the file.
    """

    start: int
    end: int
    context: str

    @property
    def phoneme(self) -> str:
        """The phoneme, field p4."""
        found = _PHONEME.search(self.context.partition("^")[2] or self.context)
        return found[1] if found else self.context.partition("@")[2] or self.context

    @property
    def note(self) -> str:
        """All fields e, which describe the note; equal for all phonemes of one note."""
        found = _NOTE.search(self.context)
        return found[1] if found else ""

    @property
    def midi(self) -> float | None:
        """Pitch of the note, field e1, in semitones; ``None`` in a rest."""
        name = self.note.partition("]")[0]
        return None if name in ("", "xx") else name_to_midi(name)

    @property
    def prolonged(self) -> bool:
        """Whether the syllable is a long-vowel mark, field b5, which repeats the vowel before."""
        return bool(_PROLONGED.search(self.context))

    @property
    def line(self) -> str:
        """The line of the file."""
        return f"{self.start} {self.end} {self.context}"


def read_labels(path: str | os.PathLike[str]) -> tuple[Label, ...]:
    """Read a label file.

    Raises:
        InputError: If the file cannot be read, a line is not a label, or a label ends before it
            starts.
    """
    return parse_labels(read_text(path).splitlines(), str(path))


def parse_labels(lines: Sequence[str], where: str = "labels") -> tuple[Label, ...]:
    """Parse lines ``start end context``; empty lines are skipped.

    Args:
        lines: Lines of a label file.
        where: Name of the file, for messages.

    Returns:
        Labels in order, at least one.

    Raises:
        InputError: If a line is not a label, a label ends before it starts, or there are no labels.
    """
    found: list[Label] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.split(maxsplit=2)
        try:
            label = Label(_ticks(parts[0]), _ticks(parts[1]), parts[2].strip())
            _ = label.midi
        except (ValueError, IndexError):
            raise InputError(
                f"{where}, line {number}: must be start, end and context, not '{line[:40]}'"
            ) from None
        if -1 not in (label.start, label.end) and label.end < label.start:
            raise InputError(f"{where}, line {number}: the label ends before it starts")
        found.append(label)
    if not found:
        raise InputError(f"{where}: there are no labels")
    return tuple(found)


def _ticks(word: str) -> int:
    """Parse a time of at most eleven days.

    Raises:
        ValueError: If it is not a whole number, or too large.
    """
    if not re.fullmatch("-1|[0-9]{1,13}", word):
        raise ValueError(word)
    return int(word)


def write_labels(path: str | os.PathLike[str], labels: Sequence[Label]) -> None:
    """Write a label file, completely or not at all."""
    with atomic_write(Path(path)) as temporary:
        temporary.write_text("".join(f"{label.line}\n" for label in labels), encoding="utf-8")
