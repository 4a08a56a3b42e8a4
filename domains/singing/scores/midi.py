"""Reading MIDI files with lyrics, ``.kar`` among them, as scores."""

import os
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.score import (
    CONTINUATION_LYRICS,
    DEFAULT_TEMPO,
    Bar,
    Note,
    Score,
    TimeSignature,
    bar_beats,
    onsets,
    uniform_bars,
)

BREATH_TEXT = "breath"
"""Text event that marks a breath after a note, because MIDI has no event for it."""

LYRIC_TOLERANCE = Fraction(1, 8)
"""Largest distance of a lyric from its note, quarter notes."""

GAP_TOLERANCE = Fraction(1, 32)
"""Largest gap or overlap between two notes that is ignored, quarter notes."""

MAX_BYTES = 8 * 2**20
"""Largest size of a file, 8 MiB."""


@dataclass
class _Track:
    """Events of a track; all times are in ticks.

    Attributes:
        name: Name of the track.
        notes: Triples (onset, end, pitch in semitones).
        lyrics: Pairs (time, text) of lyric events.
        texts: Pairs (time, text) of text events.
        breaths: Times of breaths.
        end: End of the track.
    """

    name: str = ""
    notes: list[tuple[int, int, int]] = field(default_factory=list)
    lyrics: list[tuple[int, str]] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    breaths: list[int] = field(default_factory=list)
    end: int = 0


