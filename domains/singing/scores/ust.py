"""Reading UTAU's and OpenUtau's projects (``.ust`` and ``.ustx``) as scores."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import Any

from oneleap.core.errors import InputError
from oneleap.domains.singing.lyrics.punctuation import clean_lyric
from oneleap.domains.singing.scores.melody import HUM, NO_LYRIC, Melody
from oneleap.domains.singing.scores.parts import choose_part
from oneleap.domains.singing.scores.score import (
    CONTINUATION_LYRICS,
    DEFAULT_TEMPO,
    Note,
    Score,
    TimeSignature,
    bar_beats,
    check_size,
    uniform_bars,
)
from oneleap.domains.singing.segments.text import read_text

TICKS = 480
"""Ticks of a quarter note in both formats."""

MAX_TICKS = 10**8
"""Largest time in a project."""

_RESTS = ("R", "r", "pau", "sil", "SP", "")
_HINT = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class _Event:
    """A note of a project.

    Attributes:
        number: Number of the note in the file, counted from 1.
        start: Start in ticks.
        end: End in ticks.
        midi: Pitch in semitones.
        lyric: Lyric as in the file.
    """

    number: int
    start: int
    end: int
    midi: int
    lyric: str


def read_ust(path: str | os.PathLike[str], *, vowel: str | None = None) -> Score:
    """Read a project of UTAU.

    Args:
        path: The file, in UTF-8 or Shift-JIS.
        vowel: Lyric of notes that have none and continue no syllable.

    Returns:
        The score, in bars of 4/4, which the format does not store.

    Raises:
        InputError: If the file is not a project or has no notes. The message names the note.
    """
    text = read_text(path, ("utf-8-sig", "cp932"))
    try:
        events, tempos, title = list[_Event](), {0: DEFAULT_TEMPO}, ""
        tick = number = 0
        for section, values in _ust_sections(text):
            if "Tempo" in values:
                tempos[tick] = _tempo(values["Tempo"], f"section [{section}]")
            title = values.get("ProjectName", title)
            if not re.fullmatch("#[0-9]{1,9}", section):
                continue
            number += 1
            where = f"note {number}"
            length = _whole(values.get("Length"), f"{where}: Length")
            lyric = values.get("Lyric", "")
            if lyric not in _RESTS and length:
                midi = _whole(values.get("NoteNum"), f"{where}: NoteNum", 127)
                events.append(_Event(number, tick, tick + length, midi, lyric))
            tick += length
        if not number:
            raise InputError("is not a project of UTAU: it has no section [#0000]")
        return _make_score(events, tempos, (4, 4), title, "", vowel)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _ust_sections(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the sections of a project with their keys."""
    section, values = "", dict[str, str]()
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            if section:
                yield section, values
            section, values = line[1:-1], {}
        elif "=" in line:
            key, _, value = line.partition("=")
            values[key.strip()] = value.strip()
    if section:
        yield section, values


def read_ustx(
    path: str | os.PathLike[str], *, part: int | str | None = None, vowel: str | None = None
) -> Score:
    """Read a project of OpenUtau.

    Args:
        path: The file.
        part: Name or number of the part to sing, counted from 1; by default the longest.
        vowel: Lyric of notes that have none and continue no syllable.

    Returns:
        The score, in bars of the first time signature.

    Raises:
        InputError: If the file is not a project or has no notes. The message names the note.
    """
    import yaml

    text = read_text(path)
    try:
        if len(text) > 2 * 2**20:
            raise InputError("no project has more than 2 MiB")
        if re.search(r"(?m)[:\-]\s+[&*]\w", text):
            raise InputError("has anchors, which a project does not need")
        project = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return _convert_project(project, part, vowel)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise InputError(f"{path}: {error}") from None
        reason = " ".join(str(error).split())[:100] or "nested too deeply"
        raise InputError(f"{path} is not a project of OpenUtau ({reason})") from None


