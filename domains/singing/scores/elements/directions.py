"""What directions and bar lines of MusicXML say: tempo, jumps, repeats and dynamics."""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree.ElementTree import Element

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.dynamics import (
    ACCENTS,
    LEVELS,
    STEP_DB,
    SUDDEN,
    DynamicSign,
)
from oneleap.domains.singing.scores.repeats import Jump, RepeatSigns

BEAT_UNITS = {
    "breve": 8.0,
    "whole": 4.0,
    "half": 2.0,
    "quarter": 1.0,
    "eighth": 0.5,
    "16th": 0.25,
    "32nd": 0.125,
}
"""Quarter notes of each unit of a metronome mark."""

MAX_PASSES = 100
"""Largest number of a pass in an ending."""

UNNAMED = ""
"""Name of a segno or coda that has none."""

_JUMP_WORDS = re.compile(r"(?:(?P<dc>d\.?\s?c\b|da\s+capo)|d\.?\s?s\b|dal\s+segno)")
_TO_CODA = re.compile(r"(?:to|al|alla)\s+(?:the\s+)?coda\W*")
_GRADUAL = re.compile(r"(?:poco a poco\s+)?(?:(?P<up>cresc)|dim|decresc)\w*\W*(?:poco a poco\W*)?")


@dataclass
class Marks:
    """What the directions of one measure say; positions are quarter notes from its beginning.

    Attributes:
        tempos: Pairs (position, quarter notes per minute).
        signs: Dynamics at positions.
        accents: Positions of notes that are accented by a mark such as sfz.
        jump: Jump at the end of the measure.
        to_coda: Name of the coda to which the measure leads after a jump.
        fine: Whether the piece ends here after a jump.
        segnos: Names of segnos.
        codas: Names of codas.
        coda_symbols: Number of coda symbols that may be a coda or a sign to go there.
    """

    tempos: list[tuple[Fraction, float]] = field(default_factory=list)
    signs: list[DynamicSign] = field(default_factory=list)
    accents: set[Fraction] = field(default_factory=set)
    jump: Jump | None = None
    to_coda: str | None = None
    fine: bool = False
    segnos: set[str] = field(default_factory=set)
    codas: set[str] = field(default_factory=set)
    coda_symbols: int = 0

    def merge_jumps(self, other: "Marks") -> None:
        """Add the jumps of another part, since a jump in any part is one of the score."""
        self.jump = self.jump or other.jump
        self.to_coda = other.to_coda if self.to_coda is None else self.to_coda
        self.fine = self.fine or other.fine
        self.segnos |= other.segnos
        self.codas |= other.codas
        self.coda_symbols = max(self.coda_symbols, other.coda_symbols)


def parse_direction(element: Element, position: Fraction, marks: Marks, where: str) -> None:
    """Add what a ``direction`` or ``sound`` element says.

    Args:
        element: The element.
        position: Where it is, quarter notes from the beginning of the measure.
        marks: Marks of the measure, which are changed.
        where: Bar and note, for messages.

    Raises:
        InputError: If a tempo is not a positive number.
    """
    sounds = [element] if element.tag == "sound" else element.findall("sound")
    _parse_tempo(element, sounds, position, marks, where)
    before = (marks.jump, marks.to_coda, marks.fine)
    for sound in sounds:
        _parse_sound_jumps(sound, marks)
    texts = [" ".join((w.text or "").split()).lower() for w in element.iter("words")]
    for text in texts:
        _parse_jump_words(text, marks)
    if element.find("direction-type/segno") is not None:
        marks.segnos.add(UNNAMED)
    leads_to_coda = (marks.jump, marks.to_coda, marks.fine) != before
    coda_named = any(sound.get("coda") for sound in sounds)
    if element.find("direction-type/coda") is not None and not leads_to_coda and not coda_named:
        marks.coda_symbols += 1
    _parse_dynamics(element, sounds, texts, position, marks)


def _parse_sound_jumps(sound: Element, marks: Marks) -> None:
    if (segno := sound.get("segno")) is not None:
        marks.segnos.add(segno)
    if (coda := sound.get("coda")) is not None:
        marks.codas.add(coda)
    if (fine := sound.get("fine")) is not None and fine.lower() != "no":
        marks.fine = True
    if (to_coda := sound.get("tocoda")) is not None:
        marks.to_coda = to_coda
    if sound.get("dacapo", "no").lower() == "yes":
        marks.jump = marks.jump or Jump()
    elif (segno := sound.get("dalsegno")) is not None:
        marks.jump = marks.jump or Jump(segno)


def _parse_jump_words(text: str, marks: Marks) -> None:
    """Parse words such as ``D.S. al Coda``, ``To Coda`` and ``Fine``."""
    found = _JUMP_WORDS.match(text)
    if found:
        rest = text[found.end() :]
        until = "fine" if "fine" in rest else "coda" if "coda" in rest else ""
        segno = None if found["dc"] else UNNAMED
        written = marks.jump or Jump(segno)
        marks.jump = Jump(written.segno, until or written.until)
        return
    bare = text.strip(" .!()[]")
    if bare == "fine":
        marks.fine = True
    elif bare == "coda":
        marks.codas.add(UNNAMED)
    elif bare == "segno":
        marks.segnos.add(UNNAMED)
    elif _TO_CODA.fullmatch(text):
        marks.to_coda = marks.to_coda or UNNAMED


