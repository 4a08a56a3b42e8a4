"""Long text in parts that a model reads in one breath."""

import re

LONGEST = 240
"""Characters of the longest part; models are trained on recordings of about ten seconds."""

_END = re.compile(r"(?<=[!?])[\"')\]]*\s+|(?<=[.…])[\"')\]]*\s+(?![a-z])|\n\s*")
_END_IPA = re.compile(r"(?<=[.!?…])\s+|\n\s*")
_PAUSE = re.compile(r"(?<=[,.:;…—)])\s+")


def sentences(text: str, longest: int = LONGEST, *, ipa: bool = False) -> list[str]:
    """Parts of at most ``longest`` characters whose words are those of the text, in order.

    Cut at ends of sentences and lines, where a part is still too long at the last pause that
    fits, else between words, and a word without end in its middle. A full stop before a small
    letter ends no sentence, unless the text is phonetic (``ipa``), where all letters are small.
    """
    parts = []
    for sentence in _split(_END_IPA if ipa else _END, text):
        parts += _shortened(sentence, longest)
    return parts


def _split(pattern: re.Pattern[str], text: str) -> list[str]:
    """Between the matches; what a match holds beside space stays at the end of its part."""
    parts, start = [], 0
    for match in pattern.finditer(text):
        parts.append(text[start : match.start()] + match[0].strip())
        start = match.end()
    return [part for part in (*parts, text[start:]) if part.strip()]


def _shortened(sentence: str, longest: int) -> list[str]:
    """Phrases, joined again as far as they fit."""
    if len(sentence) <= longest:
        return [sentence]
    phrases = []
    for phrase in _split(_PAUSE, sentence):
        phrases += [phrase] if len(phrase) <= longest else _joined(_words(phrase, longest), longest)
    return _joined(phrases, longest)


def _words(phrase: str, longest: int) -> list[str]:
    return [w[i : i + longest] for w in phrase.split() for i in range(0, len(w), longest)]


def _joined(pieces: list[str], longest: int) -> list[str]:
    parts = [pieces[0]]
    for piece in pieces[1:]:
        if len(parts[-1]) + 1 + len(piece) <= longest:
            parts[-1] += f" {piece}"
        else:
            parts.append(piece)
    return parts
