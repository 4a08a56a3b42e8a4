"""MIDI files: tunes written, melodies read."""

import itertools
import os
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.music.data.tunes import DRUMS, Tune

TICKS = 480
"""Of a beat."""

PER_BEAT = 4
"""How often the dynamics are sent."""

MELODY = "melody"
"""A track with this word in its name holds the melody."""

EXPRESSION = 11
"""MIDI controller; a synthesiser makes ``40 log10(value / 127)`` dB of it."""


class Sung(NamedTuple):
    """One note of a melody.

    Attributes:
        start: Seconds.
        end: Seconds.
        pitch: MIDI number, not always whole; middle C is 60.
    """

    start: float
    end: float
    pitch: float


def write_midi(path: str | os.PathLike[str], tune: Tune) -> None:
    """Write a tune as a file of type 1, a track for each part; it appears whole or not at all."""
    import mido

    file = mido.MidiFile(ticks_per_beat=TICKS)
    head = mido.MidiTrack()
    head.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tune.tempo)))
    file.tracks.append(head)
    for part in tune.parts:
        events: list[tuple[float, int, Any]] = []
        say = mido.Message
        events.append((0.0, 0, say("program_change", channel=part.channel, program=part.program)))
        for beat, level in _levels(tune):
            value = round(127 * 10 ** (level / 40))
            control = say("control_change", channel=part.channel, control=EXPRESSION, value=value)
            events.append((beat, 1, control))
        for start, length, pitch, velocity in part.notes:
            given = {"channel": part.channel, "note": pitch}
            events.append((start, 3, say("note_on", velocity=velocity, **given)))
            events.append((start + length, 2, say("note_off", **given)))
        file.tracks.append(_track(part.name, events))
    with replacing(path) as temporary:
        file.save(temporary)


def _levels(tune: Tune) -> list[tuple[float, float]]:
    """Beats and dB of the dynamics, as often as they change."""
    beats = np.arange(tune.beats * PER_BEAT) / PER_BEAT
    levels = np.interp(beats, np.arange(tune.beats + 1), tune.dynamics)
    if np.ptp(levels) == 0:
        return [(0.0, float(levels[0]))]
    return list(zip(beats.tolist(), levels.tolist(), strict=True))


def _track(name: str, events: list[tuple[float, int, Any]]) -> Any:
    """A track of timed events; at one time, notes end before others begin."""
    import mido

    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    before = 0
    for beat, _, message in sorted(events, key=lambda event: event[:2]):
        tick = round(beat * TICKS)
        track.append(message.copy(time=tick - before))
        before = tick
    return track


def read_melody(path: str | os.PathLike[str]) -> tuple[Sung, ...]:
    """The melody of a MIDI file: the tracks named so, or else the highest notes of all.

    Where several notes sound, the highest counts; notes never overlap. Percussion is left out.

    Raises:
        InputError: If the file cannot be read, or has no notes.
    """
    notes = read_notes(path)
    named = [note for note, name in notes if MELODY in name.lower()]
    chosen = named or [note for note, _ in notes]
    edges = sorted({edge for note in chosen for edge in (note.start, note.end)})
    found, waiting, sounding = list[Sung](), deque(sorted(chosen)), list[Sung]()
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
            found.append(Sung(start, end, top))
    return tuple(found)


def read_notes(path: str | os.PathLike[str]) -> list[tuple[Sung, str]]:
    """All notes but percussion's, by time, with the names of their tracks.

    Raises:
        InputError: If the file cannot be read, or has no notes.
    """
    import mido

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        file = mido.MidiFile(path)
    except (OSError, EOFError, ValueError, LookupError, mido.KeySignatureError) as error:
        raise InputError(f"{path}: not a MIDI file that can be read ({error!r})") from None
    if file.type == 2 or file.ticks_per_beat <= 0:
        raise InputError(f"{path}: a MIDI file of independent tracks: save it as type 0 or 1")
    tempi = _tempi(file)
    found = list[tuple[Sung, str]]()
    for track in file.tracks:
        held, tick = dict[tuple[int, int], int](), 0
        for message in track:
            tick += message.time
            if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
                continue
            key = (message.channel, message.note)
            if key in held:
                start, end = (
                    _seconds(t, tempi, file.ticks_per_beat) for t in (held.pop(key), tick)
                )
                if end > start:
                    found.append((Sung(start, end, float(message.note)), track.name))
            if message.type == "note_on" and message.velocity > 0:
                held[key] = tick
    if not found:
        raise InputError(f"{path}: has no notes (percussion does not count)")
    return sorted(found)


def _tempi(file: Any) -> list[tuple[int, float]]:
    """Ticks at which the tempo changes, and microseconds of a beat from there on."""
    found = {0: 500_000.0}
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                found[tick] = float(message.tempo)
    return sorted(found.items())


def _seconds(tick: int, tempi: list[tuple[int, float]], ticks_per_beat: int) -> float:
    total = 0.0
    for k, (first, tempo) in enumerate(tempi):
        last = tempi[k + 1][0] if k + 1 < len(tempi) else tick
        total += max(0, min(tick, last) - first) * tempo / ticks_per_beat / 1e6
    return total