def _convert_project(project: object, part: int | str | None, vowel: str | None) -> Score:
    if not isinstance(project, dict) or not isinstance(project.get("voice_parts"), list):
        raise InputError("is not a project of OpenUtau: it has no voice_parts")
    parts = [p for p in project["voice_parts"] if isinstance(p, dict)]
    notes = [[n for n in _items(p, "notes") if isinstance(n, dict)] for p in parts]
    names = [(str(p.get("name") or ""), False, len(n)) for p, n in zip(parts, notes, strict=True)]
    if not any(count for _, _, count in names):
        raise InputError("has no notes")
    chosen = choose_part(names, part)
    offset = _whole(parts[chosen].get("position", 0), f"part {chosen + 1}: position")
    events = []
    for number, note in enumerate(notes[chosen], 1):
        where = f"note {number}"
        start = offset + _whole(note.get("position"), f"{where}: position")
        length = _whole(note.get("duration"), f"{where}: duration")
        midi = _whole(note.get("tone"), f"{where}: tone", 127)
        lyric = _HINT.sub("", str(note.get("lyric", "")))
        if lyric.strip() not in _RESTS and length:
            events.append(_Event(number, start, start + length, midi, lyric))
    tempos = {0: _tempo(project.get("bpm", DEFAULT_TEMPO), "bpm")}
    for row in _items(project, "tempos"):
        if isinstance(row, dict):
            tempos[_whole(row.get("position"), "tempos: position")] = _tempo(
                row.get("bpm"), "tempos"
            )
    beats, unit = project.get("beat_per_bar", 4), project.get("beat_unit", 4)
    for row in _items(project, "time_signatures")[:1]:
        if isinstance(row, dict):
            beats, unit = row.get("beat_per_bar", beats), row.get("beat_unit", unit)
    signature = _whole(beats, "beat_per_bar", 64) or 4, _whole(unit, "beat_unit", 64) or 4
    title = str(project.get("name") or "")
    return _make_score(events, tempos, signature, title, names[chosen][0], vowel)


def _items(row: dict[Any, Any], key: str) -> list[Any]:
    found = row.get(key)
    return found if isinstance(found, list) else []


def _whole(value: object, what: str, most: int = MAX_TICKS) -> int:
    """Parse a whole number of at least 0."""
    shown = str(value).strip()[:40]
    if not re.fullmatch(r"[0-9]{1,9}(?:\.0+)?", shown) or int(float(shown)) > most:
        raise InputError(f"{what} is '{shown[:20]}', not a whole number from 0 to {most}")
    return int(float(shown))


def _tempo(value: object, what: str) -> float:
    try:
        tempo = float(str(value).strip()[:40].replace(",", "."))
    except ValueError:
        tempo = 0.0
    if not (isfinite(tempo) and 1 <= tempo <= 10_000):
        raise InputError(f"{what}: the tempo is '{str(value)[:20]}', not a number from 1 to 10000")
    return tempo


def _make_score(
    events: Sequence[_Event],
    tempos: dict[int, float],
    time_signature: TimeSignature,
    title: str,
    part: str,
    vowel: str | None,
) -> Score:
    """Make a score of notes; a note ends where the next one starts."""
    if not events:
        raise InputError("has no notes with a lyric")
    melody, at = Melody(vowel or HUM), 0
    events = sorted(events, key=lambda e: e.start)
    for event, following in zip(events, [*events[1:], None], strict=True):
        end = min(event.end, following.start) if following else event.end
        if end <= event.start:
            raise InputError(f"note {event.number}: starts together with another: delete one")
        if event.start > at:
            melody.rest(Fraction(event.start - at, TICKS))
        bare = event.lyric.strip().split(" ")[-1]  # "a ka" is ka after the vowel a
        held = bare in CONTINUATION_LYRICS or bare.startswith("+")
        lyric = NO_LYRIC if held else clean_lyric(bare)
        melody.note(Note(Fraction(end - event.start, TICKS), float(event.midi)), lyric)
        at = end
    full = bar_beats(time_signature)
    length = Fraction(at, TICKS)
    bars = -(-length // full)
    check_size(int(bars))
    if bars * full > length:
        melody.rest(bars * full - length)
    changes = tuple((Fraction(t, TICKS), tempo) for t, tempo in sorted(tempos.items()))
    return Score(
        tuple(melody.notes), uniform_bars(bars * full, time_signature), changes, title, part
    )
