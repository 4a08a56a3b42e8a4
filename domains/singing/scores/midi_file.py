"""MIDI files as lists of notes and texts, in ticks."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.score import DEFAULT_TEMPO, TimeSignature

BREATH_TEXT = "breath"
"""Text event that marks a breath after a note, because MIDI has no event for it."""

MAX_BYTES = 2**20
"""Largest size of a file, 1 MiB."""

MAX_EVENTS = 200_000
"""Largest number of events of a file."""

PERCUSSION = 9
"""Channel of percussion, counted from 0."""

_TAG = re.compile(r"\{[@#][^}]*\}")
_KANA = re.compile("[\u3041-\u30ff\uff66-\uff9d]")


@dataclass
class MidiPart:
    """Notes of one channel of a track.

    Attributes:
        name: Name of the track.
        drums: Whether the channel is that of percussion.
        notes: Triples (onset, end, pitch in semitones), sorted.
    """

    name: str
    drums: bool
    notes: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass
class MidiTexts:
    """Texts of one track, as pairs (tick, text).

    Attributes:
        track: Index of the track.
        lyrics: Lyric events.
        texts: Text events.
        heads: Karaoke heads, such as ``@TTitle``.
    """

    track: int
    lyrics: list[tuple[int, str]] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)


@dataclass
class MidiSong:
    """A MIDI file; all times are in ticks.

    Attributes:
        ticks: Ticks of a quarter note.
        parts: Notes by track and channel, as pairs (index of the track, part).
        texts: Texts of each track.
        names: Name of each track.
        ends: End of each track.
        breaths: Times of breaths.
        tempos: Quarter notes per minute, rounded to three decimals, by tick.
        time_signatures: Time signature by tick.
    """

    ticks: int
    parts: list[tuple[int, MidiPart]] = field(default_factory=list)
    texts: list[MidiTexts] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    breaths: set[int] = field(default_factory=set)
    tempos: dict[int, float] = field(default_factory=lambda: {0: DEFAULT_TEMPO})
    time_signatures: dict[int, TimeSignature] = field(default_factory=lambda: {0: (4, 4)})


def read_midi_file(path: Path) -> MidiSong:
    """Read the notes and texts of a MIDI file.

    Raises:
        InputError: If the file is not a MIDI file, or is too long. The message names the file.
    """
    file = _open_midi(path)
    if file.ticks_per_beat < 1 or file.type == 2 or not file.tracks:
        raise InputError("is not a score: save it as format 1, with times in ticks per beat")
    if sum(map(len, file.tracks)) > MAX_EVENTS:
        raise InputError(f"has more than {MAX_EVENTS} events: save the part that is sung alone")
    decode = _decoder(file)
    song = MidiSong(file.ticks_per_beat)
    for index, track in enumerate(file.tracks):
        _read_track(index, track, song, decode)
    return song


def _open_midi(path: Path) -> Any:
    try:
        import mido
    except ModuleNotFoundError:
        raise InputError("mido is not installed: pip install 'oneleap[singing]'") from None
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(f"has {size} bytes, at most {MAX_BYTES} are possible")
        return mido.MidiFile(path, charset="latin1", clip=True)
    except OSError as error:
        reason = error.strerror or str(error) or "it ends too early"
        raise InputError(f"is not a MIDI file ({reason})") from None
    except (EOFError, LookupError, ValueError, TypeError, mido.KeySignatureError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:80] or "it ends too early"
        raise InputError(f"is not a MIDI file ({reason})") from None


class _Decoder:
    """Decodes text that was read as Latin-1.

    Args:
        charset: Name of the encoding of the file.
    """

    def __init__(self, charset: str) -> None:
        self.charset = charset

    def __call__(self, raw: str) -> str:
        text = raw.encode("latin1").decode(self.charset, errors="replace")
        return _TAG.sub("", text).replace("\0", "")


def _decoder(file: Any) -> _Decoder:
    """Find the encoding of a file: UTF-8, Shift-JIS if that gives kana, else Western European."""
    kinds = ("lyrics", "text", "track_name")
    texts = [
        (m.name if m.type == "track_name" else m.text).encode("latin1")
        for track in file.tracks
        for m in track
        if m.type in kinds
    ]
    for charset in ("utf-8", "cp932"):
        try:
            decoded = "".join(text.decode(charset) for text in texts)
        except UnicodeDecodeError:
            continue
        foreign = sum(not c.isascii() for c in decoded)
        if charset == "utf-8" or 2 * len(_KANA.findall(decoded)) >= foreign:
            return _Decoder(charset)
    return _Decoder("cp1252")


def _read_track(index: int, track: Any, song: MidiSong, decode: _Decoder) -> None:
    """Add the events of a track to the song."""
    tick, name = 0, ""
    found = MidiTexts(index)
    sounding: dict[tuple[int, int], int] = {}
    parts: dict[int, MidiPart] = {}
    for message in track:
        tick += message.time
        if message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            part = parts.setdefault(message.channel, MidiPart("", message.channel == PERCUSSION))
            if key in sounding:
                part.notes.append((sounding.pop(key), tick, message.note))
            if message.type == "note_on" and message.velocity > 0:
                sounding[key] = tick
        elif message.type == "track_name" and not name:
            name = decode(message.name).strip()
        elif message.type in ("lyrics", "text"):
            text = decode(message.text)
            if message.type == "text" and text == BREATH_TEXT:
                song.breaths.add(tick)
            elif text.startswith("@"):
                found.heads.append(text)
            else:
                (found.lyrics if message.type == "lyrics" else found.texts).append((tick, text))
        elif message.type == "set_tempo":
            if message.tempo < 1:
                raise InputError(f"a tempo is {message.tempo} microseconds per beat")
            song.tempos[tick] = round(60e6 / message.tempo, 3)
        elif message.type == "time_signature":
            song.time_signatures[tick] = (message.numerator, message.denominator)
    for channel, pitch in sounding:  # notes that never end last until the track does
        parts[channel].notes.append((sounding[channel, pitch], tick, pitch))
    song.names.append(name)
    song.ends.append(tick)
    song.texts.append(found)
    for part in parts.values():
        part.name = name
        part.notes.sort()
        if part.notes:
            song.parts.append((index, part))
