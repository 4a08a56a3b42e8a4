"""Reading any file that can be sung: MusicXML, MIDI, UTAU's projects, ``.ds`` and HTS labels."""

import os
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.phonemizer import Phonemizer
from oneleap.domains.singing.scores.midi import read_midi
from oneleap.domains.singing.scores.musicxml import Chords, read_musicxml
from oneleap.domains.singing.scores.phrasing import score_to_segments
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.scores.ust import read_ust, read_ustx
from oneleap.domains.singing.segments.ds import read_ds
from oneleap.domains.singing.segments.hts import read_labels
from oneleap.domains.singing.segments.hts_segments import labels_to_segment
from oneleap.domains.singing.segments.segment import ScoreSegment
from oneleap.domains.singing.segments.splitting import split_at_rests

MUSICXML_SUFFIXES = (".musicxml", ".xml", ".mxl")
"""Suffixes of MusicXML files."""

MIDI_SUFFIXES = (".mid", ".midi", ".kar")
"""Suffixes of MIDI files."""

UTAU_SUFFIXES = (".ust", ".ustx")
"""Suffixes of projects of UTAU and OpenUtau."""

SEGMENT_SUFFIXES = (".ds", ".lab")
"""Suffixes of files that contain phonemes instead of lyrics."""


def read_score(
    path: str | os.PathLike[str],
    *,
    verse: int | str | None = None,
    part: int | str | None = None,
    chords: Chords = "top",
    vowel: str | None = None,
) -> Score:
    """Read the score of a MusicXML or MIDI file, or of a project of UTAU or OpenUtau.

    Args:
        path: The file.
        verse: Number or name of the verse to sing, if a MusicXML file has several.
        part: Name or number of the part to sing, if the file has several.
        chords: Which note of a chord is sung.
        vowel: Lyric of notes that have none and continue no syllable. If it is given, a part
            without lyrics can be sung.

    Returns:
        The score.

    Raises:
        InputError: If the file has another suffix or is invalid; see :func:`read_musicxml` and
            :func:`read_midi`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix in MIDI_SUFFIXES:
        return read_midi(path, part=part, chords=chords, vowel=vowel)
    if suffix in MUSICXML_SUFFIXES:
        return read_musicxml(path, verse=verse, part=part, chords=chords, vowel=vowel)
    if suffix == ".ust":
        return read_ust(path, vowel=vowel)
    if suffix == ".ustx":
        return read_ustx(path, part=part, vowel=vowel)
    kinds = (*MUSICXML_SUFFIXES, *MIDI_SUFFIXES, *UTAU_SUFFIXES, *SEGMENT_SUFFIXES)
    raise InputError(
        f"{path}: the suffix of a score must be one of {', '.join(kinds)}, not '{suffix}'"
    )


def read_segments(
    path: str | os.PathLike[str],
    phonemizer: Phonemizer | None = None,
    *,
    verse: int | str | None = None,
    part: int | str | None = None,
    chords: Chords = "top",
    vowel: str | None = None,
) -> tuple[ScoreSegment, ...]:
    """Read the phrases of a song from any file that :func:`read_score` reads, or ``.ds``, ``.lab``.

    Phrases of scores have no durations of phonemes, those of labels have them, and those of
    ``.ds`` files may have them. The silences of two phrases may overlap. Time 0 is the first beat
    of the score; a phrase that begins on it starts with a silence before time 0.

    Args:
        path: The file.
        phonemizer: Converts lyrics to phonemes; by default the lyrics are Japanese.
        verse: Number or name of the verse to sing, if a MusicXML file has several.
        part: Name or number of the part to sing, if the file has several.
        chords: Which note of a chord is sung.
        vowel: Lyric of notes that have none and continue no syllable.

    Returns:
        Phrases in order.

    Raises:
        InputError: If the file cannot be sung. The message is one line that names the file, and the
            bar and the note, or the segment and the field.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".ds":
        return _read_ds_score(path)
    phonemizer = phonemizer or Phonemizer()
    try:
        if suffix == ".lab":
            return split_at_rests(labels_to_segment(read_labels(path), phonemizer.syllabic))
        score = read_score(path, verse=verse, part=part, chords=chords, vowel=vowel)
        return score_to_segments(score, phonemizer)
    except InputError as error:
        message = str(error) if str(error).startswith(str(path)) else f"{path}: {error}"
        raise InputError(message) from None


def _read_ds_score(path: Path) -> tuple[ScoreSegment, ...]:
    found = []
    for number, segment in enumerate(read_ds(path), 1):
        try:
            found.append(ScoreSegment.from_segment(segment))
        except InputError as error:
            raise InputError(f"{path}, segment {number}: {error}") from None
    return tuple(found)
