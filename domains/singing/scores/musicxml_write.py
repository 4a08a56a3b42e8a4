"""Writing MusicXML: one part, whose notes are split at bar lines and tied."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from xml.sax.saxutils import escape

from oneleap.core.files import atomic_write
from oneleap.domains.singing.scores.score import Bar, Note, Score, onsets
from oneleap.domains.singing.segments.pitch import SHARP_NAMES

_NOTE_TYPES = {
    Fraction(4): "whole",
    Fraction(2): "half",
    Fraction(1): "quarter",
    Fraction(1, 2): "eighth",
    Fraction(1, 4): "16th",
    Fraction(1, 8): "32nd",
}

_SYLLABICS = {
    (False, False): "single",
    (False, True): "begin",
    (True, True): "middle",
    (True, False): "end",
}
"""Place of a syllable in its word, by whether the word began before it and goes on after it."""

_HEADER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
    '<score-partwise version="3.1">\n'
)


def write_musicxml(path: str | os.PathLike[str], score: Score) -> None:
    """Write a score to an uncompressed MusicXML file, completely or not at all."""
    with atomic_write(Path(path)) as temporary:
        temporary.write_text(musicxml(score), encoding="utf-8")


def musicxml(score: Score) -> str:
    """Convert a score to MusicXML 3.1, partwise.

    Pitches are spelled with sharps; a fraction of a semitone is part of ``alter``. Slurs,
    breaths, accents and fermatas become notations, and tempos become ``<sound tempo>``. A note is
    split where the tempo changes. The curve of the dynamics is not written.
    """
    beats = [n.beats for n in score.notes] + [b.beats for b in score.bars]
    divisions = lcm(*(f.denominator for f in (*beats, *(beat for beat, _ in score.tempos))))
    lines = [_HEADER]
    if score.title:
        lines.append(f"<work><work-title>{escape(score.title)}</work-title></work>\n")
    part = escape(score.part)
    lines.append(f'<part-list><score-part id="P1"><part-name>{part}</part-name></score-part>')
    lines.append('</part-list>\n<part id="P1">\n')
    tempos = dict(score.tempos)
    time_signature: tuple[int, int] | None = None
    for k, (bar, notes) in enumerate(zip(score.bars, _split_into_bars(score), strict=True)):
        pickup = ' implicit="yes"' if bar.number == "0" else ""
        lines.append(f'<measure number="{escape(bar.number)}"{pickup}>\n')
        if bar.time_signature != time_signature:
            lines.append(_attributes(bar, divisions if k == 0 else None))
            time_signature = bar.time_signature
        for note in notes:
            if note.onset in tempos:
                lines.append(_tempo(tempos.pop(note.onset)))
            lines.append(_note(note, divisions))
        lines.append("</measure>\n")
    lines.append("</part>\n</score-partwise>\n")
    return "".join(lines)


@dataclass(frozen=True)
class _TiedNote:
    """A note of the file: a note of the score, or the part of it in one bar.

    Attributes:
        note: Note of the score.
        onset: Beat at which this part starts.
        beats: Length of this part, quarter notes.
        first: Whether the note starts with this part.
        last: Whether the note ends with this part.
        slur_follows: Whether the next note of the score is a slur.
        hyphen_before: Whether its lyric continues the word of the lyric before it.
    """

    note: Note
    onset: Fraction
    beats: Fraction
    first: bool
    last: bool
    slur_follows: bool
    hyphen_before: bool


def _split_into_bars(score: Score) -> Iterator[list[_TiedNote]]:
    """Split notes at bar lines and at changes of tempo; yield those of each bar."""
    bar_starts = onsets(score.bars)
    changes = sorted({beat for beat, _ in score.tempos} | set(bar_starts))
    found, hyphen = list[_TiedNote](), False
    for i, (note, onset) in enumerate(zip(score.notes, onsets(score.notes), strict=True)):
        ends = [c for c in changes if onset < c < onset + note.beats] + [onset + note.beats]
        slur_follows = i + 1 < len(score.notes) and score.notes[i + 1].slur
        start = onset
        for end in ends:
            first, last = start == onset, end == ends[-1]
            found.append(_TiedNote(note, start, end - start, first, last, slur_follows, hyphen))
            start = end
        hyphen = note.hyphen if note.lyric else hyphen
    for start, bar in zip(bar_starts, score.bars, strict=True):
        yield [part for part in found if start <= part.onset < start + bar.beats]


def _note(part: _TiedNote, divisions: int) -> str:
    """Write a note element, whose children are in the order of the schema."""
    note, duration = part.note, f"<duration>{int(part.beats * divisions)}</duration>"
    if note.midi is None:
        return f"<note><rest/>{duration}<voice>1</voice>{_note_type(part.beats)}</note>\n"
    ties = [kind for kind, here in (("stop", not part.first), ("start", not part.last)) if here]
    marks = [f'<tied type="{kind}"/>' for kind in ties]
    if note.slur and part.first:
        marks.append('<slur type="stop" number="1"/>')
    if part.slur_follows and part.last:
        marks.append('<slur type="start" number="1"/>')
    signs = "<accent/>" if note.accent and part.first else ""
    signs += "<breath-mark/>" if note.breath and part.last else ""
    if signs:
        marks.append(f"<articulations>{signs}</articulations>")
    if note.fermata and part.last:
        marks.append("<fermata/>")
    notations = f"<notations>{''.join(marks)}</notations>" if marks else ""
    lyric = ""
    if note.lyric and part.first:
        text = f"<text>{escape(note.lyric)}</text>"
        syllabic = _SYLLABICS[part.hyphen_before, note.hyphen]
        lyric = f'<lyric number="1"><syllabic>{syllabic}</syllabic>{text}</lyric>'
    tied = "".join(f'<tie type="{kind}"/>' for kind in ties)
    inner = f"{_pitch(note.midi)}{duration}{tied}<voice>1</voice>{_note_type(part.beats)}"
    return f"<note>{inner}{notations}{lyric}</note>\n"


def _attributes(bar: Bar, divisions: int | None) -> str:
    """Write the attributes of a bar; divisions, key and clef only if divisions are given."""
    head = "" if divisions is None else f"<divisions>{divisions}</divisions>"
    key = "" if divisions is None else "<key><fifths>0</fifths><mode>major</mode></key>"
    beats, beat_type = bar.time_signature
    time = f"<time><beats>{beats}</beats><beat-type>{beat_type}</beat-type></time>"
    clef = "" if divisions is None else "<clef><sign>G</sign><line>2</line></clef>"
    return f"<attributes>{head}{key}{time}{clef}</attributes>\n"


def _tempo(tempo: float) -> str:
    text = f"<per-minute>{tempo!r}</per-minute>"
    metronome = f"<metronome><beat-unit>quarter</beat-unit>{text}</metronome>"
    kind = f"<direction-type>{metronome}</direction-type>"
    return f'<direction placement="above">{kind}<sound tempo="{tempo!r}"/></direction>\n'


def _note_type(beats: Fraction) -> str:
    """Write the printed note value and dot of a length; nothing if it has none."""
    for dot, factor in (("", Fraction(1)), ("<dot/>", Fraction(3, 2))):
        name = _NOTE_TYPES.get(beats / factor)
        if name:
            return f"<type>{name}</type>{dot}"
    return ""


def _pitch(midi: float) -> str:
    semitone = round(midi)
    letter, sharp = SHARP_NAMES[semitone % 12][0], len(SHARP_NAMES[semitone % 12]) - 1
    alter = sharp + (midi - semitone)
    inner = "" if alter == 0 else f"<alter>{alter if alter % 1 else int(alter)}</alter>"
    return f"<pitch><step>{letter}</step>{inner}<octave>{semitone // 12 - 1}</octave></pitch>"
