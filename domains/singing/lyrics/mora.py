"""Japanese lyrics in kana or romaji to phonemes, mora by mora."""

import re
import unicodedata
from functools import cache

from oneleap.core.errors import InputError

Mora = tuple[str, ...]
"""Phonemes of a mora: a vowel with up to two consonants before it, ``N``, or ``cl``."""

VOWELS = ("a", "i", "u", "e", "o")
"""Vowels of Japanese."""

MORAIC_NASAL, SOKUON = "N", "cl"
"""Phonemes of ん, the moraic nasal, and of っ, the first half of a long consonant."""

# Rows are consonants; columns are a i u e o, and a dot is a gap. The phonemes are those of Sinsy
# and of openvpi's dictionary.
_KANA_CHART = """
.   あ い う え お
k   か き く け こ
ky  きゃ . きゅ きぇ きょ
k+w くぁ くぃ くぅ くぇ くぉ
g   が ぎ ぐ げ ご
gy  ぎゃ . ぎゅ ぎぇ ぎょ
g+w ぐぁ ぐぃ ぐぅ ぐぇ ぐぉ
s   さ すぃ す せ そ
sh  しゃ し しゅ しぇ しょ
z   ざ ずぃ ず ぜ ぞ
j   じゃ じ じゅ じぇ じょ
t   た てぃ とぅ て と
ty  てゃ . てゅ てぇ てょ
ch  ちゃ ち ちゅ ちぇ ちょ
ts  つぁ つぃ つ つぇ つぉ
d   だ でぃ どぅ で ど
dy  でゃ . でゅ でぇ でょ
n   な に ぬ ね の
ny  にゃ . にゅ にぇ にょ
h   は ひ . へ ほ
hy  ひゃ . ひゅ ひぇ ひょ
f   ふぁ ふぃ ふ ふぇ ふぉ
b   ば び ぶ べ ぼ
by  びゃ . びゅ びぇ びょ
p   ぱ ぴ ぷ ぺ ぽ
py  ぴゃ . ぴゅ ぴぇ ぴょ
m   ま み む め も
my  みゃ . みゅ みぇ みょ
y   や . ゆ いぇ よ
r   ら り る れ ろ
ry  りゃ . りゅ りぇ りょ
w   わ うぃ . うぇ うぉ
v   ゔぁ ゔぃ ゔ ゔぇ ゔぉ
"""

_KANA_ALIASES = {
    "を": "お", "ゐ": "い", "ゑ": "え", "ぢ": "じ", "づ": "ず", "ぢゃ": "じゃ", "ぢゅ": "じゅ",
    "ぢょ": "じょ", "くゎ": "くぁ", "ぐゎ": "ぐぁ", "ゔゃ": "びゃ", "ゔゅ": "びゅ", "ゔょ": "びょ",
    "ふゅ": "ひゅ", "ぁ": "あ", "ぃ": "い", "ぅ": "う", "ぇ": "え", "ぉ": "お", "ゃ": "や",
    "ゅ": "ゆ", "ょ": "よ", "ゎ": "わ", "しぃ": "すぃ",
}  # fmt: skip
"""Kana that sound like other kana of the chart."""

_ROMAJI_ALIASES = {
    "si": "shi", "sya": "sha", "syu": "shu", "sye": "she", "syo": "sho", "ti": "chi", "tu": "tsu",
    "tya": "cha", "tyu": "chu", "tye": "che", "tyo": "cho", "cya": "cha", "cyu": "chu",
    "cyo": "cho", "hu": "fu", "zi": "ji", "zya": "ja", "zyu": "ju", "zyo": "jo", "jya": "ja",
    "jyu": "ju", "jyo": "jo", "di": "ji", "du": "zu", "dzu": "zu", "wo": "o", "la": "ra",
    "li": "ri", "lu": "ru", "le": "re", "lo": "ro",
}  # fmt: skip
"""Spellings of other systems that stand for another sound than their letters."""

