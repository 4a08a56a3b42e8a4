"""MusicXML's bars: notes, rests and tempos with their places in the bar."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree.ElementTree import Element

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.repeats import Signs

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_UNITS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}
_JUMPS = ("dacapo", "dalsegno", "tocoda")


@dataclass(frozen=True)
class Sound:
    """A note or rest of one bar.

    Attributes:
        onset: Quarter notes from the beginning of the bar.
        beats: Quarter notes.
        midi: Semitones; ``None`` is a rest.
        lyrics: Words, by number of the verse.
        tied: It goes on from the note before.
        breath: A breath follows.
        chord: It sounds with the note before.
        place: Number of the note in the bar, from 1.
        voice: Name of its voice.
    """

    onset: Fraction
    beats: Fraction
    midi: float | None
    lyrics: dict[str, str]
    tied: bool
    breath: bool
    chord: bool
    place: int
    voice: str


@dataclass
class Measure:
    """A bar of one part.

    Attributes:
        number: As the file has it.
        metre: Numerator and denominator.
        beats: Its length in quarter notes.
        signs: Repeats and endings.
        sounds: Notes and rests of all voices.
        tempos: Quarter notes a minute, from a place in the bar on.
    """

    number: str
    metre: tuple[int, int]
    beats: Fraction = Fraction(0)
    signs: Signs = field(default_factory=lambda: Signs(""))
    sounds: list[Sound] = field(default_factory=list)
    tempos: list[tuple[Fraction, float]] = field(default_factory=list)


def measures(part: Element) -> Iterator[Measure]:
    """Bars of a part.

    Raises:
        InputError: If a value is no number, or the score jumps (da capo and such).
    """
    divisions, metre, shift = Fraction(1), (4, 4), Fraction(0)
    endings: frozenset[int] = frozenset()
    for count, element in enumerate(part.findall("measure"), 1):
        number = element.get("number", "") or str(count)
        bar = Measure(number, metre)
        at = extent = Fraction(0)
        place = 0
        for child in element:
            where = f"bar {number}, note {place + 1}"
            if child.tag == "attributes":
                divisions = _positive(child.findtext("divisions"), divisions, where)
                metre = bar.metre = _metre(child, metre, where)
                shift = _transposed(child, shift, where)
            elif child.tag == "note" and child.find("grace") is None:
                beats = _fraction(child.findtext("duration"), where) / divisions
                chord = child.find("chord") is not None
                if child.find("cue") is not None:  # another's, shown while this part rests
                    at = at if chord else at + beats
                    extent = max(extent, at)
                    continue
                place += 1
                onset = bar.sounds[-1].onset if chord and bar.sounds else at
                bar.sounds.append(_sound(child, shift, onset, beats, place, chord, where))
                at = at if chord else at + beats
            elif child.tag in ("backup", "forward"):
                step = _fraction(child.findtext("duration"), where) / divisions
                at += step if child.tag == "forward" else -step
                if at < 0:
                    raise InputError(f"{where}: backup goes beyond the bar's beginning")
            elif child.tag in ("direction", "sound"):
                bar.tempos += [(at, tempo) for tempo in _tempos(child, where)]
            extent = max(extent, at)
        bar.beats = extent or Fraction(4 * metre[0], metre[1])
        bar.signs, endings = _signs(element, number, endings)
        yield bar


def _sound(
    note: Element,
    shift: Fraction,
    onset: Fraction,
    beats: Fraction,
    place: int,
    chord: bool,
    where: str,
) -> Sound:
    pitch = note.find("pitch")
    if note.find("unpitched") is not None:
        raise InputError(f"{where}: has no pitch (percussion): choose a part that is sung")
    if pitch is None and note.find("rest") is None:
        raise InputError(f"{where}: is neither a pitch nor a rest")
    if beats <= 0:
        raise InputError(f"{where}: its length is {float(beats):g}: give it one, or delete it")
    ties = {tie.get("type") for tie in (*note.findall("tie"), *note.iterfind("notations/tied"))}
    lyrics = {}
    for lyric in note.findall("lyric"):
        text = " ".join(t.text.strip() for t in lyric.findall("text") if t.text and t.text.strip())
        if text:
            lyrics[lyric.get("number", "1")] = text
    return Sound(
        onset=onset,
        beats=beats,
        midi=None if pitch is None else _midi(pitch, shift, where),
        lyrics=lyrics,
        tied="stop" in ties,
        breath=note.find("notations/articulations/breath-mark") is not None,
        chord=chord,
        place=place,
        voice=f"{note.findtext('voice', '1')}/{note.findtext('staff', '1')}",
    )


def _midi(pitch: Element, shift: Fraction, where: str) -> float:
    step = (pitch.findtext("step") or "").strip()
    if step not in _LETTERS:
        raise InputError(f"{where}: its pitch has the step '{step}', not A to G")
    alter = _fraction(pitch.findtext("alter") or "0", where)
    octave = _fraction(pitch.findtext("octave"), where)
    return round(float(12 * (octave + 1) + _LETTERS[step] + alter + shift), 6)


def _transposed(attributes: Element, before: Fraction, where: str) -> Fraction:
    """Semitones from the written pitch to the one that sounds."""
    transpose = attributes.find("transpose")
    if transpose is None:
        return before
    octaves = _fraction(transpose.findtext("octave-change") or "0", where)
    return _fraction(transpose.findtext("chromatic") or "0", where) + 12 * octaves


def _metre(attributes: Element, before: tuple[int, int], where: str) -> tuple[int, int]:
    time = attributes.find("time")
    if time is None or time.find("beats") is None:
        return before
    numbers = (time.findtext("beats") or "").split("+")
    beats = sum(_fraction(n, where) for n in numbers)
    kind = _fraction(time.findtext("beat-type"), where)
    if beats <= 0 or kind <= 0 or beats % 1 or kind % 1:
        raise InputError(f"{where}: a time signature of {beats} over {kind}")
    return int(beats), int(kind)


def _tempos(element: Element, where: str) -> Iterator[float]:
    """Tempo that a direction sets: as it sounds, else as it is printed."""
    sounds = [element] if element.tag == "sound" else element.findall("sound")
    for sound in sounds:
        for jump in _JUMPS:
            if sound.get(jump) is not None:
                raise InputError(f"{where}: {jump} is not followed: write the bars out")
    given = [sound.get("tempo") for sound in sounds if sound.get("tempo")]
    if given:
        yield _tempo(given[0], where)
        return
    for mark in element.iterfind("direction-type/metronome"):
        unit = _UNITS.get(mark.findtext("beat-unit", ""))
        printed = mark.findtext("per-minute", "")
        if unit and printed.replace(".", "", 1).isdigit():
            dots = len(mark.findall("beat-unit-dot"))
            yield _tempo(str(float(printed) * unit * (2 - 0.5**dots)), where)


def _tempo(text: str | None, where: str) -> float:
    tempo = float(_fraction(text, where))
    if tempo <= 0:
        raise InputError(f"{where}: tempo {tempo:g} a minute")
    return tempo


def _signs(element: Element, number: str, endings: frozenset[int]) -> tuple[Signs, frozenset[int]]:
    """Signs of a bar, and the endings that go on after it."""
    forward, times, ends = False, 1, False
    here = endings
    for line in element.findall("barline"):
        ending, repeat = line.find("ending"), line.find("repeat")
        if ending is not None and ending.get("type") == "start":
            digits = ending.get("number", "1").replace(",", " ").split()
            here = frozenset(int(d) for d in digits if d.isdigit()) or frozenset((1,))
        if ending is not None and ending.get("type") in ("stop", "discontinue"):
            ends = True
        if repeat is not None and repeat.get("direction") == "forward":
            forward = True
        if repeat is not None and repeat.get("direction") == "backward":
            said = repeat.get("times", "2")
            times = int(said) if said.isdigit() else 2
    if here and times > 1:
        times = max(times, max(here) + 1)
    return Signs(number, forward, times, here, ends), frozenset() if ends else here


def _positive(text: str | None, default: Fraction, where: str) -> Fraction:
    value = default if text is None else _fraction(text, where)
    if value <= 0:
        raise InputError(f"{where}: divisions is {value}")
    return value


def _fraction(text: str | None, where: str) -> Fraction:
    """A decimal number.

    Raises:
        InputError: If it is none.
    """
    shown = (text or "").strip()
    if len(shown) > 40 or "/" in shown or "e" in shown.lower():
        raise InputError(f"{where}: '{shown[:20]}' is no number")
    try:
        return Fraction(shown)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{where}: '{shown[:20]}' is no number") from None
