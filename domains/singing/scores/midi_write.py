"""Writing scores as MIDI files with lyrics."""

import os
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.singing.scores.midi_file import BREATH_TEXT
from oneleap.domains.singing.scores.score import Score, TimeSignature, bar_beats, onsets

MIN_TICKS = 480
"""Ticks in a quarter note; more if the length of a note requires it."""

VELOCITY = 80
"""Velocity of all notes."""


def write_midi(path: str | os.PathLike[str], score: Score) -> None:
    """Write a score to a MIDI file of format 1 with UTF-8 lyrics, completely or not at all.

    The file does not store the numbers of bars. It rounds the tempo to a microsecond per beat. A
    bar that is shorter than its time signature gets a time signature of its own.

    Raises:
        InputError: If a pitch has cents, a length needs too many ticks, or a bar has no time
            signature.
    """
    import mido

    ticks = _ticks_per_quarter(score)
    file = mido.MidiFile(type=1, ticks_per_beat=ticks, charset="utf-8")
    file.tracks += [_conductor_track(score, ticks), _vocal_track(score, ticks)]
    with atomic_write(Path(path)) as temporary:
        file.save(temporary)


def _ticks_per_quarter(score: Score) -> int:
    """Find ticks of a quarter note with which all lengths are whole numbers of ticks."""
    found = lcm(MIN_TICKS, *(note.beats.denominator for note in score.notes))
    if found > 0x7FFF:
        raise InputError(f"the notes need {found} ticks per beat, more than MIDI supports")
    return found


def _conductor_track(score: Score, ticks: int) -> Any:
    """Make the track with title, tempos and time signatures."""
    import mido

    events: list[tuple[Fraction, Any]] = []
    for beat, tempo in score.sung_tempos:
        events.append((beat, mido.MetaMessage("set_tempo", tempo=round(60e6 / tempo))))
    before = None
    for start, bar in zip(onsets(score.bars), score.bars, strict=True):
        full = bar_beats(bar.time_signature)
        time_signature = bar.time_signature if bar.beats == full else _time_signature(bar.beats)
        if time_signature != before:
            numerator, denominator = time_signature
            event = mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)
            events.append((start, event))
        before = time_signature
    return _make_track(score.title, events, ticks)


def _time_signature(beats: Fraction) -> TimeSignature:
    """Find the time signature of a bar by its length in quarter notes."""
    whole_notes = beats / 4
    denominator = 1
    while (whole_notes * denominator) % 1 and denominator < 64:
        denominator *= 2
    numerator = whole_notes * denominator
    if numerator % 1 or not 0 < numerator < 256:
        raise InputError(f"a bar of {float(beats):g} beats has no time signature in MIDI")
    return int(numerator), denominator


def _vocal_track(score: Score, ticks: int) -> Any:
    """Make the track with the notes, their lyrics, and the name of the part."""
    import mido

    events: list[tuple[Fraction, Any]] = []
    for i, (start, note) in enumerate(zip(onsets(score.notes), score.notes, strict=True)):
        if note.midi is None:
            continue
        if note.midi % 1:
            raise InputError(f"{score.location(i)}: its pitch has cents, which MIDI cannot store")
        pitch = int(note.midi)
        if note.lyric:
            events.append((start, mido.MetaMessage("lyrics", text=note.lyric + "-" * note.hyphen)))
        events.append((start, mido.Message("note_on", note=pitch, velocity=VELOCITY)))
        events.append((start + note.beats, mido.Message("note_off", note=pitch)))
        if note.breath:
            events.append((start + note.beats, mido.MetaMessage("text", text=BREATH_TEXT)))
    return _make_track(score.part, events, ticks, sum((n.beats for n in score.notes), Fraction(0)))


def _make_track(
    name: str, events: list[tuple[Fraction, Any]], ticks: int, end: Fraction = Fraction(0)
) -> Any:
    """Make a track of events, sorted, with the time between them.

    Args:
        name: Name of the track; empty for none.
        events: Pairs (beat, message).
        ticks: Ticks in a quarter note.
        end: Beat at which the track ends, if it is after the last event.
    """
    import mido

    track = mido.MidiTrack()
    if name:
        track.append(mido.MetaMessage("track_name", name=name))
    before = 0
    for beat, message in sorted(events, key=lambda event: event[0]):
        tick = int(beat * ticks)
        track.append(message.copy(time=tick - before))
        before = tick
    track.append(mido.MetaMessage("end_of_track", time=max(0, int(end * ticks) - before)))
    return track
