"""Reading MusicXML: the part that is sung, with its repeats and jumps written out."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal
from xml.etree.ElementTree import Element

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.dynamics import DynamicSign, dynamics_curve
from oneleap.domains.singing.scores.elements.directions import resolve_jumps
from oneleap.domains.singing.scores.elements.measures import (
    UNPITCHED,
    Measure,
    RawNote,
    dynamic_signs,
    parse_measures,
)
from oneleap.domains.singing.scores.elements.xml_safe import read_xml
from oneleap.domains.singing.scores.melody import HUM, NO_LYRIC, Melody
from oneleap.domains.singing.scores.parts import choose_part
from oneleap.domains.singing.scores.repeats import playback_order
from oneleap.domains.singing.scores.score import DEFAULT_TEMPO, Bar, Note, Score

Chords = Literal["top", "bottom"]
"""Which note of a chord is sung."""

PERCUSSION_CHANNEL = "10"
"""MIDI channel of percussion."""


def read_musicxml(
    path: str | os.PathLike[str],
    *,
    verse: int | str | None = None,
    part: int | str | None = None,
    chords: Chords = "top",
    vowel: str | None = None,
) -> Score:
    """Read the part that is sung from a MusicXML file, plain or zipped (``.mxl``).

    By default the part and the voice with the most lyrics are sung; percussion is ignored. A note
    without a lyric, or with a lyric such as ``ー``, ``-`` or ``+``, continues the syllable before
    it; if there is none, it is hummed. Grace notes are not sung. Each time a bar is repeated, it
    has the next verse if there is one. Dynamics, accents, breaths and fermatas are read.

    Args:
        path: The file.
        verse: Number or name of the verse to sing; by default the first.
        part: Name or number of the part to sing, counted from 1.
        chords: Which note of a chord is sung.
        vowel: Lyric of notes that have none and continue no syllable. If it is given, a part
            without lyrics can be sung.

    Returns:
        The score.

    Raises:
        InputError: If the file is not a score, has no lyrics, or contains something that cannot be
            sung. The message names the file, the bar and the note.
    """
    root = read_xml(path)
    try:
        return _parse_score(root, _Choice(verse, part, chords, vowel))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


@dataclass(frozen=True)
class _Choice:
    """What to sing; see :func:`read_musicxml`."""

    verse: int | str | None
    part: int | str | None
    chords: Chords
    vowel: str | None


def _parse_score(root: Element, choice: _Choice) -> Score:
    for element in root.iter():  # some programs put a namespace before each name
        element.tag = str(element.tag).rpartition("}")[2]
    if root.tag == "score-timewise":
        root = _to_partwise(root)
    if root.tag != "score-partwise":
        raise InputError(f"is XML, but not a score: its root element is '{root.tag[:40]}'")
    parts = root.findall("part")
    if not parts:
        raise InputError("has no parts")
    heads = {p.get("id", ""): p for p in root.iter("score-part")}
    names = [_part_name(heads.get(part.get("id", "")), part) for part in parts]
    chosen = choose_part(
        [(*name, _count_lyrics(part)) for name, part in zip(names, parts, strict=True)],
        choice.part,
        hum=choice.vowel is not None,
    )
    measures = list(parse_measures(parts[chosen]))
    others = [list(parse_measures(p, strict=False)) for k, p in enumerate(parts) if k != chosen]
    title = root.findtext("work/work-title") or root.findtext("movement-title") or ""
    voice = _find_voice(measures)
    _merge_marks(measures, others)
    return _play(measures, voice, choice, title.strip(), names[chosen][0])


def _to_partwise(root: Element) -> Element:
    """Convert a score of measures with parts to one of parts with measures."""
    found = Element("score-partwise")
    parts: dict[str, Element] = {}
    for child in root:
        if child.tag != "measure":
            found.append(child)
            continue
        for part in child.findall("part"):
            name = part.get("id", "")
            if name not in parts:
                parts[name] = Element("part", {"id": name})
            measure = Element("measure", dict(child.attrib))
            measure.extend(list(part))
            parts[name].append(measure)
    found.extend(parts.values())
    return found


def _part_name(head: Element | None, part: Element) -> tuple[str, bool]:
    """Name of a part, and whether it is percussion."""
    if head is None:
        return part.get("id", ""), False
    channels = {c.text for c in head.iterfind("midi-instrument/midi-channel")}
    drums = channels == {PERCUSSION_CHANNEL} or part.find("measure/note/unpitched") is not None
    return (head.findtext("part-name") or "").strip(), drums


def _count_lyrics(part: Element) -> int:
    return sum(1 for t in part.iterfind("measure/note/lyric/text") if t.text and t.text.strip())


def _find_voice(measures: list[Measure]) -> str:
    """Find the voice with the most lyrics, or with the most notes if none has lyrics."""
    counts: Counter[str] = Counter()
    for measure in measures:
        for note in measure.notes:
            counts[note.voice] += (10**6 if note.lyrics else 0) + (note.midi is not None)
    if not counts:
        raise InputError("has no notes in the part that is sung: name another with --part")
    return counts.most_common(1)[0][0]


def _find_verse(measures: list[Measure], voice: str, wanted: int | str | None) -> str:
    """Find a verse by its number, its name, the number at the end of its name, or its place."""
    notes = [note for m in measures for note in m.notes if note.voice == voice]
    verses = sorted({verse for note in notes for verse in note.lyrics}, key=_natural)
    if not verses or wanted is None:
        return verses[0] if verses else ""
    text = str(wanted).strip()
    names = {name.casefold(): verse for m in measures for name, verse in m.verse_names.items()}
    ends = [verse for verse in verses if _split_number(verse)[1] == text.lstrip("0")]
    if text in verses:
        return text
    if text.casefold() in names and names[text.casefold()] in verses:
        return names[text.casefold()]
    if len(ends) == 1:
        return ends[0]
    unnumbered = not any(_split_number(verse)[1] for verse in verses)
    if unnumbered and re.fullmatch("[0-9]{1,4}", text) and 1 <= int(text) <= len(verses):
        return verses[int(text) - 1]
    known = ", ".join([*verses, *sorted(set(names) - set(verses))])
    raise InputError(f"verse {text} does not exist; there are {known}: name one with --verse")


def _natural(verse: str) -> tuple[str, int, str]:
    head, digits = _split_number(verse)
    return head, int(digits or 0), verse


def _split_number(verse: str) -> tuple[str, str]:
    """Split a verse such as ``part1verse2`` before the number at its end."""
    found = re.search(r"0*([0-9]{1,9})$", verse)
    return (verse[: found.start()], found[1]) if found else (verse, "")


def _merge_marks(measures: list[Measure], others: list[list[Measure]]) -> None:
    """Give measures the tempos and jumps of all parts, since they are those of the score.

    A tempo at the end of a measure becomes the tempo of the next one.
    """
    late: dict[Fraction, float] = {}
    for index, measure in enumerate(measures):
        here = [part[index].marks for part in others if index < len(part)]
        tempos = [pair for marks in (*here, measure.marks) for pair in marks.tempos]
        found = late | {onset: tempo for onset, tempo in tempos if onset < measure.beats}
        late = {Fraction(0): tempo for onset, tempo in tempos if onset >= measure.beats}
        measure.marks.tempos = sorted(found.items())
        for marks in here:
            measure.marks.merge_jumps(marks)


def _play(measures: list[Measure], voice: str, choice: _Choice, title: str, part: str) -> Score:
    """Write out repeats and jumps, and make the score of one voice."""
    verse = _find_verse(measures, voice, choice.verse)
    signs = resolve_jumps([m.signs for m in measures], [m.marks for m in measures])
    tempo_at, level_at = _written_states(measures)
    melody = Melody(choice.vowel or HUM)
    bars, tempos = list[Bar](), dict[Fraction, float]()
    dynamics, start, before = list[DynamicSign](), Fraction(0), -1
    for index, pass_number in playback_order(signs):
        measure = measures[index]
        if index != before + 1:  # after a jump, tempo and loudness are those written here
            tempos[start] = tempo_at[index]
            if level_at[index] is not None:
                dynamics.append(DynamicSign(start, level_at[index]))
        before = index
        here = _verse_in_pass(measure, voice, verse, pass_number)
        _sing_measure(measure, voice, here, choice.chords, melody)
        bars.append(Bar(measure.number, measure.beats, measure.time_signature))
        tempos |= {start + onset: tempo for onset, tempo in measure.marks.tempos}
        dynamics += dynamic_signs(measure, start)
        start += measure.beats
    first = {} if Fraction(0) in tempos else {Fraction(0): DEFAULT_TEMPO}
    changes = tuple(sorted({**first, **tempos}.items()))
    curve = dynamics_curve(dynamics)
    return Score(tuple(melody.notes), tuple(bars), changes, title, part, curve)


def _written_states(measures: list[Measure]) -> tuple[list[float], list[float | None]]:
    """Tempo and loudness at the beginning of each measure, in the order of the file."""
    tempos, levels = list[float](), list[float | None]()
    tempo, level = DEFAULT_TEMPO, None
    for measure in measures:
        tempos.append(tempo)
        levels.append(level)
        tempo = measure.marks.tempos[-1][1] if measure.marks.tempos else tempo
        marks = [s.level for s in measure.marks.signs if s.level is not None]
        level = marks[-1] if marks else level
    return tempos, levels


def _verse_in_pass(measure: Measure, voice: str, verse: str, pass_number: int) -> str:
    """Choose the verse of a measure in a pass of a repeat.

    It is the next verse if the measure has it, else the chosen verse, else the only one: a refrain
    is written once.
    """
    here = {number for n in measure.notes if n.voice == voice for number in n.lyrics}
    head, digits = _split_number(verse)
    following = f"{head}{int(digits) + pass_number - 1}" if digits else verse
    wanted = (following, verse, min(here, key=_natural, default=""))
    return next((number for number in wanted if number in here), "")


def _sing_measure(measure: Measure, voice: str, verse: str, chords: Chords, melody: Melody) -> None:
    """Append the notes of one voice of a measure to the melody."""
    end = Fraction(0)
    for raw in _one_note_each([n for n in measure.notes if n.voice == voice], chords):
        where = f"bar {measure.number}, note {raw.number}"
        if raw.midi == UNPITCHED:
            raise InputError(
                f"{where}: has no pitch (percussion): name the part that is sung with --part"
            )
        if raw.onset < end:
            raise InputError(f"{where}: overlaps the note before it: shorten one of them")
        if raw.onset > end:
            melody.rest(raw.onset - end)
        end = raw.onset + raw.beats
        if raw.midi is None:
            melody.rest(raw.beats)
            continue
        accent = raw.accent or raw.onset in measure.marks.accents
        note = Note(raw.beats, raw.midi, breath=raw.breath, accent=accent, fermata=raw.fermata)
        try:
            melody.note(note, raw.lyrics.get(verse, NO_LYRIC), tied=raw.tied)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
    if measure.beats > end:
        melody.rest(measure.beats - end)


def _one_note_each(notes: Sequence[RawNote], chords: Chords) -> list[RawNote]:
    """Reduce chords to one note, which gets the lyric of the chord."""
    groups: list[list[RawNote]] = []
    for raw in notes:
        together = groups and raw.onset == groups[-1][0].onset
        if together and raw.midi is not None and groups[-1][0].midi is not None:
            groups[-1].append(raw)
        else:
            groups.append([raw])
    pick = max if chords == "top" else min
    return [_join_chord(group, pick(group, key=lambda raw: raw.midi or 0.0)) for group in groups]


def _join_chord(group: list[RawNote], sung: RawNote) -> RawNote:
    """Give the note of a chord that is sung the lyric and the signs of the chord."""
    if len(group) == 1:
        return sung
    lyrics = {verse: lyric for raw in reversed(group) for verse, lyric in raw.lyrics.items()}
    return replace(
        sung,
        number=group[0].number,
        beats=group[0].beats,
        lyrics=lyrics | sung.lyrics,
        breath=any(raw.breath for raw in group),
        accent=any(raw.accent for raw in group),
        fermata=any(raw.fermata for raw in group),
    )
