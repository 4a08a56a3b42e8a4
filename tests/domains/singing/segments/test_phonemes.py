"""Phonemes in the spelling of a voice."""

from dataclasses import replace

import pytest
from support.song_strategies import SAKURA

from oneleap.domains.singing.segments.phonemes import spell_phonemes

PLAIN = ("SP", "AP", "a", "k", "N")
JAPANESE = ("SP", "AP", "ja/a", "ja/k", "ja/N")
TWO = ("SP", "AP", "ja/a", "en/a", "ja/k")


@pytest.mark.parametrize(
    ("phonemes", "known", "lang", "expected"),
    [
        ("SP k a SP", PLAIN, None, "SP k a SP"),
        ("SP ja/k ja/a SP", PLAIN, None, "SP k a SP"),
        ("pau k a sil br", PLAIN, None, "SP k a SP AP"),
        ("ja/SP k ja/AP", PLAIN, None, "SP k AP"),
        ("SP k a N", JAPANESE, None, "SP ja/k ja/a ja/N"),
        ("SP k a", TWO, None, "SP ja/k a"),  # two languages have an a
        ("SP k a", TWO, "en", "SP ja/k en/a"),
        ("SP x a", PLAIN, None, "SP x a"),
        ("t_b ae1 t t_e en/ae2", ("t", "ae"), None, "t ae t t ae"),  # a voice without marks
        ("t_b ae1", ("t", "t_b", "ae", "ae1"), None, "t_b ae1"),
    ],
)
def test_spellings(phonemes: str, known: tuple[str, ...], lang: str | None, expected: str) -> None:
    count = len(phonemes.split())
    segment = replace(
        SAKURA,
        ph_seq=tuple(phonemes.split()),
        ph_num=(count,),
        ph_dur=(),
        note_midi=(60.0,),
        note_dur=(1.0,),
        note_slur=(False,),
        lang=lang,
    )
    assert " ".join(spell_phonemes(segment, known).ph_seq) == expected