def _parse_tempo(
    element: Element, sounds: list[Element], position: Fraction, marks: Marks, where: str
) -> None:
    """Parse the sound tempo, else the printed metronome mark."""
    given = [sound.get("tempo") for sound in sounds if sound.get("tempo")]
    if given:
        marks.tempos.append((position, _positive_tempo(given[0], where)))
        return
    for mark in element.iterfind("direction-type/metronome"):
        unit = BEAT_UNITS.get(mark.findtext("beat-unit", ""))
        printed = re.search(r"[0-9]{1,4}(?:\.[0-9]{1,6})?", mark.findtext("per-minute", ""))
        if unit and printed:
            dots = min(len(mark.findall("beat-unit-dot")), 3)
            tempo = str(float(printed[0]) * unit * (2 - 0.5**dots))
            marks.tempos.append((position, _positive_tempo(tempo, where)))


def _positive_tempo(text: str | None, where: str) -> float:
    tempo = float(decimal(text, where))
    if tempo <= 0:
        raise InputError(f"{where}: the tempo is {tempo:g} beats per minute")
    return tempo


def _parse_dynamics(
    element: Element, sounds: list[Element], texts: list[str], position: Fraction, marks: Marks
) -> None:
    names = [mark.tag for parent in element.iter("dynamics") for mark in parent]
    for name in names:
        if name in ACCENTS:
            marks.accents.add(position)
        if (level := LEVELS.get(SUDDEN.get(name, name))) is not None:
            marks.signs.append(DynamicSign(position, level))
    for wedge in element.iter("wedge"):
        kind = {"crescendo": 1, "diminuendo": -1, "stop": 0}.get(wedge.get("type", ""))
        if kind is not None:
            marks.signs.append(DynamicSign(position, None, kind))
    for text in texts:
        if found := _GRADUAL.fullmatch(text):
            marks.signs.append(DynamicSign(position, None, 1 if found["up"] else -1))
    if not names and element.tag == "direction":
        for sound in sounds:
            if (percent := sound.get("dynamics")) is not None and re.fullmatch(
                r"[0-9]{1,3}(\.[0-9]{1,9})?", percent
            ):
                # 100 % is a MIDI velocity of 90; marks are 16 apart, and mf is 80.
                level = (0.9 * min(float(percent), 140.0) - 80.0) / 16.0 * STEP_DB
                marks.signs.append(DynamicSign(position, level))


def parse_signs(
    element: Element, number: str, endings: frozenset[int], marks: Marks
) -> tuple[RepeatSigns, frozenset[int]]:
    """Parse the bar lines of a measure.

    Args:
        element: The measure.
        number: Its number.
        endings: Endings that continue from the measure before.
        marks: Marks of the measure, which get the segnos and codas of bar lines.

    Returns:
        Repeats and endings of the measure, and the endings that continue after it.
    """
    forward, times, ends = False, 1, False
    here = endings
    for line in element.findall("barline"):
        ending, repeat = line.find("ending"), line.find("repeat")
        left = line.get("location") == "left"
        if ending is not None and ending.get("type") == "start":
            here = _parse_ending(ending.get("number", "") or ending.text or "")
        if ending is not None and ending.get("type") in ("stop", "discontinue"):
            ends = True
        if repeat is not None and repeat.get("direction") == "forward":
            forward = True
            here = here if ending is not None else frozenset()
        if repeat is not None and repeat.get("direction") == "backward":
            count = repeat.get("times", "2")
            times = int(count) if re.fullmatch("[0-9]{1,9}", count) and int(count) > 1 else 2
        if line.get("segno") is not None or (left and line.find("segno") is not None):
            marks.segnos.add(line.get("segno", UNNAMED))
        if line.get("coda") is not None or (left and line.find("coda") is not None):
            marks.codas.add(line.get("coda", UNNAMED))
    return RepeatSigns(number, forward, times, here), frozenset() if ends else here


def _parse_ending(text: str) -> frozenset[int]:
    """Parse the passes of an ending, such as ``1``, ``1, 2``, ``1.2.`` or ``1-3``."""
    found = set[int]()
    for one, other in re.findall(r"([0-9]{1,9})\W*?(?:[-–—][^0-9]*([0-9]{1,9}))?(?![0-9])", text):
        first, last = int(one), int(other or one)
        found |= set(range(max(1, first), min(last, MAX_PASSES) + 1))
    return frozenset(found) or frozenset((1,))


def resolve_jumps(signs: list[RepeatSigns], marks: list[Marks]) -> list[RepeatSigns]:
    """Combine the bars' repeats with their jumps.

    A coda symbol without words is a sign to go to the coda if it is the first of several and no
    other sign leads there; else a coda starts with it.

    Args:
        signs: Repeats and endings of each measure.
        marks: Marks of each measure.

    Returns:
        Repeats, endings and jumps of each measure.
    """
    symbols = [k for k, m in enumerate(marks) for _ in range(m.coda_symbols)]
    explicit = any(m.to_coda is not None for m in marks)
    named = any(m.codas for m in marks)
    if symbols and not explicit and (len(symbols) > 1 or named):
        marks[symbols.pop(0)].to_coda = UNNAMED
    for k in symbols:
        marks[k].codas.add(UNNAMED)
    return [
        RepeatSigns(
            s.number,
            s.forward,
            s.times,
            s.endings,
            frozenset(m.segnos),
            frozenset(m.codas),
            m.jump,
            m.to_coda,
            m.fine,
        )
        for s, m in zip(signs, marks, strict=True)
    ]


def decimal(text: str | None, where: str) -> Fraction:
    """Parse a decimal number exactly.

    Raises:
        InputError: If it is not one.
    """
    shown = (text or "").strip()
    if not re.fullmatch(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})", shown):
        raise InputError(f"{where}: '{shown[:20]}' is not a decimal number")
    return Fraction(shown)
