"""Full-context labels of HTS and Sinsy: when each phoneme is sung, on which note."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.singing.segments.pitch_names import midi_of
from oneleap.domains.singing.segments.segment import BREATH, PAUSES, SILENCE, Segment

TICKS_S = 10_000_000
"""Units of a label's times in a second: 100 ns."""

_PHONEME = re.compile(r"-(.*?)\+")
_NOTE = re.compile(r"/E:(.*?)(?=/F:|$)")
_PROLONGED = re.compile(r"/B:[^/]*\|1/C:")
_SILENT = {"pau": SILENCE, "sil": SILENCE, "br": BREATH}
SLUR = "xx"
"""Sinsy's phoneme for a note without a lyric, which goes on with the vowel before."""


@dataclass(frozen=True)
class Label:
    """A line of a label file.

    Attributes:
        start: In units of 100 ns; -1 where it is not known.
        end: Likewise.
        context: The phoneme with all that surrounds it, verbatim.
    """

    start: int
    end: int
    context: str

    @property
    def phoneme(self) -> str:
        """The phoneme of the line itself, p4."""
        found = _PHONEME.search(self.context.partition("^")[2] or self.context)
        return found[1] if found else self.context.partition("@")[2] or self.context

    @property
    def note(self) -> str:
        """All that is said of its note, the fields e; equal for the phonemes of one note."""
        found = _NOTE.search(self.context)
        return found[1] if found else ""

    @property
    def midi(self) -> float | None:
        """Pitch of its note, e1, in semitones; ``None`` in a rest."""
        name = self.note.partition("]")[0]
        return None if name in ("", "xx") else midi_of(name)

    @property
    def prolonged(self) -> bool:
        """Whether its syllable has the mark of a long vowel, b5: it repeats the vowel before."""
        return bool(_PROLONGED.search(self.context))

    @property
    def line(self) -> str:
        """As it stands in a file."""
        return f"{self.start} {self.end} {self.context}"


def read_labels(path: str | os.PathLike[str]) -> tuple[Label, ...]:
    """Lines of a label file.

    Raises:
        InputError: If it cannot be read, a line is no label, or times run backwards.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InputError(f"{path} cannot be read ({reason})") from None
    return parse_labels(text.splitlines(), str(path))


def parse_labels(lines: Sequence[str], where: str = "labels") -> tuple[Label, ...]:
    """Labels of lines ``start end context``; empty lines are left out.

    Raises:
        InputError: If a line is no label, or times run backwards.
    """
    found: list[Label] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.split(maxsplit=2)
        try:
            label = Label(int(parts[0]), int(parts[1]), parts[2].strip())
            _ = label.midi
        except (ValueError, IndexError):
            raise InputError(
                f"{where}, line {number}: start, end and context, not '{line[:40]}'"
            ) from None
        if -1 not in (label.start, label.end) and label.end < label.start:
            raise InputError(f"{where}, line {number}: it ends before it begins")
        found.append(label)
    if not found:
        raise InputError(f"{where}: holds no labels")
    return tuple(found)


def write_labels(path: str | os.PathLike[str], labels: Sequence[Label]) -> None:
    """Write a label file; it appears whole or not at all."""
    with replacing(Path(path)) as temporary:
        temporary.write_text("".join(f"{label.line}\n" for label in labels), encoding="utf-8")


def segment_of(labels: Sequence[Label], vowels: frozenset[str]) -> Segment:
    """All labels as one segment, its words and notes beginning where their vowels do.

    The notes of a score begin with the consonant in Sinsy's labels, with the vowel here: a note
    lasts from its first vowel to the next note's. A slur lasts as labelled: a note without a lyric,
    or the vowel before once more, prolonged.

    Args:
        labels: With times, one after the other.
        vowels: Phonemes that may carry a note (see ``Phonemes.carriers``).

    Raises:
        InputError: If a time is missing or a label does not begin where the one before ends, or the
            first label is a slur.
    """
    _continuous(labels)
    phonemes, seconds, words = list[str](), list[float](), list[int]()
    midi, notes, slurs = list[float | None](), list[float](), list[bool]()
    note, begun = "", False
    for label in labels:
        name = _SILENT.get(label.phoneme, label.phoneme)
        lasts = (label.end - label.start) / TICKS_S
        again = label.prolonged and label.note != note and phonemes[-1:] == [name]
        slur = name == SLUR or again
        if label.note != note or name in PAUSES or slur:
            note, begun = label.note, False
        if slur:
            if not phonemes or phonemes[-1] in PAUSES:
                raise InputError("a slur follows no syllable")
            seconds[-1] += lasts
            midi.append(label.midi)
            notes.append(lasts)
            slurs.append(True)
            begun = True
            continue
        phonemes.append(name)
        seconds.append(lasts)
        if not begun and (name in PAUSES or name in vowels):
            begun = True
            words.append(0)
            midi.append(None if name in PAUSES else label.midi)
            notes.append(0.0)
            slurs.append(False)
        if not words:  # a consonant before all else has no word to belong to
            raise InputError("labels begin with silence or a vowel")
        words[-1] += 1
        notes[-1] += lasts
    return Segment(
        ph_seq=tuple(phonemes),
        ph_num=tuple(words),
        ph_dur=tuple(round(s, 7) for s in seconds),
        note_midi=tuple(midi),
        note_dur=tuple(round(s, 7) for s in notes),
        note_slur=tuple(slurs),
    )


def _continuous(labels: Sequence[Label]) -> None:
    for number, (one, two) in enumerate(pairwise(labels), 1):
        if one.end != two.start:
            raise InputError(f"label {number} ends at {one.end}, the next begins at {two.start}")
    for number, label in enumerate(labels, 1):
        if -1 in (label.start, label.end) or label.end <= label.start:
            raise InputError(f"label {number} ({label.phoneme}) has no times, or lasts no time")
