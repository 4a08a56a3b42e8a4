"""Reading MusicXML: the part that is sung, with its repeats written out."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from xml.etree.ElementTree import Element

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.repeats import RepeatSigns, playback_order
from oneleap.domains.singing.scores.score import (
    CONTINUATION_LYRICS,
    DEFAULT_TEMPO,
    Bar,
    Note,
    Score,
    TimeSignature,
    bar_beats,
)
from oneleap.domains.singing.scores.xml_safe import read_xml
from oneleap.domains.singing.segments.pitch import LETTERS

_BEAT_UNITS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25}
_JUMPS = ("dacapo", "dalsegno", "tocoda")


def read_musicxml(path: str | os.PathLike[str], *, verse: int = 1) -> Score:
    """Read the part that is sung from a MusicXML file, plain or zipped (``.mxl``).

    If the file has several parts and voices, the one with the most lyrics is sung. A note without a
    lyric, or with a lyric such as ``ー``, ``-`` or ``+``, continues the syllable before it. Grace
    notes and dynamics are ignored. The second pass of a repeat uses the next verse if there is one.

    Args:
        path: The file.
        verse: Number of the verse to sing.

    Returns:
        The score.

    Raises:
        InputError: If the file is not a score, has no lyrics, or contains something that cannot be
            sung. The message names the file, the bar and the note.
    """
    root = read_xml(path)
    try:
        return _parse_score(root, verse)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


@dataclass(frozen=True)
class _RawNote:
    """A note or rest of one measure, as in the file.

    Attributes:
        onset: Quarter notes from the beginning of the measure.
        beats: Length in quarter notes.
        midi: Pitch in semitones; ``None`` is a rest.
        lyrics: Lyric by number of the verse.
        tied: Whether a tie continues the note before.
        breath: Whether a breath follows.
        chord: Whether it sounds together with the note before.
        voice: Name of its voice and staff.
    """

    onset: Fraction
    beats: Fraction
    midi: float | None
    lyrics: dict[str, str]
    tied: bool
    breath: bool
    chord: bool
    voice: str


@dataclass
class _Measure:
    """A measure of one part, as in the file.

    Attributes:
        number: Number in the file.
        time_signature: Numerator and denominator.
        beats: Length in quarter notes.
        signs: Repeats and endings.
        notes: Notes and rests of all voices.
        tempos: Pairs (quarter notes from the beginning, quarter notes per minute).
    """

    number: str
    time_signature: TimeSignature
    beats: Fraction = Fraction(0)
    signs: RepeatSigns = field(default_factory=lambda: RepeatSigns(""))
    notes: list[_RawNote] = field(default_factory=list)
    tempos: list[tuple[Fraction, float]] = field(default_factory=list)


def _parse_score(root: Element, verse: int) -> Score:
    for element in root.iter():  # some programs put a namespace before each name
        element.tag = str(element.tag).rpartition("}")[2]
    if root.tag == "score-timewise":
        raise InputError("score-timewise is not supported: save the file as score-partwise")
    if root.tag != "score-partwise":
        raise InputError(f"is XML, but not a score: its root element is '{root.tag[:40]}'")
    parts = {part.get("id", ""): list(_parse_measures(part)) for part in root.findall("part")}
    name, voice = _find_lyrics(parts)
    measures = parts[name]
    _check_verse(measures, voice, verse)
    _merge_tempos(measures, list(parts.values()))
    names = {p.get("id", ""): p.findtext("part-name", "") for p in root.iter("score-part")}
    title = root.findtext("work/work-title") or root.findtext("movement-title") or ""
    notes, bars, tempos = list[Note](), list[Bar](), dict[Fraction, float]()
    start, before, initial_tempos = Fraction(0), -1, _initial_tempos(measures)
    for index, pass_number in playback_order([measure.signs for measure in measures]):
        measure = measures[index]
        if index != before + 1:  # after a jump, the tempo is the one written here
            tempos[start] = initial_tempos[index]
        before = index
        lyrics = _verse_in_pass(measure, voice, verse, pass_number)
        notes += _convert_notes(measure, voice, lyrics, notes)
        bars.append(Bar(measure.number, measure.beats, measure.time_signature))
        tempos |= {start + onset: tempo for onset, tempo in measure.tempos}
        start += measure.beats
    first = {} if Fraction(0) in tempos else {Fraction(0): DEFAULT_TEMPO}
    changes = tuple(sorted({**first, **tempos}.items()))
    return Score(tuple(notes), tuple(bars), changes, title.strip(), names.get(name, "").strip())


def _find_lyrics(parts: dict[str, list[_Measure]]) -> tuple[str, str]:
    """Find the part and the voice with the most lyrics."""
    lyrics = Counter(
        (name, note.voice)
        for name, measures in parts.items()
        for measure in measures
        for note in measure.notes
        if note.lyrics
    )
    if not lyrics:
        count = f"{len(parts)} part{'s' if len(parts) != 1 else ''}"
        raise InputError(f"has no lyrics in its {count}: write a syllable under each note")
    return lyrics.most_common(1)[0][0]


def _check_verse(measures: list[_Measure], voice: str, verse: int) -> None:
    verses = {n for m in measures for note in m.notes if note.voice == voice for n in note.lyrics}
    if str(verse) not in verses:
        raise InputError(f"verse {verse} does not exist; there are {', '.join(sorted(verses))}")


def _merge_tempos(measures: list[_Measure], parts: list[list[_Measure]]) -> None:
    """Give measures the tempos of all parts, since a tempo in any part is that of the score.

    A tempo at the end of a measure becomes the tempo of the next one.
    """
    late: dict[Fraction, float] = {}
    for index, measure in enumerate(measures):
        here = [pair for part in parts if index < len(part) for pair in part[index].tempos]
        found = late | {onset: tempo for onset, tempo in here if onset < measure.beats}
        late = {Fraction(0): tempo for onset, tempo in here if onset >= measure.beats}
        measure.tempos = sorted(found.items())


def _initial_tempos(measures: list[_Measure]) -> list[float]:
    """Tempo at the beginning of each measure, in the order of the file."""
    found, tempo = list[float](), DEFAULT_TEMPO
    for measure in measures:
        found.append(tempo)
        tempo = measure.tempos[-1][1] if measure.tempos else tempo
    return found


def _verse_in_pass(measure: _Measure, voice: str, verse: int, pass_number: int) -> str:
    """Choose the verse of a measure in a pass of a repeat.

    It is the next verse if the measure has it, else the chosen verse, else the only one: a refrain
    is written once.
    """
    here = {number for n in measure.notes if n.voice == voice for number in n.lyrics}
    wanted = (str(verse + pass_number - 1), str(verse), min(here, default=""))
    return next((number for number in wanted if number in here), "")


def _convert_notes(measure: _Measure, voice: str, verse: str, before: list[Note]) -> list[Note]:
    """Convert one measure; a tie or rest that continues lengthens the last note of ``before``."""
    found: list[Note] = []
    end = Fraction(0)
    for number, raw in enumerate(measure.notes, 1):
        if raw.voice != voice:
            continue
        where = f"bar {measure.number}, note {number}"
        if raw.chord and raw.midi is not None:
            raise InputError(f"{where}: a chord, but one voice can sing only one note at a time")
        if raw.onset < end:
            raise InputError(f"{where}: overlaps the note before it: shorten one of them")
        if raw.onset > end:
            _append(found, before, Note(raw.onset - end, None), tied=False)
        lyric = "" if raw.midi is None else raw.lyrics.get(verse, "")
        lyric = "" if lyric in CONTINUATION_LYRICS else lyric
        slur = raw.midi is not None and not lyric
        note = Note(raw.beats, raw.midi, lyric, slur, raw.breath and raw.midi is not None)
        _append(found, before, note, tied=raw.tied and not lyric)
        end = raw.onset + raw.beats
    if measure.beats > end:
        _append(found, before, Note(measure.beats - end, None), tied=False)
    return found


def _append(found: list[Note], before: list[Note], note: Note, tied: bool) -> None:
    """Append a note, or lengthen the last one if it is tied or both are rests."""
    notes = found or before
    last = notes[-1] if notes else None
    rests = last is not None and last.midi is None and note.midi is None
    if last is not None and (rests or (tied and last.midi == note.midi)):
        notes[-1] = replace(last, beats=last.beats + note.beats, breath=last.breath or note.breath)
    else:
        found.append(note)


def _parse_measures(part: Element) -> Iterator[_Measure]:
    """Parse the measures of a part; attributes and endings carry over to the next measure."""
    divisions, time_signature, transposition = Fraction(1), (4, 4), Fraction(0)
    endings: frozenset[int] = frozenset()
    for count, element in enumerate(part.findall("measure"), 1):
        number = element.get("number", "") or str(count)
        measure = _Measure(number, time_signature)
        position = extent = Fraction(0)
        for child in element:
            where = f"bar {number}, note {len(measure.notes) + 1}"
            if child.tag == "attributes":
                divisions = _divisions(child, divisions, where)
                time_signature = measure.time_signature = _time(child, time_signature, where)
                transposition = _transposition(child, transposition, where)
            elif child.tag == "note" and child.find("grace") is None:
                beats = _fraction(child.findtext("duration"), where) / divisions
                chord = child.find("chord") is not None
                if child.find("cue") is None:  # cue notes belong to another part
                    onset = measure.notes[-1].onset if chord and measure.notes else position
                    raw = _parse_note(child, onset, beats, transposition, where)
                    measure.notes.append(raw)
                position = position if chord else position + beats
            elif child.tag in ("backup", "forward"):
                step = _fraction(child.findtext("duration"), where) / divisions
                position += step if child.tag == "forward" else -step
                if position < 0:
                    raise InputError(f"{where}: a backup goes beyond the beginning of the bar")
            elif child.tag in ("direction", "sound"):
                measure.tempos += [(position, tempo) for tempo in _parse_tempo(child, where)]
            extent = max(extent, position)
        measure.beats = extent or bar_beats(time_signature)
        measure.signs, endings = _parse_signs(element, number, endings)
        yield measure


def _parse_note(
    note: Element, onset: Fraction, beats: Fraction, transposition: Fraction, where: str
) -> _RawNote:
    pitch = note.find("pitch")
    if note.find("unpitched") is not None:
        raise InputError(f"{where}: has no pitch (percussion): delete this part")
    if pitch is None and note.find("rest") is None:
        raise InputError(f"{where}: has neither a pitch nor a rest")
    if beats <= 0:
        raise InputError(f"{where}: its length is {float(beats):g}: give it one, or delete it")
    ties = {tie.get("type") for tie in (*note.findall("tie"), *note.iterfind("notations/tied"))}
    lyrics = {}
    for lyric in note.findall("lyric"):
        text = " ".join(t.text.strip() for t in lyric.findall("text") if t.text and t.text.strip())
        if text:
            lyrics[lyric.get("number", "1")] = text
    return _RawNote(
        onset=onset,
        beats=beats,
        midi=None if pitch is None else _parse_pitch(pitch, transposition, where),
        lyrics=lyrics,
        tied="stop" in ties,
        breath=note.find("notations/articulations/breath-mark") is not None,
        chord=note.find("chord") is not None,
        voice=f"{note.findtext('voice', '1')}/{note.findtext('staff', '1')}",
    )


def _parse_pitch(pitch: Element, transposition: Fraction, where: str) -> float:
    step = (pitch.findtext("step") or "").strip()
    if step not in LETTERS:
        raise InputError(f"{where}: its pitch has the step '{step}'; it must be A to G")
    alter = _fraction(pitch.findtext("alter") or "0", where)
    octave = _fraction(pitch.findtext("octave"), where)
    return round(float(12 * (octave + 1) + LETTERS[step] + alter + transposition), 6)


def _divisions(attributes: Element, before: Fraction, where: str) -> Fraction:
    """Divisions of a quarter note."""
    text = attributes.findtext("divisions")
    value = before if text is None else _fraction(text, where)
    if value <= 0:
        raise InputError(f"{where}: divisions is {value}; it must be positive")
    return value


def _transposition(attributes: Element, before: Fraction, where: str) -> Fraction:
    """Semitones from the written pitch to the sounding one."""
    transpose = attributes.find("transpose")
    if transpose is None:
        return before
    octaves = _fraction(transpose.findtext("octave-change") or "0", where)
    return _fraction(transpose.findtext("chromatic") or "0", where) + 12 * octaves


def _time(attributes: Element, before: TimeSignature, where: str) -> TimeSignature:
    time = attributes.find("time")
    if time is None or time.find("beats") is None:
        return before
    beats = sum(_fraction(n, where) for n in (time.findtext("beats") or "").split("+"))
    beat_type = _fraction(time.findtext("beat-type"), where)
    if beats <= 0 or beat_type <= 0 or beats % 1 or beat_type % 1:
        raise InputError(f"{where}: the time signature is {beats}/{beat_type}")
    return int(beats), int(beat_type)


def _parse_tempo(element: Element, where: str) -> Iterator[float]:
    """Parse the tempo of a direction: the sound tempo, else the printed metronome marks."""
    sounds = [element] if element.tag == "sound" else element.findall("sound")
    for sound in sounds:
        for jump in _JUMPS:
            if sound.get(jump) is not None:
                raise InputError(f"{where}: {jump} is not supported: write the bars out")
    given = [sound.get("tempo") for sound in sounds if sound.get("tempo")]
    if given:
        yield _positive_tempo(given[0], where)
        return
    for mark in element.iterfind("direction-type/metronome"):
        unit = _BEAT_UNITS.get(mark.findtext("beat-unit", ""))
        printed = mark.findtext("per-minute", "")
        if unit and printed.replace(".", "", 1).isdigit():
            dots = len(mark.findall("beat-unit-dot"))
            yield _positive_tempo(str(float(printed) * unit * (2 - 0.5**dots)), where)


def _positive_tempo(text: str | None, where: str) -> float:
    tempo = float(_fraction(text, where))
    if tempo <= 0:
        raise InputError(f"{where}: the tempo is {tempo:g} beats per minute")
    return tempo


def _parse_signs(
    element: Element, number: str, endings: frozenset[int]
) -> tuple[RepeatSigns, frozenset[int]]:
    """Parse the signs of a measure; also return the endings that continue after it."""
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
            count = repeat.get("times", "2")
            times = int(count) if count.isdigit() else 2
    if here and times > 1:
        times = max(times, max(here) + 1)
    return RepeatSigns(number, forward, times, here, ends), frozenset() if ends else here


def _fraction(text: str | None, where: str) -> Fraction:
    """Parse a decimal number exactly."""
    shown = (text or "").strip()
    if len(shown) > 40 or "/" in shown or "e" in shown.lower():
        raise InputError(f"{where}: '{shown[:20]}' is not a decimal number")
    try:
        return Fraction(shown)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"{where}: '{shown[:20]}' is not a decimal number") from None
