"""Splitting of long text into parts that a model speaks in one call."""

import re

LONGEST = 240
"""Number of characters of the longest part. Models are trained on recordings of about 10 s."""

PAUSE_S = 0.2
"""Silence between sentences, in seconds."""

PARAGRAPH = 2.5
"""Silence between paragraphs, divided by that between sentences."""

PARAGRAPH_END = re.compile(r"\n\s*\n\s*")

_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?![a-z])|\n\s*\n\s*")
_END_IPA = re.compile(r"(?<=[.!?…])\s+|\n\s*")

_CUTS = (
    re.compile(r"(?<=[;:—…)])\s+|(?<=[.!?])[\"')\]]*\s+|\s+(?=[(—])"),
    re.compile(r"(?<=,)[\"']?\s+"),
    re.compile(
        r"\s+(?=(?:and|but|or|because|which|while|when|if|so|although|though|where|whereas|who|that"
        r"|unless|until|since|before|after|as)\s)"
    ),
    re.compile(
        r"\s+(?=(?:in|on|at|by|for|from|with|without|to|into|over|under|through|about|between"
        r"|against|during|of)\s)"
    ),
    re.compile(r"\s+"),
)
"""Where a sentence may be cut, from the best places to the worst: at strong marks, at commas,
before clauses, before phrases, between words."""


def split_sentences(text: str, longest: int = LONGEST, *, ipa: bool = False) -> list[str]:
    """Split a text into sentences, and long sentences into shorter parts.

    A part that is too long is cut at a pause, or else before a clause or a phrase; a word longer
    than ``longest`` is cut inside. No character but white space is lost.

    Args:
        text: The text. In ordinary text, an empty line ends a sentence, a line end does not.
        longest: Number of characters that a part may have.
        ipa: Whether the text is phonetic. In ordinary text, a mark before a small letter does not
            end a sentence. Phonetic text has only small letters, so there it does, and so does
            a line end.

    Returns:
        The parts, in the order of the text.
    """
    parts = list[str]()
    for sentence in _split(_END_IPA if ipa else _END, text):
        parts += _shorten(" ".join(sentence.split()), longest)
    return parts


def _split(pattern: re.Pattern[str], text: str) -> list[str]:
    """Split at matches. Characters of a match other than space stay with the part before it."""
    parts, start = [], 0
    for match in pattern.finditer(text):
        parts.append(text[start : match.start()] + match[0].strip())
        start = match.end()
    return [part for part in (*parts, text[start:]) if part.strip()]


def _shorten(sentence: str, longest: int) -> list[str]:
    """Cut a sentence at the best place near the end of an equal share of it."""
    parts = list[str]()
    while len(sentence) > longest:
        count = -(-len(sentence) // longest)
        share = len(sentence) / count
        start, end = _place(sentence, longest, share)
        parts.append(sentence[:start].rstrip())
        sentence = sentence[end:].lstrip()
    return [*parts, sentence] if sentence else parts


def _place(sentence: str, longest: int, share: float) -> tuple[int, int]:
    """Return where to cut: the end of the part, and the start of the rest."""
    for pattern in _CUTS:
        found = []
        for match in pattern.finditer(sentence, 0, longest + 2):
            end = match.end() - len(match[0]) + len(match[0].rstrip())
            if 0.35 * share <= end <= longest:
                found.append((end, match.end()))
        if found:
            return min(found, key=lambda place: abs(place[0] - share))
    return longest, longest
