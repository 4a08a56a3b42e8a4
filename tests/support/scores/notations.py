"""Tiny MusicXML and MIDI files made in code, and scores as short text."""

from fractions import Fraction
from pathlib import Path
from typing import Any

from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.pitch import midi_to_name


def shown(score: Score) -> str:
    """A score as text: ``la.C4.1`` is a note of one beat, ``~`` a slur, ``_.2`` a rest.

    After the length come ``'`` for a breath, ``>`` for an accent, ``^`` for a fermata, and ``-`` if
    the word goes on.
    """
    found = []
    for n in score.notes:
        if n.midi is None:
            found.append(f"_.{n.beats}")
            continue
        signs = ("'" * n.breath) + (">" * n.accent) + ("^" * n.fermata) + ("-" * n.hyphen)
        lyric = "~" if n.slur else n.lyric.replace(" ", "+")
        found.append(f"{lyric}.{midi_to_name(n.midi)}.{n.beats}{signs}")
    return " ".join(found)


def played(score: Score) -> str:
    """Numbers of the bars in the order in which they are played."""
    return " ".join(bar.number for bar in score.bars)


def lyric(text: str, number: str | None = "1", more: str = "", name: str = "") -> str:
    """A lyric of a verse."""
    number = "" if number is None else f' number="{number}"'
    name = f' name="{name}"' if name else ""
    return f"<lyric{number}{name}>{more}<text>{text}</text></lyric>"


def n(pitch: str, beats: float = 1, words: str = "", more: str = "", after: str = "") -> str:
    """A note such as ``C4`` or ``F#4``, or the rest ``_``.

    Args:
        pitch: Name of the note.
        beats: Quarter notes.
        words: A lyric; XML if it starts with ``<``.
        more: XML before the duration, such as ``<chord/>``.
        after: XML after the duration, such as ties and notations.
    """
    text = words if words.startswith("<") or not words else lyric(words)
    alter = f"<alter>{1 if pitch[1] == '#' else -1}</alter>" if pitch[1:2] in ("#", "b") else ""
    head = f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
    head = "<rest/>" if pitch == "_" else head
    return f"<note>{more}{head}<duration>{round(beats * 24)}</duration>{after}{text}</note>"


def bar(number: int | str, *inside: str, start: str = "", end: str = "") -> str:
    """A bar, with bar lines before and after its notes."""
    return f'<measure number="{number}">{start}{"".join(inside)}{end}</measure>'


def line(
    ending: str = "", kind: str = "start", repeat: str = "", times: int = 0, more: str = ""
) -> str:
    """A bar line with an ending and a repeat."""
    found = more
    found += f'<ending number="{ending}" type="{kind}"/>' if ending else ""
    count = f' times="{times}"' if times else ""
    found += f'<repeat direction="{repeat}"{count}/>' if repeat else ""
    return f"<barline>{found}</barline>"


def words(text: str, sound: str = "") -> str:
    """A direction of words."""
    kind = f"<direction-type><words>{text}</words></direction-type>"
    return f"<direction>{kind}{f'<sound {sound}/>' if sound else ''}</direction>"


def sign(name: str, sound: str = "") -> str:
    """A direction of a symbol, such as ``segno``."""
    kind = f"<direction-type>{name if name.startswith('<') else f'<{name}/>'}</direction-type>"
    return f"<direction>{kind}{f'<sound {sound}/>' if sound else ''}</direction>"


def partwise(*parts: str | tuple[str, str], head: str = "") -> str:
    """A score of parts; each is its bars, or a pair (name, bars)."""
    named = [part if isinstance(part, tuple) else ("", part) for part in parts]
    names = "".join(
        f'<score-part id="P{k}"><part-name>{name}</part-name>{head}</score-part>'
        for k, (name, _) in enumerate(named, 1)
    )
    attributes = "<attributes><divisions>24</divisions></attributes>"
    bodies = "".join(
        f'<part id="P{k}">{bars.replace(">", ">" + attributes, 1)}</part>'
        for k, (_, bars) in enumerate(named, 1)
    )
    return f"<score-partwise><part-list>{names}</part-list>{bodies}</score-partwise>"


def midi_file(
    path: Path, *tracks: list[tuple[int, Any]], ticks: int = 480, charset: str = "utf-8"
) -> Path:
    """A MIDI file of events at absolute ticks."""
    import mido

    file = mido.MidiFile(type=1, ticks_per_beat=ticks, charset=charset)
    for track in tracks:
        file.tracks.append(mido.MidiTrack())
        before = 0
        for tick, message in sorted(track, key=lambda event: event[0]):
            file.tracks[-1].append(message.copy(time=tick - before))
            before = tick
    file.save(path)
    return path


def tune(*notes: tuple[int, int, int], channel: int = 0) -> list[tuple[int, Any]]:
    """Events of notes, each (pitch, start, end)."""
    import mido

    found = []
    for pitch, start, end in notes:
        on = mido.Message("note_on", note=pitch, velocity=80, channel=channel)
        off = mido.Message("note_off", note=pitch, channel=channel)
        found += [(start, on), (end, off)]
    return found


def texts(kind: str, **at: str) -> list[tuple[int, Any]]:
    """Text events, such as ``t480="ra"``."""
    import mido

    return [(int(k[1:]), mido.MetaMessage(kind, text=text)) for k, text in at.items()]


def points(score: Score) -> list[tuple[Fraction, float]]:
    """Points of the dynamics."""
    return list(score.dynamics)
