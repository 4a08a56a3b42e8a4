"""Splitting of long text into parts that a model speaks in one call."""

import re

LONGEST = 240
"""Number of characters of the longest part. Models are trained on recordings of about 10 s."""

_END = re.compile(r"(?<=[!?])[\"')\]]*\s+|(?<=[.…])[\"')\]]*\s+(?![a-z])|\n\s*")
_END_IPA = re.compile(r"(?<=[.!?…])\s+|\n\s*")
_PAUSE = re.compile(r"(?<=[,.:;…—)])\s+")


def split_sentences(text: str, longest: int = LONGEST, *, ipa: bool = False) -> list[str]:
    """Split a text into sentences, and long sentences into shorter parts.

    A part that is too long is split at its last pause that fits, or else between words. A word
    longer than ``longest`` is split inside. No character but white space is lost.

    Args:
        text: The text.
        longest: Number of characters that a part may have.
        ipa: Whether the text is phonetic. In ordinary text, a full stop before a small letter
            does not end a sentence. Phonetic text has only small letters, so there it does.

    Returns:
        The parts, in the order of the text.
    """
    parts = []
    for sentence in _split(_END_IPA if ipa else _END, text):
        parts += _shorten(sentence, longest)
    return parts


def _split(pattern: re.Pattern[str], text: str) -> list[str]:
    """Split at matches. Characters of a match other than space stay with the part before it."""
    parts, start = [], 0
    for match in pattern.finditer(text):
        parts.append(text[start : match.start()] + match[0].strip())
        start = match.end()
    return [part for part in (*parts, text[start:]) if part.strip()]


def _shorten(sentence: str, longest: int) -> list[str]:
    """Split a sentence at pauses, then join neighboring phrases as long as they fit."""
    if len(sentence) <= longest:
        return [sentence]
    phrases = []
    for phrase in _split(_PAUSE, sentence):
        phrases += [phrase] if len(phrase) <= longest else _join(_words(phrase, longest), longest)
    return _join(phrases, longest)


def _words(phrase: str, longest: int) -> list[str]:
    return [w[i : i + longest] for w in phrase.split() for i in range(0, len(w), longest)]


def _join(pieces: list[str], longest: int) -> list[str]:
    parts = [pieces[0]]
    for piece in pieces[1:]:
        if len(parts[-1]) + 1 + len(piece) <= longest:
            parts[-1] += f" {piece}"
        else:
            parts.append(piece)
    return parts
