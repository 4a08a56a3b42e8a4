"""Lyrics to phonemes: Japanese by morae, other languages by openvpi's dictionaries."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oneleap.core.errors import InputError, nearest
from oneleap.domains.singing.lyrics.mora import NASAL, STOP, VOWELS, consonants, kana_table, morae
from oneleap.domains.singing.segments.segment import BREATH, SILENCE

CARRIERS = frozenset((*VOWELS, NASAL, STOP, SILENCE, BREATH))
"""Japanese phonemes that may carry a note."""

JAPANESE: tuple[str, ...] = (SILENCE, BREATH, *VOWELS, NASAL, STOP, *sorted(consonants()))
"""Every phoneme of Japanese lyrics."""

RESERVED = {"SP": SILENCE, "AP": BREATH, "br": BREATH, "息": BREATH}
"""Lyrics that are silence or breath."""


@dataclass(frozen=True)
class Phonemes:
    """How lyrics are said: a dictionary, else Japanese morae.

    Attributes:
        entries: Phonemes of each syllable; where empty, lyrics are Japanese.
        carriers: Phonemes that may carry a note: vowels and the like.
        lang: Code of the language; phonemes are ``lang/ph`` if it is named ``lang/``.
    """

    entries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    carriers: frozenset[str] = CARRIERS

    def of(self, lyric: str) -> tuple[str, ...]:
        """Phonemes of what is sung on one note.

        Raises:
            InputError: If it cannot be said.
        """
        if lyric.strip() in RESERVED:
            return (RESERVED[lyric.strip()],)
        if not self.entries:
            return tuple(sound for mora in morae(_kana(lyric)) for sound in mora)
        found: list[str] = []
        for syllable in lyric.split():
            said = self.entries.get(syllable) or self.entries.get(syllable.lower())
            if said is None:
                close = nearest(syllable, self.entries)
                raise InputError(f"'{syllable}' is not in the dictionary{close}")
            found += said
        return tuple(found)

    def nucleus(self, phonemes: Sequence[str]) -> int:
        """Place of the phoneme that falls on the beat: the first vowel, else what may carry."""
        for kind in (self.carriers - {NASAL, STOP}, self.carriers):
            for place, phoneme in enumerate(phonemes):
                if phoneme in kind:
                    return place
        return 0

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every phoneme, silence and breath first."""
        if not self.entries:
            return JAPANESE
        said = sorted({sound for entry in self.entries.values() for sound in entry})
        return (SILENCE, BREATH, *(s for s in said if s not in (SILENCE, BREATH)))


def _kana(lyric: str) -> str:
    """The lyric with Chinese characters read aloud, by Open JTalk."""
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


def read_dictionary(path: str | os.PathLike[str], prefix: str = "") -> Phonemes:
    """A dictionary in openvpi's form: a syllable, a tab, its phonemes with spaces between.

    Which phonemes carry notes is read from ``NAME.vowels.txt`` beside it, one a line; without that
    file they are the last phonemes of syllables that have one or two.

    Args:
        path: The file, ``NAME.txt``.
        prefix: Put before each phoneme, ``en/`` in dictionaries of several languages.

    Raises:
        InputError: If a file cannot be read, or a line is not so, naming it.
    """
    path = Path(path)
    entries: dict[str, tuple[str, ...]] = {}
    for number, line in _lines(path):
        syllable, tab, said = line.partition("\t")
        where = f"{path}, line {number}"
        if not tab or not syllable.strip() or not said.split():
            raise InputError(f"{where}: a syllable, a tab and phonemes, not '{line[:40]}'")
        if syllable.strip() in (SILENCE, BREATH):
            raise InputError(f"{where}: {syllable.strip()} is reserved")
        sounds = tuple(s if s in (SILENCE, BREATH) else prefix + s for s in said.split())
        if entries.setdefault(syllable.strip(), sounds) != sounds:
            raise InputError(f"{where}: '{syllable.strip()}' is there already, said differently")
    if not entries:
        raise InputError(f"{path}: holds no syllables")
    vowels = path.with_suffix(".vowels.txt")
    if vowels.exists():
        carriers = {prefix + line.strip() for _, line in _lines(vowels)}
    else:
        carriers = {entry[-1] for entry in entries.values() if len(entry) <= 2}
    return Phonemes(entries, frozenset(carriers | {SILENCE, BREATH}))


def write_dictionary(path: str | os.PathLike[str]) -> None:
    """Write the Japanese morae as a dictionary in openvpi's form, kana and romaji."""
    from oneleap.core.files import replacing
    from oneleap.domains.singing.lyrics.mora import romaji_table

    table = {**kana_table(), **romaji_table()}
    lines = [f"{spelling}\t{' '.join(mora)}\n" for spelling, mora in table.items()]
    with replacing(Path(path)) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not empty, with their numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InputError(f"dictionary: {path} cannot be read ({reason})") from None
    return [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
