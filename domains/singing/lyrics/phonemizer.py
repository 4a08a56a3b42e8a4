"""A phonemizer: lyrics to phonemes by Japanese morae, or by a dictionary in openvpi's format."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oneleap.core.errors import InputError, suggest
from oneleap.core.files import atomic_write
from oneleap.domains.singing.lyrics.english import (
    ENGLISH_PHONEMES,
    ENGLISH_VOWELS,
    LyricError,
    read_lyrics,
)
from oneleap.domains.singing.lyrics.mora import (
    MORAIC_NASAL,
    SOKUON,
    VOWELS,
    consonants,
    kana_table,
    morae,
    romaji_table,
)
from oneleap.domains.singing.segments.segment import BREATH, SILENCE

SYLLABIC = frozenset((*VOWELS, MORAIC_NASAL, SOKUON, SILENCE, BREATH))
"""Japanese phonemes that can carry a note."""

JAPANESE_PHONEMES: tuple[str, ...] = (
    SILENCE,
    BREATH,
    *VOWELS,
    MORAIC_NASAL,
    SOKUON,
    *sorted(consonants()),
)
"""All phonemes of Japanese lyrics."""

PAUSE_LYRICS = {"SP": SILENCE, "AP": BREATH, "br": BREATH, "息": BREATH}
"""Lyrics that mean silence or a breath."""


@dataclass(frozen=True)
class Phonemizer:
    """Converts lyrics to phonemes: of Japanese, of English, or by a dictionary.

    Attributes:
        entries: Phonemes of each syllable; if it is empty, the lyrics are in ``language``.
        syllabic: Phonemes that can carry a note: vowels, syllabic consonants, and pauses.
        language: ``ja`` or ``en``.
    """

    entries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    syllabic: frozenset[str] = SYLLABIC
    language: str = "ja"

    @classmethod
    def of_language(cls, language: str) -> "Phonemizer":
        """The phonemizer of a singer's language.

        Raises:
            InputError: There are no rules for it.
        """
        if language == "ja":
            return cls()
        if language == "en":
            return cls(syllabic=ENGLISH_VOWELS | {SILENCE, BREATH}, language="en")
        named = f"lyrics in '{language}'" if language else "the language of this singer"
        raise InputError(
            f"there are no rules for {named}, only for ja and en: give the pronunciations with "
            "--dictionary"
        )

    def read(self, lyrics: Sequence[str]) -> list[tuple[str, ...]]:
        """Convert the lyrics of consecutive notes to phonemes.

        Args:
            lyrics: Lyric of each note. A hyphen at the end of one, or at the beginning of the next,
                joins syllables to a word.

        Returns:
            Phonemes of each note; none where the syllable before goes on.

        Raises:
            LyricError: A lyric cannot be read.
        """
        if self.entries or self.language != "en":
            return [self._read_one(lyric, i) for i, lyric in enumerate(lyrics)]
        pauses = {i: self.phonemes(x) for i, x in enumerate(lyrics) if x.strip() in PAUSE_LYRICS}
        sung = [i for i in range(len(lyrics)) if i not in pauses]
        try:
            found = read_lyrics([lyrics[i] for i in sung])
        except LyricError as error:
            raise LyricError(str(error), sung[error.index]) from None
        by_note = {i: tuple(p.name for p in x) for i, x in zip(sung, found, strict=True)} | pauses
        return [by_note[i] for i in range(len(lyrics))]

    def _read_one(self, lyric: str, index: int) -> tuple[str, ...]:
        try:
            return self.phonemes(lyric.strip().strip("-") or lyric)
        except InputError as error:
            raise LyricError(str(error), index) from None

    def phonemes(self, lyric: str) -> tuple[str, ...]:
        """Convert the lyric of one note to phonemes.

        Raises:
            InputError: If a syllable is not in the dictionary, or not Japanese.
        """
        if lyric.strip() in PAUSE_LYRICS:
            return (PAUSE_LYRICS[lyric.strip()],)
        if not self.entries and self.language == "en":
            return tuple(phone.name for phone in read_lyrics([lyric])[0])
        if not self.entries:
            return tuple(phoneme for mora in morae(_kanji_to_kana(lyric)) for phoneme in mora)
        found: list[str] = []
        for syllable in lyric.split():
            entry = self.entries.get(syllable) or self.entries.get(syllable.lower())
            if entry is None:
                close = suggest(syllable, self.entries)
                raise InputError(f"'{syllable}' is not in the dictionary{close}")
            found += entry
        return tuple(found)

    def nucleus_index(self, phonemes: Sequence[str]) -> int:
        """Find the phoneme on the beat: the first vowel, else the first syllabic one, else 0."""
        for kind in (self.syllabic - {MORAIC_NASAL, SOKUON}, self.syllabic):
            for index, phoneme in enumerate(phonemes):
                if phoneme in kind:
                    return index
        return 0

    @property
    def symbols(self) -> tuple[str, ...]:
        """All phonemes; silence and breath come first."""
        if not self.entries:
            english = (SILENCE, BREATH, *ENGLISH_PHONEMES)
            return english if self.language == "en" else JAPANESE_PHONEMES
        known = sorted({phoneme for entry in self.entries.values() for phoneme in entry})
        return (SILENCE, BREATH, *(p for p in known if p not in (SILENCE, BREATH)))


def _kanji_to_kana(lyric: str) -> str:
    """Convert Chinese characters to kana with Open JTalk."""
    if not any("\u3400" <= c <= "\u9fff" or c == "々" for c in lyric):
        return lyric
    try:
        import pyopenjtalk
    except ModuleNotFoundError:
        raise InputError(
            f"the lyric '{lyric}' has Chinese characters: write it in kana, "
            "or pip install 'oneleap[singing]'"
        ) from None
    return str(pyopenjtalk.g2p(lyric, kana=True))


def read_dictionary(path: str | os.PathLike[str], prefix: str = "") -> Phonemizer:
    """Read a dictionary in openvpi's format: a syllable, a tab, and phonemes separated by spaces.

    The file ``NAME.vowels.txt`` in the same folder lists the phonemes that can carry a note, one on
    each line. Without that file, they are the last phonemes of the syllables that have one or two.

    Args:
        path: The file, ``NAME.txt``.
        prefix: Text to put before each phoneme, such as ``en/`` in multilingual dictionaries.

    Returns:
        A phonemizer that uses the dictionary.

    Raises:
        InputError: If a file cannot be read or a line is invalid; the message names it.
    """
    path = Path(path)
    entries: dict[str, tuple[str, ...]] = {}
    for number, line in _read_lines(path):
        syllable, tab, phonemes = line.partition("\t")
        where = f"{path}, line {number}"
        if not tab or not syllable.strip() or not phonemes.split():
            raise InputError(f"{where}: must be a syllable, a tab and phonemes, not '{line[:40]}'")
        if syllable.strip() in (SILENCE, BREATH):
            raise InputError(f"{where}: {syllable.strip()} is reserved")
        entry = tuple(p if p in (SILENCE, BREATH) else prefix + p for p in phonemes.split())
        if entries.setdefault(syllable.strip(), entry) != entry:
            raise InputError(f"{where}: '{syllable.strip()}' has other phonemes in an earlier line")
    if not entries:
        raise InputError(f"{path} contains no syllables")
    vowels = path.with_suffix(".vowels.txt")
    if vowels.exists():
        syllabic = {prefix + line.strip() for _, line in _read_lines(vowels)}
    else:
        syllabic = {entry[-1] for entry in entries.values() if len(entry) <= 2}
    return Phonemizer(entries, frozenset(syllabic | {SILENCE, BREATH}))


def write_dictionary(path: str | os.PathLike[str]) -> None:
    """Write the Japanese morae, in kana and romaji, as a dictionary in openvpi's format."""
    table = {**kana_table(), **romaji_table()}
    lines = [f"{spelling}\t{' '.join(mora)}\n" for spelling, mora in table.items()]
    with atomic_write(Path(path)) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def _read_lines(path: Path) -> list[tuple[int, str]]:
    """Read the lines that are not empty, with their numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"dictionary: {path} cannot be read ({reason})") from None
    return [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