def read_midi(path: str | os.PathLike[str]) -> Score:
    """Read the track of a MIDI file that is sung: the one with the most lyrics.

    Lyrics are lyric events, or text events if there are no lyric events (``.kar``). If they are in
    a track without notes, they belong to the track whose notes they match best. A note without a
    lyric continues the syllable before it. Bars are counted from 1 by the time signatures.

    Raises:
        InputError: If the file is not a MIDI file, has no lyrics, or contains something that cannot
            be sung. The message names the file, the bar and the note.
    """
    file = _open_midi(Path(path))
    try:
        return _convert_file(file)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _open_midi(path: Path) -> Any:
    try:
        import mido
    except ModuleNotFoundError:
        raise InputError("mido is not installed: pip install 'oneleap[singing]'") from None
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: no score has more than {MAX_BYTES // 2**20} MiB")
        return mido.MidiFile(path, charset="latin1", clip=True)
    except OSError as error:
        reason = error.strerror or str(error) or "it ends too early"
        raise InputError(f"{path} is not a MIDI file ({reason})") from None
    except (EOFError, LookupError, ValueError, TypeError, mido.KeySignatureError) as error:
        reason = str(error) or "it ends too early"
        raise InputError(f"{path} is not a MIDI file ({reason})") from None


def _convert_file(file: Any) -> Score:
    ticks = file.ticks_per_beat
    if ticks < 1 or file.type == 2 or not file.tracks:
        raise InputError("is not a score: save it as format 1, with times in ticks per beat")
    tracks = [_parse_track(track) for track in file.tracks]
    tempos, time_signatures = _conductor_events(file)
    lyric_track = max(tracks, key=lambda t: len(t.lyrics))
    lyrics = lyric_track.lyrics
    if not lyrics:
        lyric_track = max(tracks, key=lambda t: len(t.texts))
        lyrics = lyric_track.texts
    vocal = lyric_track if lyric_track.notes else _matching_track(tracks, lyrics, ticks)
    if not lyrics or not vocal.notes:
        raise InputError("has no lyrics: write a lyric event for each note")
    end = max(vocal.end, *(max(end, onset + 1) for onset, end, _ in vocal.notes))
    bars = _make_bars(
        {Fraction(t, ticks): signature for t, signature in time_signatures.items()},
        Fraction(end, ticks),
    )
    notes = _convert_notes(vocal, lyrics, ticks, bars)
    missing = sum((b.beats for b in bars), Fraction(0)) - sum((n.beats for n in notes), Fraction(0))
    if missing:
        notes.append(Note(missing, None))
    changes = tuple((Fraction(tick, ticks), tempo) for tick, tempo in sorted(tempos.items()))
    title = tracks[0].name if tracks[0] is not vocal else ""
    return Score(tuple(notes), bars, changes, title, vocal.name)


def _parse_track(messages: Any) -> _Track:
    found = _Track()
    tick = 0
    sounding: dict[tuple[int, int], int] = {}
    for message in messages:
        tick += message.time
        if message.type == "track_name" and not found.name:
            found.name = _decode_text(message.name).strip()
        elif message.type == "lyrics":
            found.lyrics.append((tick, _decode_text(message.text)))
        elif message.type == "text" and message.text == BREATH_TEXT:
            found.breaths.append(tick)
        elif message.type == "text" and not message.text.startswith("@"):
            found.texts.append((tick, _decode_text(message.text)))
        elif message.type in ("note_on", "note_off") and message.channel != 9:  # 9 is percussion
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


def _decode_text(raw: str) -> str:
    """Decode text that was read as Latin-1, but may be UTF-8 or Shift-JIS."""
    data = raw.encode("latin1")
    for name in ("utf-8", "cp932"):
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    return raw


def _conductor_events(file: Any) -> tuple[dict[int, float], dict[int, TimeSignature]]:
    """Collect tempos and time signatures of all tracks by tick; tempos have three decimals."""
    tempos: dict[int, float] = {0: DEFAULT_TEMPO}
    time_signatures: dict[int, TimeSignature] = {0: (4, 4)}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                if message.tempo < 1:
                    raise InputError(f"a tempo is {message.tempo} microseconds per beat")
                tempos[tick] = round(60e6 / message.tempo, 3)
            elif message.type == "time_signature":
                time_signatures[tick] = (message.numerator, message.denominator)
    return tempos, time_signatures


def _make_bars(time_signatures: dict[Fraction, TimeSignature], end: Fraction) -> tuple[Bar, ...]:
    """Make bars up to the one in which the last note ends; a time signature starts a bar."""
    changes = sorted(time_signatures.items())
    found: list[Bar] = []
    for k, (start, time_signature) in enumerate(changes):
        if start >= end:
            break
        stop = min(changes[k + 1][0], end) if k + 1 < len(changes) else end
        full = bar_beats(time_signature)
        if full <= 0:
            raise InputError(f"a time signature is {time_signature[0]}/{time_signature[1]}")
        length = stop - start
        if stop == end:
            length = -(-length // full) * full
            if k + 1 < len(changes):
                length = min(length, changes[k + 1][0] - start)
        for bar in uniform_bars(length, time_signature):
            found.append(Bar(str(len(found) + 1), bar.beats, time_signature))
    return tuple(found)


def _matching_track(tracks: list[_Track], lyrics: list[tuple[int, str]], ticks: int) -> _Track:
    """Find the track with the most notes that start at lyrics."""

    def matches(track: _Track) -> tuple[int, int]:
        starts = [Fraction(onset, ticks) for onset, _, _ in track.notes]
        hits = {_nearest_note(starts, Fraction(tick, ticks)) for tick, _ in lyrics} - {None}
        return len(hits), -len(starts)

    return max(tracks, key=matches)


def _convert_notes(
    track: _Track, lyrics: list[tuple[int, str]], ticks: int, bars: tuple[Bar, ...]
) -> list[Note]:
    starts = [Fraction(onset, ticks) for onset, _, _ in track.notes]
    lyric_of = _assign_lyrics(starts, lyrics, ticks, bars)
    breaths = {Fraction(tick, ticks) for tick in track.breaths}
    found: list[Note] = []
    at = Fraction(0)
    for i, (_, end_tick, pitch) in enumerate(track.notes):
        start, end = starts[i], Fraction(end_tick, ticks)
        where = _location(bars, starts, i)
        following = starts[i + 1] if i + 1 < len(starts) else None
        if following is not None and end > following:
            if end - following > GAP_TOLERANCE or following <= start:
                raise InputError(f"{where}: overlaps the next note: shorten one of them")
            end = following
        if end <= start:
            raise InputError(f"{where}: its length is 0: give it one, or delete it")
        if start > at:
            if found and start - at < GAP_TOLERANCE:
                found[-1] = replace(found[-1], beats=found[-1].beats + start - at)
            else:
                found.append(Note(start - at, None))
        lyric = lyric_of.get(i, "")
        lyric = "" if lyric in CONTINUATION_LYRICS else lyric
        found.append(Note(end - start, float(pitch), lyric, not lyric, end in breaths))
        at = end
    return found


def _assign_lyrics(
    starts: list[Fraction], lyrics: list[tuple[int, str]], ticks: int, bars: tuple[Bar, ...]
) -> dict[int, str]:
    """Assign each lyric to the nearest note; the result has the lyric by index of the note."""
    found: dict[int, str] = {}
    for tick, text in lyrics:
        beat = Fraction(tick, ticks)
        i = _nearest_note(starts, beat)
        if i is None:
            bar = bars[max(0, bisect_right(onsets(bars), beat) - 1)].number
            raise InputError(f"bar {bar}: the lyric '{text.strip()[:20]}' is not at a note")
        found[i] = (found.get(i, "") + " " + text.strip(" \r\n/\\")).strip()
    return found


def _nearest_note(starts: list[Fraction], at: Fraction) -> int | None:
    """Find the note that starts nearest to a beat; ``None`` if none is within the tolerance."""
    k = bisect_right(starts, at)
    near = [
        i for i in (k - 1, k) if 0 <= i < len(starts) and abs(starts[i] - at) <= LYRIC_TOLERANCE
    ]
    return min(near, key=lambda i: abs(starts[i] - at), default=None)


def _location(bars: tuple[Bar, ...], starts: list[Fraction], i: int) -> str:
    bar_starts = onsets(bars)
    bar = bisect_right(bar_starts, starts[i]) - 1
    number = sum(bar_starts[bar] <= s for s in starts[: i + 1])
    return f"bar {bars[bar].number}, note {number}"
