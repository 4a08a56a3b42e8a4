"""Tracks of a MIDI file from a score."""

from fractions import Fraction
from math import lcm
from typing import Any

from oneleap.core.errors import InputError
from oneleap.domains.singing.scores.score import Score, onsets

LOUDNESS = 80
"""Velocity of every note."""


def with_ticks(score: Score, least: int) -> int:
    """Ticks of a quarter note in which all lengths are whole.

    Raises:
        InputError: If they are more than MIDI can count.
    """
    found = lcm(least, *(note.beats.denominator for note in score.notes))
    if found > 0x7FFF:
        raise InputError(f"notes are {found}ths of a beat, more than MIDI can count")
    return found


def conductor(score: Score, ticks: int) -> Any:
    """Title, tempos and time signatures."""
    import mido

    events: list[tuple[Fraction, Any]] = []
    for beat, tempo in score.tempos:
        events.append((beat, mido.MetaMessage("set_tempo", tempo=round(60e6 / tempo))))
    before = None
    for start, bar in zip(onsets(score.bars), score.bars, strict=True):
        whole = Fraction(4 * bar.metre[0], bar.metre[1])
        metre = bar.metre if bar.beats == whole else _short(bar.beats)
        if metre != before:
            numerator, denominator = metre
            sign = mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator)
            events.append((start, sign))
        before = metre
    return _track(score.title, events, ticks)


def _short(beats: Fraction) -> tuple[int, int]:
    """A time signature of a length in quarter notes."""
    whole = beats / 4
    denominator = 1
    while (whole * denominator) % 1 and denominator < 64:
        denominator *= 2
    numerator = whole * denominator
    if numerator % 1 or not 0 < numerator < 256:
        raise InputError(f"a bar of {float(beats):g} beats has no time signature in MIDI")
    return int(numerator), denominator


def voice(score: Score, ticks: int, breath: str) -> Any:
    """Notes with their lyrics, and the part's name."""
    import mido

    events: list[tuple[Fraction, Any]] = []
    for i, (start, note) in enumerate(zip(onsets(score.notes), score.notes, strict=True)):
        if note.midi is None:
            continue
        if note.midi % 1:
            raise InputError(f"{score.place(i)}: its pitch has cents, which MIDI has no notes for")
        pitch = int(note.midi)
        if note.lyric:
            events.append((start, mido.MetaMessage("lyrics", text=note.lyric)))
        events.append((start, mido.Message("note_on", note=pitch, velocity=LOUDNESS)))
        events.append((start + note.beats, mido.Message("note_off", note=pitch)))
        if note.breath:
            events.append((start + note.beats, mido.MetaMessage("text", text=breath)))
    return _track(score.part, events, ticks, sum((n.beats for n in score.notes), Fraction(0)))


def _track(
    name: str, events: list[tuple[Fraction, Any]], ticks: int, end: Fraction = Fraction(0)
) -> Any:
    """Events in order, with the time between them."""
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
