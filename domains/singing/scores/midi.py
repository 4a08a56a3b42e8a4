"""Reading MIDI files with lyrics, ``.kar`` among them, as scores."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.punctuation import Lyric, clean_lyric
from oneleap.domains.singing.scores.melody import HUM, NO_LYRIC, Melody
from oneleap.domains.singing.scores.midi_file import MidiSong, MidiTexts, read_midi_file
from oneleap.domains.singing.scores.musicxml import Chords
from oneleap.domains.singing.scores.parts import choose_part
from oneleap.domains.singing.scores.score import (
    CONTINUATION_LYRICS,
    Bar,
    Note,
    Score,
    TimeSignature,
    bar_beats,
    check_size,
    onsets,
    uniform_bars,
)

LYRIC_REACH = 120
"""Largest distance of a lyric from its note in ticks; at least a quarter of a beat."""

GAP_TOLERANCE = Fraction(1, 32)
"""Largest gap between two notes that is ignored, and between notes of a chord, quarter notes."""

SHORTEST = Fraction(1, 4)
"""Length of a note whose end is missing or at its start, quarter notes."""

_LINE_BREAKS = ("/", "\\", "\r", "\n")


def read_midi(
    path: str | os.PathLike[str],
    *,
    part: int | str | None = None,
    chords: Chords = "top",
    vowel: str | None = None,
) -> Score:
    """Read the part of a MIDI file that is sung.

    Lyrics are lyric events, or text events if there are no lyric events (``.kar``). They may be up
    to 120 ticks early or late. By default the part is sung whose notes they match best; a channel
    of a track is a part. A note without a lyric continues the syllable before it, and is hummed if
    there is none. A note ends where the next one starts. Bars are counted from 1 by the time
    signatures.

    Args:
        path: The file.
        part: Name or number of the part to sing, counted from 1.
        chords: Which note of a chord is sung.
        vowel: Lyric of notes that have none and continue no syllable. If it is given, a part
            without lyrics can be sung.

    Returns:
        The score.

    Raises:
        InputError: If the file is not a MIDI file, has no lyrics, or contains something that cannot
            be sung. The message names the file, the bar and the note.
    """
    try:
        return _convert(read_midi_file(Path(path)), part, chords, vowel)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _convert(song: MidiSong, part: int | str | None, chords: Chords, vowel: str | None) -> Score:
    source, lyrics = _find_lyrics(song)
    reach = max(song.ticks // 4, min(LYRIC_REACH, song.ticks // 2))
    matched = [_match(p.notes, lyrics, reach) for _, p in song.parts]
    own = {source.track} if source and any(t == source.track for t, _ in song.parts) else None
    sizes = [
        (p.name, p.drums, 0 if part is None and own and track not in own else len(found))
        for (track, p), found in zip(song.parts, matched, strict=True)
    ]
    if not sizes:
        raise InputError("has no notes")
    chosen = choose_part(sizes, part, hum=vowel is not None)
    track, found = song.parts[chosen]
    notes = _one_at_a_time(found.notes, song.ticks, chords)
    if lyrics and source is not None and source.lyrics == []:  # texts before a song are its head
        lyrics = [(tick, text) for tick, text in lyrics if tick >= notes[0][0] - reach]
    end = max(song.ends[track], max(stop for _, stop, _ in notes))
    bars = _make_bars(song, Fraction(end, song.ticks))
    placed = _place_lyrics(notes, lyrics, reach, song, bars)
    melody = _sing(notes, placed, song, Melody(vowel or HUM))
    missing = sum((b.beats for b in bars), Fraction(0)) - sum(
        (n.beats for n in melody.notes), Fraction(0)
    )
    if missing:
        melody.rest(missing)
    changes = tuple(
        (Fraction(tick, song.ticks), tempo) for tick, tempo in sorted(song.tempos.items())
    )
    return Score(tuple(melody.notes), bars, changes, _title(song, track), found.name)


def _title(song: MidiSong, track: int) -> str:
    """Title by the first karaoke head, else the name of the first track if another is sung."""
    titles = [head[2:].strip() for texts in song.texts for head in texts.heads if head[1:2] == "T"]
    return titles[0] if titles else song.names[0] if track else ""


def _find_lyrics(song: MidiSong) -> tuple[MidiTexts | None, list[tuple[int, str]]]:
    """Find the track with the most lyric events, or else text events, and its lyrics."""
    for kind in ("lyrics", "texts"):
        best = max(song.texts, key=lambda texts: len(_sung_texts(getattr(texts, kind))))
        if found := _sung_texts(getattr(best, kind)):
            return best, found
    return None, []


def _sung_texts(texts: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Texts that are more than a line break, each with the line break before it."""
    found: list[tuple[int, str]] = []
    broken = ""
    for tick, text in texts:
        if text.strip(" \r\n/\\"):
            found.append((tick, broken + text))
            broken = ""
        elif text.strip(" "):
            broken = "\n"
    return found


def _match(
    notes: Sequence[tuple[int, int, int]], lyrics: list[tuple[int, str]], reach: int
) -> set[int]:
    """Onsets of the notes that start at a lyric, in ticks."""
    starts = [onset for onset, _, _ in notes]
    found = set[int]()
    for tick, _ in lyrics:
        k = bisect_right(starts, tick)
        near = [i for i in (k - 1, k) if 0 <= i < len(starts) and abs(starts[i] - tick) <= reach]
        found |= {min((starts[i] for i in near), key=lambda s: abs(s - tick))} if near else set()
    return found


