"""Any file that can be sung, to segments: ``oneleap sing`` begins here."""

import os
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.phonemes import Phonemes
from oneleap.domains.singing.scores.midi import read_midi
from oneleap.domains.singing.scores.musicxml import read_musicxml
from oneleap.domains.singing.scores.phrasing import segments
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.ds import read_ds
from oneleap.domains.singing.segments.hts import read_labels, segment_of
from oneleap.domains.singing.segments.phrases import phrases
from oneleap.domains.singing.segments.segment import Segment

MUSICXML = (".musicxml", ".xml", ".mxl")
MIDI = (".mid", ".midi", ".kar")
SEGMENTS = (".ds", ".lab")
"""Suffixes of files; those of the last kind say phonemes, and need no lyrics."""


def read_sheet(path: str | os.PathLike[str], *, verse: int = 1) -> Score:
    """The score of a MusicXML or MIDI file.

    Raises:
        InputError: If it is neither, or wrong; see :func:`read_musicxml`, :func:`read_midi`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix in MIDI:
        return read_midi(path)
    if suffix in MUSICXML:
        return read_musicxml(path, verse=verse)
    known = ", ".join((*MUSICXML, *MIDI, *SEGMENTS))
    raise InputError(f"{path}: a score is one of {known}, not '{suffix}'")


def read_score(
    path: str | os.PathLike[str], phonemes: Phonemes | None = None, *, verse: int = 1
) -> tuple[Segment, ...]:
    """Phrases of a song: MusicXML, MIDI with lyrics, ``.ds``, or HTS labels with times.

    Phrases of a score have no durations of phonemes; ``.ds`` may have them, labels do. They
    may reach into each other by their silences.

    Args:
        path: The file.
        phonemes: How lyrics are said; Japanese if it is left out.
        verse: Number of the lyrics, where a score has several.

    Raises:
        InputError: If it cannot be sung; one line that names file, and bar and note or field.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".ds":
        return read_ds(path)
    said = phonemes or Phonemes()
    try:
        if suffix == ".lab":
            return phrases(segment_of(read_labels(path), said.carriers))
        return segments(read_sheet(path, verse=verse), said)
    except InputError as error:
        shown = str(error) if str(error).startswith(str(path)) else f"{path}: {error}"
        raise InputError(shown) from None