LONG_VOWEL_MARK = "ー"
"""The mark that prolongs a vowel."""

_NASAL_LETTERS = re.compile(r"n'|n(?![aiueoy])|m(?=[bpm])")
_LATIN = re.compile(r"[a-z']+")


@cache
def kana_table() -> dict[str, Mora]:
    """Mora of each spelling in hiragana."""
    table: dict[str, Mora] = {"ん": (MORAIC_NASAL,), "っ": (SOKUON,)}
    for row in _KANA_CHART.split("\n"):
        consonant, *cells = row.split() or [""]
        for vowel, kana in zip(VOWELS, cells, strict=False):
            if kana != ".":
                table[kana] = (*(consonant.split("+") if consonant != "." else ()), vowel)
    return table | {kana: table[other] for kana, other in _KANA_ALIASES.items()}


@cache
def romaji_table() -> dict[str, Mora]:
    """Mora of each spelling in Latin letters: Hepburn, and other systems where they differ."""
    table = {"".join(mora): mora for mora in kana_table().values() if mora[-1] in VOWELS}
    return table | {spelling: table[other] for spelling, other in _ROMAJI_ALIASES.items()}


@cache
def consonants() -> frozenset[str]:
    """All phonemes that come before a vowel."""
    return frozenset(sound for mora in kana_table().values() for sound in mora[:-1])


def morae(lyric: str) -> tuple[Mora, ...]:
    """Split a lyric in kana or romaji into morae.

    Katakana and full-width letters are read as hiragana and Latin letters. The long-vowel mark, a
    circumflex and a macron add nothing, because a vowel lasts as long as its note. A particle is
    sung as it is spelled: write わ for a は that is the particle.

    Raises:
        InputError: If a character has no sound, or the lyric contains nothing to sing.
    """
    text = _normalize(lyric)
    found: list[Mora] = []
    at = 0
    while at < len(text):
        latin = _LATIN.match(text, at)
        if latin:
            found += _parse_romaji(latin[0], lyric)
            at = latin.end()
            continue
        if text[at] == LONG_VOWEL_MARK or text[at].isspace() or text[at] in "-・":
            at += 1
            continue
        mora = kana_table().get(text[at : at + 2])
        size = 2 if mora and len(text[at : at + 2]) == 2 else 1
        mora = mora or kana_table().get(text[at])
        if mora is None:
            raise InputError(f"'{text[at]}' in the lyric '{lyric}' is neither kana nor romaji")
        found.append(mora)
        at += size
    if not found:
        raise InputError(f"the lyric '{lyric}' contains nothing to sing")
    return tuple(found)


def _normalize(lyric: str) -> str:
    """Convert to hiragana and lower-case Latin letters without circumflex or macron."""
    text = unicodedata.normalize("NFKC", lyric).lower().replace("’", "'")
    text = "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in text)
    decomposed = unicodedata.normalize("NFD", text)
    bare = "".join(c for c in decomposed if c not in "\u0302\u0304")  # circumflex, macron
    return unicodedata.normalize("NFC", bare)


def _parse_romaji(word: str, lyric: str) -> list[Mora]:
    found: list[Mora] = []
    at = 0
    while at < len(word):
        nasal = _NASAL_LETTERS.match(word, at)
        pair = word[at : at + 2]
        if nasal and pair == "mm":
            nasal = None
        if nasal:
            found.append((MORAIC_NASAL,))
            at = nasal.end()
        elif len(pair) == 2 and (pair == "tc" or pair[0] == pair[1] not in "aiueon'"):
            found.append((SOKUON,))
            at += 1
        elif word[at:] == SOKUON:
            found.append((SOKUON,))
            break
        else:
            size = next((n for n in (4, 3, 2, 1) if word[at : at + n] in romaji_table()), 0)
            if not size:
                raise InputError(f"'{word[at:]}' in the lyric '{lyric}' is not romaji")
            found.append(romaji_table()[word[at : at + size]])
            at += size
    return found
