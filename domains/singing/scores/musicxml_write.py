"""Writing MusicXML: one part, notes cut at bar lines and tied."""

import os
from collections.abc import Iterator
from fractions import Fraction
from math import lcm
from pathlib import Path
from xml.sax.saxutils import escape

from oneleap.core.files import replacing
from oneleap.domains.singing.scores.score import Bar, Note, Score, onsets

STEPS = tuple(
    (name[0], len(name) - 1)
    for name in ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
)
"""Letter and sharps of each semitone."""

_KINDS = {
    Fraction(4): "whole",
    Fraction(2): "half",
    Fraction(1): "quarter",
    Fraction(1, 2): "eighth",
    Fraction(1, 4): "16th",
    Fraction(1, 8): "32nd",
}

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
    '<score-partwise version="3.1">\n'
)


def write_musicxml(path: str | os.PathLike[str], score: Score) -> None:
    """Write a score as an uncompressed MusicXML file; it appears whole or not at all."""
    with replacing(Path(path)) as temporary:
        temporary.write_text(musicxml(score), encoding="utf-8")


def musicxml(score: Score) -> str:
    """The score as MusicXML 3.1, partwise.

    Pitches are spelt with sharps; a fraction of a semitone is part of ``alter``. Slurs and breaths
    are notations, tempos ``<sound tempo>``, which must fall on the beginning of a note or a bar.
    """
    beats = [n.beats for n in score.notes] + [b.beats for b in score.bars]
    divisions = lcm(*(f.denominator for f in (*beats, *(beat for beat, _ in score.tempos))))
    lines = [_HEAD]
    if score.title:
        lines.append(f"<work><work-title>{escape(score.title)}</work-title></work>\n")
    part = escape(score.part)
    lines.append(f'<part-list><score-part id="P1"><part-name>{part}</part-name></score-part>')
    lines.append('</part-list>\n<part id="P1">\n')
    tempos = dict(score.tempos)
    metre: tuple[int, int] | None = None
    for k, (bar, pieces) in enumerate(zip(score.bars, cut(score), strict=True)):
        short = ' implicit="yes"' if bar.number == "0" else ""
        lines.append(f'<measure number="{escape(bar.number)}"{short}>\n')
        if bar.metre != metre:
            lines.append(_attributes(bar, divisions if k == 0 else None))
            metre = bar.metre
        for piece in pieces:
            if piece.onset in tempos:
                lines.append(_tempo(tempos.pop(piece.onset)))
            lines.append(piece.xml(divisions))
        lines.append("</measure>\n")
    lines.append("</part>\n</score-partwise>\n")
    return "".join(lines)


class Piece:
    """The part of a note that lies in one bar.

    Args:
        note: The note.
        onset: Beat at which this part begins.
        beats: Its length.
        first: Whether the note begins with it.
        last: Whether it ends with it.
        slur_goes_on: Whether a slur follows the note.
    """

    def __init__(
        self, note: Note, onset: Fraction, beats: Fraction, first: bool, last: bool, slur: bool
    ) -> None:
        self.note, self.onset, self.beats = note, onset, beats
        self.first, self.last, self.slur = first, last, slur

    def xml(self, divisions: int) -> str:
        """Its element, in the order that the schema asks for."""
        note, duration = self.note, f"<duration>{int(self.beats * divisions)}</duration>"
        if note.midi is None:
            return f"<note><rest/>{duration}<voice>1</voice>{_kind(self.beats)}</note>\n"
        ties = [kind for kind, here in (("stop", not self.first), ("start", not self.last)) if here]
        marks = [f'<tied type="{kind}"/>' for kind in ties]
        if note.slur and self.first:
            marks.append('<slur type="stop" number="1"/>')
        if self.slur and self.last:
            marks.append('<slur type="start" number="1"/>')
        if note.breath and self.last:
            marks.append("<articulations><breath-mark/></articulations>")
        notations = f"<notations>{''.join(marks)}</notations>" if marks else ""
        lyric = ""
        if note.lyric and self.first:
            text = f"<text>{escape(note.lyric)}</text>"
            lyric = f'<lyric number="1"><syllabic>single</syllabic>{text}</lyric>'
        tied = "".join(f'<tie type="{kind}"/>' for kind in ties)
        inner = f"{_pitch(note.midi)}{duration}{tied}<voice>1</voice>{_kind(self.beats)}"
        return f"<note>{inner}{notations}{lyric}</note>\n"


def cut(score: Score) -> Iterator[list[Piece]]:
    """Pieces of notes in each bar; also cut where the tempo changes within a note."""
    starts = onsets(score.bars)
    changes = sorted({beat for beat, _ in score.tempos} | set(starts))
    pieces = list[Piece]()
    for i, (note, onset) in enumerate(zip(score.notes, onsets(score.notes), strict=True)):
        inner = [c for c in changes if onset < c < onset + note.beats]
        ends = [*inner, onset + note.beats]
        slur = i + 1 < len(score.notes) and score.notes[i + 1].slur
        at = onset
        for end in ends:
            pieces.append(Piece(note, at, end - at, at == onset, end == ends[-1], slur))
            at = end
    for start, bar in zip(starts, score.bars, strict=True):
        yield [p for p in pieces if start <= p.onset < start + bar.beats]


def _attributes(bar: Bar, divisions: int | None) -> str:
    head = "" if divisions is None else f"<divisions>{divisions}</divisions>"
    key = "" if divisions is None else "<key><fifths>0</fifths><mode>major</mode></key>"
    beats, kind = bar.metre
    time = f"<time><beats>{beats}</beats><beat-type>{kind}</beat-type></time>"
    clef = "" if divisions is None else "<clef><sign>G</sign><line>2</line></clef>"
    return f"<attributes>{head}{key}{time}{clef}</attributes>\n"


def _tempo(tempo: float) -> str:
    text = f"<per-minute>{tempo!r}</per-minute>"
    metronome = f"<metronome><beat-unit>quarter</beat-unit>{text}</metronome>"
    kind = f"<direction-type>{metronome}</direction-type>"
    return f'<direction placement="above">{kind}<sound tempo="{tempo!r}"/></direction>\n'


def _kind(beats: Fraction) -> str:
    """How a length is printed: its note value and dot, where it has one."""
    for dot, factor in (("", Fraction(1)), ("<dot/>", Fraction(3, 2))):
        name = _KINDS.get(beats / factor)
        if name:
            return f"<type>{name}</type>{dot}"
    return ""


def _pitch(midi: float) -> str:
    whole = round(midi)
    letter, sharps = STEPS[whole % 12]
    alter = sharps + (midi - whole)
    inner = "" if alter == 0 else f"<alter>{alter if alter % 1 else int(alter)}</alter>"
    return f"<pitch><step>{letter}</step>{inner}<octave>{whole // 12 - 1}</octave></pitch>"
