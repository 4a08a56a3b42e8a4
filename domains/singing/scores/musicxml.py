"""Reading MusicXML: the part that is sung, its repeats written out."""

import os
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.musicxml_bars import Measure, Sound, measures
from oneleap.domains.singing.scores.repeats import order
from oneleap.domains.singing.scores.score import TEMPO, Bar, Note, Score
from oneleap.domains.singing.scores.xml_safe import read_xml

GOES_ON = frozenset(("ー", "-", "+", "~", "—", "–", "_"))
"""Lyrics that mean: the syllable before goes on."""


def read_musicxml(path: str | os.PathLike[str], *, verse: int = 1) -> Score:
    """The sung part of a MusicXML file, plain or zipped (``.mxl``).

    Of several parts and voices, the one with most lyrics. Notes without lyrics go on with the
    syllable before; so does a lyric of ``ー``, ``-`` or ``+``. Grace notes are left out, and so are
    the dynamics. In the second pass of a repeat, the next verse is sung if there is one.

    Args:
        path: The file.
        verse: Number of the lyrics to sing.

    Raises:
        InputError: If it is no score, has no lyrics, or something cannot be sung; the line names
            file, bar and note.
    """
    root = read_xml(path)
    try:
        return _score(root, verse, Path(path).stem)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _score(root: Element, verse: int, stem: str) -> Score:
    for element in root.iter():  # some writers put a namespace before each name
        element.tag = str(element.tag).rpartition("}")[2]
    if root.tag == "score-timewise":
        raise InputError("score-timewise: save it as partwise, which is what editors write")
    if root.tag != "score-partwise":
        raise InputError(f"is XML, but no score: it begins with '{root.tag[:40]}'")
    parts = {part.get("id", ""): list(measures(part)) for part in root.findall("part")}
    name, voice = _sung(parts)
    bars = parts[name]
    _refuse_missing(bars, voice, verse)
    _share_tempos(bars, list(parts.values()))
    names = {p.get("id", ""): p.findtext("part-name", "") for p in root.iter("score-part")}
    title = root.findtext("work/work-title") or root.findtext("movement-title") or ""
    notes, played, tempos = list[Note](), list[Bar](), dict[Fraction, float]()
    start, before, ruling = Fraction(0), -1, _ruling(bars)
    for index, turn in order([bar.signs for bar in bars]):
        bar = bars[index]
        if index != before + 1:  # what rules here by the score, not by what was just played
            tempos[start] = ruling[index]
        before = index
        notes += _notes(bar, voice, _verse(bar, voice, verse, turn), notes)
        played.append(Bar(bar.number, bar.beats, bar.metre))
        tempos |= {start + at: tempo for at, tempo in bar.tempos}
        start += bar.beats
    first = {} if Fraction(0) in tempos else {Fraction(0): TEMPO}
    changes = tuple(sorted({**first, **tempos}.items()))
    return Score(tuple(notes), tuple(played), changes, title.strip(), names.get(name, "").strip())


def _sung(parts: dict[str, list[Measure]]) -> tuple[str, str]:
    """Part and voice with the most lyrics."""
    lyrics = Counter(
        (name, sound.voice)
        for name, bars in parts.items()
        for bar in bars
        for sound in bar.sounds
        if sound.lyrics
    )
    if not lyrics:
        known = f"{len(parts)} part{'s' if len(parts) != 1 else ''}"
        raise InputError(f"has no lyrics in its {known}: nothing is sung; write a syllable a note")
    return lyrics.most_common(1)[0][0]


def _ruling(bars: list[Measure]) -> list[float]:
    """The tempo at the beginning of each bar, by its place in the score."""
    found, tempo = list[float](), TEMPO
    for bar in bars:
        found.append(tempo)
        tempo = bar.tempos[-1][1] if bar.tempos else tempo
    return found


def _share_tempos(bars: list[Measure], parts: list[list[Measure]]) -> None:
    """Tempos are the whole score's, in whichever part they are written.

    One at a bar's end is the next bar's.
    """
    late: dict[Fraction, float] = {}
    for index, bar in enumerate(bars):
        here = [pair for other in parts if index < len(other) for pair in other[index].tempos]
        found = late | {at: tempo for at, tempo in here if at < bar.beats}
        late = {Fraction(0): tempo for at, tempo in here if at >= bar.beats}
        bar.tempos = sorted(found.items())


def _refuse_missing(bars: list[Measure], voice: str, verse: int) -> None:
    numbers = {n for bar in bars for s in bar.sounds if s.voice == voice for n in s.lyrics}
    if str(verse) not in numbers:
        raise InputError(f"verse {verse}: there are {', '.join(sorted(numbers))}")


def _verse(bar: Measure, voice: str, verse: int, turn: int) -> str:
    """Number of a bar's lyrics in a pass of a repeat.

    The next verse, if the bar has it, else the one that is sung, else the only one there is: a
    refrain is written once.
    """
    here = {number for s in bar.sounds if s.voice == voice for number in s.lyrics}
    wanted = (str(verse + turn - 1), str(verse), min(here, default=""))
    return next((number for number in wanted if number in here), "")


def _notes(bar: Measure, voice: str, verse: str, before: list[Note]) -> list[Note]:
    """Notes of one bar; ties and rests that go on are added to the last of ``before``."""
    found: list[Note] = []
    at = Fraction(0)
    for sound in (s for s in bar.sounds if s.voice == voice):
        where = f"bar {bar.number}, note {sound.place}"
        if sound.chord and sound.midi is not None:
            raise InputError(f"{where}: a chord: one voice sings one note at a time")
        if sound.onset < at:
            raise InputError(f"{where}: overlaps the note before it: one voice sings one at a time")
        if sound.onset > at:
            _append(found, before, Note(sound.onset - at, None), tied=False)
        note = _note(sound, verse)
        _append(found, before, note, tied=sound.tied and not note.lyric)
        at = sound.onset + sound.beats
    if bar.beats > at:
        _append(found, before, Note(bar.beats - at, None), tied=False)
    return found


def _note(sound: Sound, verse: str) -> Note:
    if sound.midi is None:
        return Note(sound.beats, None)
    lyric = sound.lyrics.get(verse, "")
    if lyric in GOES_ON:
        lyric = ""
    return Note(sound.beats, sound.midi, lyric, slur=not lyric, breath=sound.breath)


def _append(found: list[Note], before: list[Note], note: Note, tied: bool) -> None:
    """Add a note, or lengthen the last one by it."""
    notes = found or before
    last = notes[-1] if notes else None
    resting = last is not None and last.midi is None and note.midi is None
    if last is not None and (resting or (tied and last.midi == note.midi)):
        notes[-1] = replace(last, beats=last.beats + note.beats, breath=last.breath or note.breath)
    else:
        found.append(note)
