"""Phonemes of files in the spelling of a voice."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from oneleap.domains.singing.segments.segment import BREATH, SILENCE, S

PAUSE_NAMES = {"pau": SILENCE, "sil": SILENCE, "sp": SILENCE, "br": BREATH, "ap": BREATH}
"""Names of silence and breath in other programs, in lower case."""

UNSTRESSED, STRESSED, SECONDARY = "0", "1", "2"
"""ARPABET's marks of stress, after a vowel."""

BEGINS, ENDS = "_b", "_e"
"""Marks of the consonants before the first vowel of a word, and of those after its last one."""


def without_marks(phoneme: str) -> str:
    """Take the marks off a phoneme of ARPABET: ``ae1`` becomes ``ae``, ``t_b`` becomes ``t``."""
    return phoneme.removesuffix(BEGINS).removesuffix(ENDS).rstrip("012")


def spell_phonemes(segment: S, known: Collection[str]) -> S:
    """Spell the phonemes of a segment as a voice does.

    A phoneme that the voice does not know becomes the one that it knows: ``ja/k`` becomes ``k``,
    ``k`` becomes ``ja/k``, ``ae1`` becomes ``ae``, and ``pau`` becomes ``SP``. A phoneme without
    such a spelling is left.

    Args:
        segment: The segment.
        known: Phonemes of the voice.

    Returns:
        The segment with other spellings.
    """
    spelled = {p: spell(p, known, segment.lang) for p in set(segment.ph_seq) - set(known)}
    if not spelled:
        return segment
    return replace(segment, ph_seq=tuple(spelled.get(p, p) for p in segment.ph_seq))


def spell(phoneme: str, known: Collection[str], lang: str | None = None) -> str:
    """Spell one phoneme as a voice does; see :func:`spell_phonemes`.

    Args:
        phoneme: The phoneme.
        known: Phonemes of the voice.
        lang: Language of the phoneme, if it is known.

    Returns:
        The spelling that the voice knows, or else the phoneme itself.
    """
    if phoneme in known:
        return phoneme
    return next((s for s in _spellings(phoneme, lang, known) if s in known), phoneme)


def _spellings(phoneme: str, lang: str | None, known: Collection[str]) -> Iterable[str]:
    """Yield the spellings of a phoneme, the likeliest first."""
    bare = phoneme.rpartition("/")[2]
    yield bare
    yield PAUSE_NAMES.get(bare.lower(), bare)
    yield without_marks(bare)
    if lang:
        yield f"{lang}/{bare}"
    same = [other for other in known if other.rpartition("/")[2] == bare]
    if len(same) == 1:
        yield same[0]
