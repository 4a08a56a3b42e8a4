"""The measures of one part of a MusicXML file, as they are written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree.ElementTree import Element

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.punctuation import Lyric, clean_lyric
from oneleap.domains.singing.scores.dynamics import DynamicSign
from oneleap.domains.singing.scores.elements.directions import (
    Marks,
    decimal,
    parse_direction,
    parse_signs,
)
from oneleap.domains.singing.scores.melody import NO_LYRIC
from oneleap.domains.singing.scores.repeats import RepeatSigns
from oneleap.domains.singing.scores.score import CONTINUATION_LYRICS, TimeSignature, bar_beats
from oneleap.domains.singing.segments.pitch import LETTERS

UNPITCHED = -1.0
"""Pitch of a note of percussion."""


@dataclass(frozen=True)
class RawNote:
    """A note or rest of one measure, as in the file.

    Attributes:
        number: Number in the measure, counted from 1.
        onset: Quarter notes from the beginning of the measure.
        beats: Length in quarter notes.
        midi: Pitch in semitones; ``None`` is a rest, ``UNPITCHED`` percussion.
        lyrics: Lyric by verse.
        tied: Whether a tie continues the note before.
        breath: Whether a breath follows.
        accent: Whether it is accented.
        fermata: Whether it has a fermata.
        chord: Whether it sounds together with the note before.
        voice: Name of its voice and staff.
    """

    number: int
    onset: Fraction
    beats: Fraction
    midi: float | None
    lyrics: dict[str, Lyric]
    tied: bool = False
    breath: bool = False
    accent: bool = False
    fermata: bool = False
    chord: bool = False
    voice: str = "1/1"


@dataclass
class Measure:
    """A measure of one part, as in the file.

    Attributes:
        number: Number in the file.
        time_signature: Numerator and denominator.
        beats: Length in quarter notes.
        signs: Repeats and endings.
        notes: Notes and rests of all voices.
        marks: Tempos, dynamics and jumps.
        verse_names: Verse by its name, for verses that have one.
    """

    number: str
    time_signature: TimeSignature
    beats: Fraction = Fraction(0)
    signs: RepeatSigns = field(default_factory=lambda: RepeatSigns(""))
    notes: list[RawNote] = field(default_factory=list)
    marks: Marks = field(default_factory=Marks)
    verse_names: dict[str, str] = field(default_factory=dict)


@dataclass
class _State:
    """What carries over from one measure of a part to the next."""

    strict: bool
    divisions: Fraction = Fraction(1)
    time_signature: TimeSignature = (4, 4)
    transposition: Fraction = Fraction(0)
    endings: frozenset[int] = frozenset()
    position: Fraction = Fraction(0)
    grace_lyrics: dict[str, Lyric] = field(default_factory=dict)


def parse_measures(part: Element, *, strict: bool = True) -> Iterator[Measure]:
    """Parse the measures of a part; attributes and endings carry over to the next measure.

    Args:
        part: The part.
        strict: Whether a fault in a note is an error; otherwise the note is left out. Of a part
            that is not sung, only tempos and jumps matter.

    Yields:
        The measures.

    Raises:
        InputError: If a note or sign is invalid. The message names the bar and the note.
    """
    state = _State(strict)
    for count, element in enumerate(part.findall("measure"), 1):
        number = element.get("number", "") or str(count)
        measure = Measure(number, state.time_signature)
        state.position = extent = Fraction(0)
        for child in element:
            try:
                _parse_child(child, measure, state)
            except InputError:
                if state.strict:
                    raise
            extent = max(extent, state.position)
        measure.beats = extent or bar_beats(state.time_signature)
        measure.signs, state.endings = parse_signs(element, number, state.endings, measure.marks)
        yield measure


def _parse_child(child: Element, measure: Measure, state: _State) -> None:
    """Parse an element of a measure."""
    where = f"bar {measure.number}, note {len(measure.notes) + 1}"
    if child.tag == "attributes":
        _parse_attributes(child, measure, state, where)
    elif child.tag == "note":
        _parse_timed_note(child, measure, state, where)
    elif child.tag in ("backup", "forward"):
        step = decimal(child.findtext("duration"), where) / state.divisions
        state.position += step if child.tag == "forward" else -step
        if state.position < 0:
            state.position = Fraction(0)
            raise InputError(f"{where}: a backup goes beyond the beginning of the bar")
    elif child.tag in ("direction", "sound"):
        offset = Fraction(0)
        if child.find("direction-type/wedge") is not None and child.find("offset") is not None:
            offset = decimal(child.findtext("offset"), where) / state.divisions
        at = max(Fraction(0), state.position + offset)
        parse_direction(child, at, measure.marks, where)


def _parse_attributes(child: Element, measure: Measure, state: _State, where: str) -> None:
    text = child.findtext("divisions")
    if text is not None:
        state.divisions = decimal(text, where) or Fraction(0)
        if state.divisions <= 0:
            given, state.divisions = state.divisions, Fraction(1)
            raise InputError(f"{where}: divisions is {given}; it must be positive")
    time = child.find("time")
    if time is not None and time.find("beats") is not None:
        terms = (time.findtext("beats") or "").split("+")
        beats = sum((decimal(n, where) for n in terms), Fraction(0))
        beat_type = decimal(time.findtext("beat-type"), where)
        if not (0 < beats <= 1000 and 0 < beat_type <= 1024) or beats % 1 or beat_type % 1:
            raise InputError(f"{where}: the time signature is {beats}/{beat_type}")
        state.time_signature = measure.time_signature = int(beats), int(beat_type)
    transpose = child.find("transpose")
    if transpose is not None:
        octaves = decimal(transpose.findtext("octave-change") or "0", where)
        chromatic = decimal(transpose.findtext("chromatic") or "0", where)
        state.transposition = chromatic + 12 * octaves


def _parse_timed_note(note: Element, measure: Measure, state: _State, where: str) -> None:
    """Parse a note and advance the position; cue notes belong to another part."""
    if note.find("grace") is not None:
        state.grace_lyrics = _parse_lyrics(note, measure) or state.grace_lyrics
        return
    beats = decimal(note.findtext("duration"), where) / state.divisions
    chord = note.find("chord") is not None
    onset = measure.notes[-1].onset if chord and measure.notes else state.position
    state.position = state.position if chord else state.position + beats
    if note.find("cue") is not None or not state.strict:
        return
    if beats <= 0:
        raise InputError(f"{where}: its length is {float(beats):g}: give it one, or delete it")
    ties = {tie.get("type") for tie in (*note.findall("tie"), *note.iterfind("notations/tied"))}
    midi = _parse_pitch(note, state.transposition, where)
    lyrics = _parse_lyrics(note, measure)
    if midi is not None and state.grace_lyrics:
        lyrics = state.grace_lyrics | lyrics
        state.grace_lyrics = {}
    signs = {e.tag for e in note.iterfind("notations/articulations/*")}
    measure.notes.append(
        RawNote(
            number=len(measure.notes) + 1,
            onset=onset,
            beats=beats,
            midi=midi,
            lyrics=lyrics,
            tied="stop" in ties,
            breath=bool(signs & {"breath-mark", "caesura"}),
            accent=bool(signs & {"accent", "strong-accent"}),
            fermata=note.find("notations/fermata") is not None,
            chord=chord,
            voice=f"{note.findtext('voice', '1')}/{note.findtext('staff', '1')}",
        )
    )


def _parse_pitch(note: Element, transposition: Fraction, where: str) -> float | None:
    """Pitch in semitones, ``None`` for a rest, or ``UNPITCHED``."""
    pitch = note.find("pitch")
    if pitch is None:
        if note.find("unpitched") is not None:
            return UNPITCHED
        if note.find("rest") is None:
            raise InputError(f"{where}: has neither a pitch nor a rest")
        return None
    step = (pitch.findtext("step") or "").strip()
    if step not in LETTERS:
        raise InputError(f"{where}: its pitch has the step '{step[:20]}'; it must be A to G")
    alter = decimal(pitch.findtext("alter") or "0", where)
    octave = decimal(pitch.findtext("octave"), where)
    midi = round(float(12 * (octave + 1) + LETTERS[step] + alter + transposition), 6)
    if not 0 <= midi < 128:
        raise InputError(f"{where}: its pitch is {midi:g} semitones; it must be from 0 to 127")
    return midi


def _parse_lyrics(note: Element, measure: Measure) -> dict[str, Lyric]:
    """Parse the lyrics of a note by verse.

    Some programs write a lyric twice, or give several verses one number. A copy is dropped; another
    text is the verse of its name, or else the next verse.
    """
    found: dict[str, Lyric] = {}
    for element in note.findall("lyric"):
        texts = [t.text.strip() for t in element.findall("text") if t.text and t.text.strip()]
        raw = " ".join(texts)
        if not raw:
            continue
        lyric = NO_LYRIC if raw in CONTINUATION_LYRICS else clean_lyric(raw)
        goes_on = element.findtext("syllabic", "") in ("begin", "middle")
        if goes_on and lyric.text:
            lyric = lyric._replace(hyphen=True)
        verse, name = element.get("number", "1"), element.get("name", "")
        if verse in found:
            if found[verse].text == lyric.text:
                continue
            verse = name or next(str(k) for k in range(2, len(found) + 3) if str(k) not in found)
        if name:
            measure.verse_names.setdefault(name, verse)
        found[verse] = lyric
    return found


def dynamic_signs(measure: Measure, start: Fraction) -> list[DynamicSign]:
    """Signs of dynamics of a measure that starts at a beat."""
    return [DynamicSign(start + s.beat, s.level, s.hairpin) for s in measure.marks.signs]
