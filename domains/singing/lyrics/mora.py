"""Japanese lyrics, kana or romaji, to phonemes mora by mora."""

import re
import unicodedata
from functools import cache

from oneleap.core.errors import InputError

Mora = tuple[str, ...]
"""Phonemes of one mora: a vowel after no, one or two consonants, ``N``, or ``cl``."""

VOWELS = ("a", "i", "u", "e", "o")
NASAL, STOP = "N", "cl"
"""The moraic nasal ん and the first half of a long consonant, っ."""

# Columns are a i u e o; a dot is a gap. Sounds are those of Sinsy and openvpi's dictionary.
_ROWS = """
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

_SAME_KANA = {
    "を": "お", "ゐ": "い", "ゑ": "え", "ぢ": "じ", "づ": "ず", "ぢゃ": "じゃ", "ぢゅ": "じゅ",
    "ぢょ": "じょ", "くゎ": "くぁ", "ぐゎ": "ぐぁ", "ゔゃ": "びゃ", "ゔゅ": "びゅ", "ゔょ": "びょ",
    "ふゅ": "ひゅ", "ぁ": "あ", "ぃ": "い", "ぅ": "う", "ぇ": "え", "ぉ": "お", "ゃ": "や",
    "ゅ": "ゆ", "ょ": "よ", "ゎ": "わ", "しぃ": "すぃ",
}  # fmt: skip

_SAME_ROMAJI = {
    "si": "shi", "sya": "sha", "syu": "shu", "sye": "she", "syo": "sho", "ti": "chi", "tu": "tsu",
    "tya": "cha", "tyu": "chu", "tye": "che", "tyo": "cho", "cya": "cha", "cyu": "chu",
    "cyo": "cho", "hu": "fu", "zi": "ji", "zya": "ja", "zyu": "ju", "zyo": "jo", "jya": "ja",
    "jyu": "ju", "jyo": "jo", "di": "ji", "du": "zu", "dzu": "zu", "wo": "o", "la": "ra",
    "li": "ri", "lu": "ru", "le": "re", "lo": "ro",
}  # fmt: skip
"""Spellings of other systems, where they mean another sound than letter by letter."""

LONG = "ー"
"""The mark by which a vowel goes on."""

_NASALS = re.compile(r"n'|n(?![aiueoy])|m(?=[bpm])")
_LATIN = re.compile(r"[a-z']+")


@cache
def kana_table() -> dict[str, Mora]:
    """Mora of each spelling in hiragana."""
    table: dict[str, Mora] = {"ん": (NASAL,), "っ": (STOP,)}
    for row in _ROWS.split("\n"):
        name, *cells = row.split() or [""]
        for vowel, kana in zip(VOWELS, cells, strict=False):
            if kana != ".":
                table[kana] = (*(name.split("+") if name != "." else ()), vowel)
    return table | {kana: table[same] for kana, same in _SAME_KANA.items()}


@cache
def romaji_table() -> dict[str, Mora]:
    """Mora of each spelling in Latin letters: Hepburn's, and Japan's where it differs."""
    table = {"".join(mora): mora for mora in kana_table().values() if mora[-1] in VOWELS}
    return table | {spelling: table[same] for spelling, same in _SAME_ROMAJI.items()}


@cache
def consonants() -> frozenset[str]:
    """Every phoneme that leads to a vowel."""
    return frozenset(sound for mora in kana_table().values() for sound in mora[:-1])


def morae(lyric: str) -> tuple[Mora, ...]:
    """Morae of a lyric, in kana or romaji, several if it has several.

    Katakana and full-width letters are the same as hiragana and Latin letters. The long-vowel
    mark, a circumflex and a macron add nothing: the vowel lasts as long as its note. A particle is
    sung as it is spelt: write わ for は where it is the particle.

    Raises:
        InputError: If a character has no sound, or nothing is left to sing.
    """
    text = _plain(lyric)
    found: list[Mora] = []
    at = 0
    while at < len(text):
        latin = _LATIN.match(text, at)
        if latin:
            found += _romaji(latin[0], lyric)
            at = latin.end()
            continue
        if text[at] == LONG or text[at].isspace() or text[at] in "-・":
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
        raise InputError(f"the lyric '{lyric}' has nothing to sing")
    return tuple(found)


def _plain(lyric: str) -> str:
    """Hiragana and small Latin letters, without marks of length on vowels."""
    text = unicodedata.normalize("NFKC", lyric).lower().replace("’", "'")
    text = "".join(chr(ord(c) - 0x60) if "ァ" <= c <= "ヶ" else c for c in text)
    apart = unicodedata.normalize("NFD", text)
    bare = "".join(c for c in apart if c not in "\u0302\u0304")  # circumflex, macron
    return unicodedata.normalize("NFC", bare)


def _romaji(word: str, lyric: str) -> list[Mora]:
    found: list[Mora] = []
    at = 0
    while at < len(word):
        nasal = _NASALS.match(word, at)
        double = word[at : at + 2]
        if nasal and double != "n'" and word[at] == "m" and word[at : at + 2] == "mm":
            nasal = None
        if nasal:
            found.append((NASAL,))
            at = nasal.end()
        elif len(double) == 2 and (double in ("tc",) or double[0] == double[1] not in "aiueon'"):
            found.append((STOP,))
            at += 1
        else:
            size = next((n for n in (4, 3, 2, 1) if word[at : at + n] in romaji_table()), 0)
            if word[at:] == STOP or not size:
                if word[at:] != STOP:
                    raise InputError(f"'{word[at:]}' in the lyric '{lyric}' is no romaji")
                found.append((STOP,))
                break
            found.append(romaji_table()[word[at : at + size]])
            at += size
    return found
