"""Files by which OpenUtau finds a singer and reads lyrics for it."""

from collections.abc import Mapping
from typing import Any

from oneleap.domains.singing.lyrics.mora import kana_table, romaji_table
from oneleap.domains.singing.lyrics.phonemizer import Phonemizer
from oneleap.domains.singing.segments.phonemes import spell
from oneleap.domains.singing.segments.segment import PAUSES

PHONEMIZER = "OpenUtau.Core.DiffSinger.DiffSingerPhonemizer"
"""OpenUtau's class that reads lyrics by ``dsdict.yaml``."""

ENGLISH_PHONEMIZER = "OpenUtau.Core.DiffSinger.DiffSingerEnglishPhonemizer"
"""OpenUtau's class that reads English words; its phonemes are ARPABET in small letters."""

DICTIONARIES = ("dsdur/dsdict.yaml", "dspitch/dsdict.yaml")
"""Places of the dictionary; OpenUtau reads one for durations and one for pitch."""

_KATAKANA = 0x60
"""Distance from hiragana to katakana."""


def character_txt(name: str) -> str:
    """Make ``character.txt``, without which OpenUtau does not list the singer."""
    return f"name={name}\n"


def character_yaml(name: str, language: str = "ja") -> dict[str, Any]:
    """Make ``character.yaml``: the kind of the singer, and the encoding of its text files."""
    return {
        "name": name,
        "text_file_encoding": "utf-8",
        "singer_type": "diffsinger",
        "default_phonemizer": ENGLISH_PHONEMIZER if language == "en" else PHONEMIZER,
    }


def dictionary(phonemes: tuple[str, ...], phonemizer: Phonemizer | None = None) -> dict[str, Any]:
    """Make ``dsdict.yaml``: the kind of each phoneme, and the phonemes of each lyric.

    OpenUtau puts vowels on the beat and everything else before it, so that ``N``, ``cl`` and pauses
    count as vowels. It ignores entries with phonemes that are not listed, so these are left out.
    English words need no entries, because OpenUtau reads them itself.

    Args:
        phonemes: Phonemes of the singer.
        phonemizer: Phonemizer of the singer's language; by default the lyrics are Japanese.

    Returns:
        The content of the file.
    """
    phonemizer = phonemizer or Phonemizer()
    syllabic = {spell(p, phonemes) for p in (*phonemizer.syllabic, *PAUSES)}
    japanese = _japanese_entries() if phonemizer.language == "ja" else {}
    entries = phonemizer.entries or japanese
    spelled = {
        lyric: [spell(p, phonemes) for p in sounds]
        for lyric, sounds in {**entries, **{pause: (pause,) for pause in sorted(PAUSES)}}.items()
    }
    return {
        "symbols": [{"symbol": p, "type": "vowel" if p in syllabic else "stop"} for p in phonemes],
        "entries": [
            {"grapheme": lyric, "phonemes": sounds}
            for lyric, sounds in spelled.items()
            if set(sounds) <= set(phonemes)
        ],
    }


def _japanese_entries() -> Mapping[str, tuple[str, ...]]:
    """Morae in hiragana, katakana and romaji."""
    hiragana = kana_table()
    katakana = {
        "".join(chr(ord(c) + _KATAKANA) for c in kana): mora for kana, mora in hiragana.items()
    }
    return {**hiragana, **katakana, **romaji_table()}
