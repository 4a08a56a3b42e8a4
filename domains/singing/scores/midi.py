"""MIDI files with lyrics, ``.kar`` among them, to scores and back."""

import os
from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.singing.scores.musicxml import GOES_ON
from oneleap.domains.singing.scores.score import TEMPO, Bar, Note, Score, even_bars, onsets

TICKS = 480
"""Of a quarter note, in files that are written; more where a note's length asks for it."""

NEAR = Fraction(1, 8)
"""Quarter notes by which a lyric may miss its note."""

LEGATO = Fraction(1, 32)
"""Quarter notes of gap, or of overlap, that mean nothing: keys are not released exactly."""

BREATH = "breath"
"""Text event by which a breath after a note is written; MIDI has no sign for it."""

LARGEST = 8 * 2**20
"""Bytes beyond which a file is refused, 8 MiB."""


@dataclass
class _Track:
    """A track's events, in ticks."""

    name: str = ""
    notes: list[tuple[int, int, int]] = field(default_factory=list)  # onset, end, pitch
    lyrics: list[tuple[int, str]] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    breaths: list[int] = field(default_factory=list)
    end: int = 0


def read_midi(path: str | os.PathLike[str]) -> Score:
    """The sung track of a MIDI file: the one with the most lyrics.

    Lyrics are lyric events, or text events where there are none (``.kar``); they may be in a track
    of their own, and are then sung to the track whose notes they meet most often. A note without
    one goes on with the syllable before. Bars are counted from 1 by the time signatures.

    Raises:
        InputError: If it is no MIDI file, has no lyrics, or something cannot be sung; the line
            names file, bar and note.
    """
    file = _opened(Path(path))
    try:
        return _score(file)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _opened(path: Path) -> Any:
    try:
        import mido
    except ModuleNotFoundError:
        raise InputError("mido is not installed: pip install 'oneleap[singing]'") from None
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path}: more than {LARGEST // 2**20} MiB: no score is so large")
        return mido.MidiFile(path, charset="latin1", clip=True)
    except OSError as error:
        reason = error.strerror or str(error) or "it ends too soon"
        raise InputError(f"{path}: is no MIDI file ({reason})") from None
    except (EOFError, LookupError, ValueError, TypeError, mido.KeySignatureError) as error:
        raise InputError(f"{path}: is no MIDI file ({error or 'it ends too soon'})") from None


def _score(file: Any) -> Score:
    if file.ticks_per_beat < 1 or file.type == 2 or not file.tracks:
        raise InputError("is of a kind that is no score: save it as format 1, with ticks a beat")
    tracks = [_track(track) for track in file.tracks]
    tempos, metres = _conductor(file)
    words = max(tracks, key=lambda t: len(t.lyrics))
    lyrics = words.lyrics
    if not lyrics:
        words = max(tracks, key=lambda t: len(t.texts))
        lyrics = words.texts
    sung = words if words.notes else _meets(tracks, lyrics, file.ticks_per_beat)
    if not lyrics or not sung.notes:
        raise InputError("has no lyrics: nothing is sung; write a lyric event to each note")
    beat = file.ticks_per_beat
    end = max(sung.end, *(max(end, onset + 1) for onset, end, _ in sung.notes))
    bars = _bars({Fraction(t, beat): metre for t, metre in metres.items()}, Fraction(end, beat))
    notes = _notes(sung, lyrics, beat, bars)
    filled = sum((b.beats for b in bars), Fraction(0)) - sum((n.beats for n in notes), Fraction(0))
    if filled:
        notes.append(Note(filled, None))
    changes = tuple((Fraction(tick, beat), tempo) for tick, tempo in sorted(tempos.items()))
    title = tracks[0].name if tracks[0] is not sung else ""
    return Score(tuple(notes), bars, changes, title, sung.name)


def _track(messages: Any) -> _Track:
    found = _Track()
    tick = 0
    sounding: dict[tuple[int, int], int] = {}
    for message in messages:
        tick += message.time
        if message.type == "track_name" and not found.name:
            found.name = _text(message.name).strip()
        elif message.type == "lyrics":
            found.lyrics.append((tick, _text(message.text)))
        elif message.type == "text" and message.text == BREATH:
            found.breaths.append(tick)
        elif message.type == "text" and not message.text.startswith("@"):
            found.texts.append((tick, _text(message.text)))
        elif message.type in ("note_on", "note_off") and message.channel != 9:
            key = (message.channel, message.note)
            if key in sounding:
                found.notes.append((sounding.pop(key), tick, message.note))
            if message.type == "note_on" and message.velocity > 0:
                sounding[key] = tick
    found.notes.sort()
    found.end = tick
    found.lyrics = [(at, text) for at, text in found.lyrics if text.strip(" \r\n/\\")]
    found.texts = [(at, text) for at, text in found.texts if text.strip(" \r\n/\\")]
    return found


def _text(raw: str) -> str:
    """Text of bytes that may be UTF-8 or Shift-JIS."""
    data = raw.encode("latin1")
    for name in ("utf-8", "cp932"):
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    return raw


def _conductor(file: Any) -> tuple[dict[int, float], dict[int, tuple[int, int]]]:
    """Tempos and time signatures of all tracks, by tick; a thousandth of a tempo is rounding."""
    tempos: dict[int, float] = {0: TEMPO}
    metres: dict[int, tuple[int, int]] = {0: (4, 4)}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                if message.tempo < 1:
                    raise InputError(f"tempo: {message.tempo} microseconds a beat")
                tempos[tick] = round(60e6 / message.tempo, 3)
            elif message.type == "time_signature":
                metres[tick] = (message.numerator, message.denominator)
    return tempos, metres


def _bars(metres: dict[Fraction, tuple[int, int]], end: Fraction) -> tuple[Bar, ...]:
    """Bars up to the one in which the last note ends; a time signature begins one."""
    changes = sorted(metres.items())
    found: list[Bar] = []
    for k, (start, metre) in enumerate(changes):
        if start >= end:
            break
        stop = min(changes[k + 1][0], end) if k + 1 < len(changes) else end
        whole = Fraction(4 * metre[0], metre[1])
        if whole <= 0:
            raise InputError(f"a time signature of {metre[0]} over {metre[1]}")
        length = stop - start
        if stop == end:
            length = -(-length // whole) * whole
            if k + 1 < len(changes):
                length = min(length, changes[k + 1][0] - start)
        for bar in even_bars(length, metre):
            found.append(Bar(str(len(found) + 1), bar.beats, metre))
    return tuple(found)


def _meets(tracks: list[_Track], lyrics: list[tuple[int, str]], beat: int) -> _Track:
    """The track whose notes begin where most lyrics are."""

    def met(track: _Track) -> tuple[int, int]:
        starts = [Fraction(onset, beat) for onset, _, _ in track.notes]
        hits = {_nearest(starts, Fraction(tick, beat)) for tick, _ in lyrics} - {None}
        return len(hits), -len(starts)

    return max(tracks, key=met)


def _notes(
    track: _Track, lyrics: list[tuple[int, str]], beat: int, bars: tuple[Bar, ...]
) -> list[Note]:
    starts = [Fraction(onset, beat) for onset, _, _ in track.notes]
    words: dict[int, str] = {}
    for tick, text in lyrics:
        i = _nearest(starts, Fraction(tick, beat))
        if i is None:
            bar = bars[max(0, bisect_right(onsets(bars), Fraction(tick, beat)) - 1)].number
            raise InputError(f"bar {bar}: the lyric '{text.strip()[:20]}' meets no note")
        words[i] = (words.get(i, "") + " " + text.strip(" \r\n/\\")).strip()
    breaths = {Fraction(tick, beat) for tick in track.breaths}
    found: list[Note] = []
    at = Fraction(0)
    for i, (_, end_tick, pitch) in enumerate(track.notes):
        start, end = starts[i], Fraction(end_tick, beat)
        where = _place(bars, starts, i)
        follow = starts[i + 1] if i + 1 < len(starts) else None
        if follow is not None and end > follow:
            if end - follow > LEGATO or follow <= start:
                raise InputError(f"{where}: overlaps the next note: one voice sings one at a time")
            end = follow
        if end <= start:
            raise InputError(f"{where}: its length is 0: give it one, or delete it")
        if start > at:
            if found and start - at < LEGATO:
                found[-1] = _longer(found[-1], start - at)
            else:
                found.append(Note(start - at, None))
        lyric = words.get(i, "")
        lyric = "" if lyric in GOES_ON else lyric
        found.append(Note(end - start, float(pitch), lyric, not lyric, end in breaths))
        at = end
    return found


def _longer(note: Note, beats: Fraction) -> Note:
    return Note(note.beats + beats, note.midi, note.lyric, note.slur, note.breath)


def _nearest(starts: list[Fraction], at: Fraction) -> int | None:
    """Index of the note that begins nearest to a time, if it is near."""
    k = bisect_right(starts, at)
    near = [i for i in (k - 1, k) if 0 <= i < len(starts) and abs(starts[i] - at) <= NEAR]
    return min(near, key=lambda i: abs(starts[i] - at), default=None)


def _place(bars: tuple[Bar, ...], starts: list[Fraction], i: int) -> str:
    begins = onsets(bars)
    bar = bisect_right(begins, starts[i]) - 1
    number = sum(begins[bar] <= s for s in starts[: i + 1])
    return f"bar {bars[bar].number}, note {number}"


def write_midi(path: str | os.PathLike[str], score: Score) -> None:
    """Write a score as a MIDI file of format 1, lyrics in UTF-8; it appears whole or not at all.

    MIDI numbers bars by itself, and rounds a tempo to a microsecond a beat. A bar shorter than its
    metre is written as a time signature of its own.

    Raises:
        InputError: If a pitch has cents, which MIDI has no notes for.
    """
    import mido

    from oneleap.domains.singing.scores.midi_write import conductor, voice, with_ticks

    ticks = with_ticks(score, TICKS)
    file = mido.MidiFile(type=1, ticks_per_beat=ticks, charset="utf-8")
    file.tracks += [conductor(score, ticks), voice(score, ticks, BREATH)]
    with replacing(Path(path)) as temporary:
        file.save(temporary)
