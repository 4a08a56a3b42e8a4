"""Which singer sings a song: the language of its lyrics, and the singer of a language."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import CONFIG
from oneleap.domains.singing.lyrics.phonemizer import JAPANESE_PHONEMES, Phonemizer
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.segment import Segment
from oneleap.domains.singing.voice import loading
from oneleap.domains.singing.voice.loading import ACOUSTIC, DEFAULT, find_singer

SINGERS: Mapping[str, str] = {"ja": DEFAULT, "en": "heart"}
"""Name of the shipped singer of each language."""


def lyrics_language(score: Score) -> str:
    """Language of the lyrics: Japanese if they are all Japanese in kana or romaji, else English."""
    japanese = Phonemizer()
    for note in score.notes:
        if note.lyric:
            try:
                japanese.read([note.lyric])
            except InputError:
                return "en" if any(c.isascii() and c.isalpha() for c in note.lyric) else "ja"
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
        return "ja"
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))["init_args"]["spec"]["init_args"]
    except (OSError, ValueError, KeyError, TypeError):
        return "ja"  # loading the singer will say what is wrong
    return str(spec.get("language", "ja"))
