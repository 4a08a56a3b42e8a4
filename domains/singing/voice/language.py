"""Which singer sings a song: the language of its lyrics, and the singer of a language."""

import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import CONFIG
from oneleap.core.reading.guard import reading
from oneleap.core.reading.text import read_json
from oneleap.domains.singing.lyrics.phonemizer import JAPANESE_PHONEMES, Phonemizer
from oneleap.domains.singing.scores.musicxml import Chords
from oneleap.domains.singing.scores.phrasing import score_to_segments
from oneleap.domains.singing.scores.read import SEGMENT_SUFFIXES, read_score, read_segments
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.segment import ScoreSegment, Segment
from oneleap.domains.singing.voice import loading
from oneleap.domains.singing.voice.loading import ACOUSTIC, DEFAULT, find_singer

SINGERS: Mapping[str, str] = {"ja": DEFAULT, "en": "lark"}
"""Name of the shipped singer of each language."""


def lyrics_language(score: Score) -> str:
    """Language of lyrics: English if they are in Latin letters, and not all of them romaji."""
    lyrics = [note.lyric for note in score.notes if note.lyric]
    letters = [c for lyric in lyrics for c in lyric if c.isalpha()]
    if not letters or not all(unicodedata.name(c, "").startswith("LATIN") for c in letters):
        return "ja"
    try:
        Phonemizer().read(lyrics)
    except InputError:
        return "en"
    return "ja"


def phonemes_language(segments: tuple[Segment, ...]) -> str:
    """Language of phonemes: Japanese if they are all of its table, else English."""
    known = frozenset(JAPANESE_PHONEMES)
    return "ja" if all(p in known for s in segments for p in s.ph_seq) else "en"


def singer_of(language: str) -> str:
    """Name of the shipped singer of a language.

    Raises:
        InputError: None ships with this installation.
    """
    name = SINGERS.get(language, DEFAULT)
    if name not in loading.shipped_singers():
        raise InputError(
            "no singer ships with this installation: train its four models (oneleap configs), pack "
            "them with oneleap singer, and name the folder with --voice"
        )
    return name


def language_of(voice: str | os.PathLike[str]) -> str:
    """Language of a singer, read without loading its models.

    Raises:
        InputError: There is no such singer.
    """
    path = Path(find_singer(voice)) / ACOUSTIC / CONFIG
    if not path.is_file():
        raise InputError(f"{voice} holds no {ACOUSTIC}: pack a singer with oneleap singer")
    settings = read_json(path)
    with reading(path, "the settings of a singer"):
        return str(settings["init_args"]["spec"]["init_args"].get("language", "ja"))


class SongReading(NamedTuple):
    """A song that was read for a singer.

    Attributes:
        segments: Its phrases.
        voice: Name or folder of the singer.
        phonemizer: What converted its lyrics.
    """

    segments: tuple[ScoreSegment, ...]
    voice: str
    phonemizer: Phonemizer


def read_song(
    path: Path,
    voice: str | None = None,
    phonemizer: Phonemizer | None = None,
    *,
    verse: int | str | None = None,
    part: int | str | None = None,
    chords: Chords = "top",
    vowel: str | None = None,
) -> SongReading:
    """Read a song, and choose the singer by the language of its lyrics.

    Args:
        path: Score, ``.ds`` file or HTS labels.
        voice: Name or folder of a singer, if it is chosen already.
        phonemizer: Converts lyrics to phonemes; by default that of the language.
        verse: Number or name of the verse.
        part: Name or number of the part.
        chords: Which note of a chord is sung.
        vowel: Lyric of notes that have none and continue no syllable.

    Returns:
        Phrases, singer and phonemizer.

    Raises:
        InputError: The file cannot be sung, or there is no such singer.
    """
    if path.suffix.lower() in SEGMENT_SUFFIXES:
        segments = read_segments(path, phonemizer)
        name = voice or singer_of(phonemes_language(segments))
        return SongReading(segments, name, phonemizer or Phonemizer.of_language(language_of(name)))
    score = read_score(path, verse=verse, part=part, chords=chords, vowel=vowel)
    name = voice or singer_of("ja" if phonemizer else lyrics_language(score))
    phonemizer = phonemizer or Phonemizer.of_language(language_of(name))
    try:
        return SongReading(score_to_segments(score, phonemizer), name, phonemizer)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