def _one_at_a_time(
    notes: Sequence[tuple[int, int, int]], ticks: int, chords: Chords
) -> list[tuple[int, int, int]]:
    """Reduce chords to one note, and end each note where the next one starts."""
    together = GAP_TOLERANCE * ticks
    shortest = max(1, int(SHORTEST * ticks))
    groups: list[list[tuple[int, int, int]]] = []
    for note in notes:
        if groups and note[0] - groups[-1][0][0] <= together and _overlap(groups[-1][0], note):
            groups[-1].append(note)
        else:
            groups.append([note])
    found: list[tuple[int, int, int]] = []
    pick = max if chords == "top" else min
    for group in groups:
        onset, end, pitch = pick(group, key=lambda note: note[2])
        onset = group[0][0]
        if found and found[-1][1] > onset:
            found[-1] = (found[-1][0], onset, found[-1][2])
        found.append((onset, end if end > onset else onset + shortest, pitch))
    return found


def _overlap(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    """Whether two notes sound together; a note without length sounds at its start."""
    return other[0] < max(one[1], one[0] + 1)


def _make_bars(song: MidiSong, end: Fraction) -> tuple[Bar, ...]:
    """Make bars up to the one in which the last note ends; a time signature starts a bar."""
    changes = sorted((Fraction(t, song.ticks), s) for t, s in song.time_signatures.items())
    found: list[Bar] = []
    for k, (start, time_signature) in enumerate(changes):
        if start >= end:
            break
        stop = min(changes[k + 1][0], end) if k + 1 < len(changes) else end
        length = _whole_bars(time_signature, stop - start) if stop == end else stop - start
        if stop == end and k + 1 < len(changes):
            length = min(length, changes[k + 1][0] - start)
        for bar in uniform_bars(length, time_signature):
            found.append(Bar(str(len(found) + 1), bar.beats, time_signature))
        check_size(len(found))
    return tuple(found)


def _whole_bars(time_signature: TimeSignature, length: Fraction) -> Fraction:
    full = bar_beats(time_signature)
    if full <= 0:
        raise InputError(f"a time signature is {time_signature[0]}/{time_signature[1]}")
    return -(-length // full) * full


@dataclass(frozen=True)
class _Way:
    """The best way to give the lyrics up to one to notes.

    Attributes:
        cost: Sum of the distances in ticks; two lyrics on one note cost more.
        note: Note of the last lyric.
        before: The way up to the lyric before.
    """

    cost: int
    note: int
    before: "_Way | None"


def _place_lyrics(
    notes: list[tuple[int, int, int]],
    lyrics: list[tuple[int, str]],
    reach: int,
    song: MidiSong,
    bars: tuple[Bar, ...],
) -> dict[int, Lyric]:
    """Give each lyric to a note nearby, in order, and if possible one to each note."""
    starts = [onset for onset, _, _ in notes]
    ways = [_Way(0, -1, None)]
    for tick, text in lyrics:
        k = bisect_right(starts, tick)
        near = range(max(0, k - 3), min(len(starts), k + 3))
        near_notes = [i for i in near if abs(starts[i] - tick) <= reach]
        if not near_notes:
            at = Fraction(tick, song.ticks)
            bar = bars[max(0, bisect_right(onsets(bars), at) - 1)].number
            raise InputError(f"bar {bar}: the lyric '{text.strip()[:20]}' is not at a note")
        following = []
        for i in near_notes:
            distance = abs(starts[i] - tick)
            options = [
                _Way(w.cost + distance + 4 * reach * (w.note == i), i, w)
                for w in ways
                if w.note <= i
            ]
            if options:
                following.append(min(options, key=lambda w: w.cost))
        ways = following or [_Way(w.cost, w.note, w) for w in ways]
    found: dict[int, list[str]] = {}
    way = min(ways, key=lambda w: w.cost)
    for _, text in reversed(lyrics):
        found.setdefault(way.note, []).insert(0, text)
        way = way.before or way
    return _clean({i: " ".join(texts) for i, texts in sorted(found.items())})


def _clean(texts: dict[int, str]) -> dict[int, Lyric]:
    """Clean lyrics; a word goes on if neither a space nor a line break separates two of them."""
    raw = list(texts.values())
    spaced = any(text.strip("\r\n/\\") != text.strip(" \r\n/\\") for text in raw)
    found: dict[int, Lyric] = {}
    for k, (i, text) in enumerate(texts.items()):
        bare = text.strip(" \r\n/\\")
        lyric = NO_LYRIC if bare in CONTINUATION_LYRICS else clean_lyric(bare)
        following = raw[k + 1] if k + 1 < len(raw) else " "
        apart = text.endswith((" ", *_LINE_BREAKS)) or following.startswith((" ", *_LINE_BREAKS))
        if spaced and not apart and lyric.text:
            lyric = lyric._replace(hyphen=True)
        found[i] = lyric
    return found


def _sing(
    notes: list[tuple[int, int, int]],
    lyrics: dict[int, Lyric],
    song: MidiSong,
    melody: Melody,
) -> Melody:
    """Append the notes to a melody, with the rests between them."""
    at = Fraction(0)
    for i, (onset, stop, pitch) in enumerate(notes):
        start, end = Fraction(onset, song.ticks), Fraction(stop, song.ticks)
        if start > at:
            if melody.notes and start - at < GAP_TOLERANCE:
                melody.lengthen(start - at)
            else:
                melody.rest(start - at)
        breath = stop in song.breaths
        melody.note(Note(end - start, float(pitch), breath=breath), lyrics.get(i, NO_LYRIC))
        at = end
    return melody
