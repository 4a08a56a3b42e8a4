"""MIDI files: writing of generated tunes, and reading of notes and melodies.

Files are read by mido. pretty_midi gives the same notes for valid files, but it ignores tempo
changes outside the first track, lets a repeated note overlap with itself, and reads files of
independent tracks (type 2) without an error.
"""

import itertools
import os
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.music.data.tunes import DRUM_CHANNEL, Tune

MIDI_SUFFIXES = (".mid", ".midi")

TICKS_PER_BEAT = 480

DYNAMICS_PER_BEAT = 4
"""Number of expression messages per beat."""

MELODY = "melody"
"""A track whose name contains this word holds the melody."""

EXPRESSION = 11
"""MIDI controller; a synthesizer turns a value into ``40 log10(value / 127)`` dB."""


class MelodyNote(NamedTuple):
    """One note of a melody.

    Attributes:
        start: Start in seconds.
        end: End in seconds.
        pitch: MIDI note number, not always whole; middle C is 60.
    """

    start: float
    end: float
    pitch: float


def write_midi(path: str | os.PathLike[str], tune: Tune) -> None:
    """Write a tune as a MIDI file of type 1 with one track per part.

    The file appears complete or not at all.
    """
    import mido

    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    head = mido.MidiTrack()
    head.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tune.tempo)))
    file.tracks.append(head)
    for part in tune.parts:
        events: list[tuple[float, int, Any]] = []
        message, channel = mido.Message, part.channel
        events.append((0.0, 0, message("program_change", channel=channel, program=part.program)))
        for beat, level in _dynamics(tune):
            value = round(127 * 10 ** (level / 40))
            change = message("control_change", channel=channel, control=EXPRESSION, value=value)
            events.append((beat, 1, change))
        for start, length, pitch, velocity in part.notes:
            note = {"channel": channel, "note": pitch}
            events.append((start, 3, message("note_on", velocity=velocity, **note)))
            events.append((start + length, 2, message("note_off", **note)))
        file.tracks.append(_track(part.name, events))
    with atomic_write(path) as temporary:
        file.save(temporary)


def _dynamics(tune: Tune) -> list[tuple[float, float]]:
    """Beats and dB of the dynamics; a single entry if they never change."""
    beats = np.arange(tune.beats * DYNAMICS_PER_BEAT) / DYNAMICS_PER_BEAT
    levels = np.interp(beats, np.arange(tune.beats + 1), tune.dynamics)
    if np.ptp(levels) == 0:
        return [(0.0, float(levels[0]))]
    return list(zip(beats.tolist(), levels.tolist(), strict=True))


def _track(name: str, events: list[tuple[float, int, Any]]) -> Any:
    """Make a track of ``(beat, order, message)``; at equal beats, lower orders come first.

    Notes end (order 2) before other notes start (order 3).
    """
    import mido

    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    before = 0
    for beat, _, message in sorted(events, key=lambda event: event[:2]):
        tick = round(beat * TICKS_PER_BEAT)
        track.append(message.copy(time=tick - before))
        before = tick
    return track


def read_midi_melody(path: str | os.PathLike[str]) -> tuple[MelodyNote, ...]:
    """Read the melody of a MIDI file.

    It is taken from the tracks with :data:`MELODY` in their names, or else from all tracks. Of
    notes that sound together, the highest counts. The notes of the result never overlap.
    Percussion is ignored.

    Raises:
        InputError: If the file cannot be read or has no notes.
    """
    notes = read_midi_notes(path)
    named = [note for note, name in notes if MELODY in name.lower()]
    chosen = named or [note for note, _ in notes]
    edges = sorted({edge for note in chosen for edge in (note.start, note.end)})
    found, waiting, sounding = list[MelodyNote](), deque(sorted(chosen)), list[MelodyNote]()
    for start, end in itertools.pairwise(edges):
        sounding = [note for note in sounding if note.end > start]
        while waiting and waiting[0].start <= start:
            sounding.append(waiting.popleft())
        if not sounding:
            continue
        top = max(note.pitch for note in sounding)
        if found and found[-1].pitch == top and found[-1].end == start:
            found[-1] = found[-1]._replace(end=end)
        else:
            found.append(MelodyNote(start, end, top))
    return tuple(found)


def read_midi_notes(path: str | os.PathLike[str]) -> list[tuple[MelodyNote, str]]:
    """Read all notes except percussion, sorted by time, with the names of their tracks.

    Raises:
        InputError: If the file cannot be read or has no notes.
    """
    import mido

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        file = mido.MidiFile(path)
    except (OSError, EOFError, ValueError, LookupError, mido.KeySignatureError) as error:
        raise InputError(f"{path}: cannot be read as a MIDI file ({error!r})") from None
    if file.type == 2 or file.ticks_per_beat <= 0:
        raise InputError(f"{path}: MIDI files of type 2 are not supported: save it as type 0 or 1")
    tempi = _tempo_changes(file)
    found = list[tuple[MelodyNote, str]]()
    for track in file.tracks:
        held, tick = dict[tuple[int, int], int](), 0
        for message in track:
            tick += message.time
            if message.type not in ("note_on", "note_off") or message.channel == DRUM_CHANNEL:
                continue
            key = (message.channel, message.note)
            if key in held:
                start, end = (
                    _seconds(t, tempi, file.ticks_per_beat) for t in (held.pop(key), tick)
                )
                if end > start:
                    found.append((MelodyNote(start, end, float(message.note)), track.name))
            if message.type == "note_on" and message.velocity > 0:
                held[key] = tick
    if not found:
        raise InputError(f"{path}: has no notes (percussion is ignored)")
    return sorted(found)


def _tempo_changes(file: Any) -> list[tuple[int, float]]:
    """Ticks at which the tempo changes, and the microseconds per beat from there on."""
    found = {0: 500_000.0}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                found[tick] = float(message.tempo)
    return sorted(found.items())


def _seconds(tick: int, tempi: list[tuple[int, float]], ticks_per_beat: int) -> float:
    """Time of a tick in seconds."""
    total = 0.0
    for k, (first, tempo) in enumerate(tempi):
        last = tempi[k + 1][0] if k + 1 < len(tempi) else tick
        total += max(0, min(tick, last) - first) * tempo / ticks_per_beat / 1e6
    return total
