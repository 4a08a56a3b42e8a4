"""HTS labels of a segment: neighbours of each phoneme, pitch and length of its note."""

from typing import NamedTuple

import numpy as np

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.hts import SLUR, TICKS_S, Label
from oneleap.domains.singing.segments.pitch_names import name_of
from oneleap.domains.singing.segments.segment import BREATH, SILENCE, Segment, bound_to_words
from oneleap.domains.singing.segments.timing import note_words, phoneme_words

_SILENT = {SILENCE: "pau", BREATH: "br"}


class _Event(NamedTuple):
    """A phoneme, or its part on a slurred note."""

    name: str
    note: int
    start: float
    end: float


def labels_of(segment: Segment) -> tuple[Label, ...]:
    """A segment as labels; fields that it does not tell are ``xx``.

    A slur is Sinsy's phoneme ``xx``. :func:`hts.segment_of` reads the same segment from them.

    Raises:
        InputError: If the segment lacks durations, words or notes, or a slur begins with a phoneme
            and not within one.
    """
    bound_to_words(segment)
    if not segment.ph_dur:
        raise InputError("ph_dur is missing: labels have times")
    events = _events(segment)
    names = ["xx", "xx", *(event.name for event in events), "xx", "xx"]
    found = []
    for i, event in enumerate(events):
        around = f"{names[i]}^{names[i + 1]}-{event.name}+{names[i + 3]}={names[i + 4]}"
        pitch = segment.note_midi[event.note]
        e1 = "xx" if pitch is None else name_of(pitch)
        e7 = round(100 * segment.note_dur[event.note])
        # e18 is the note's place in its phrase, which tells two notes of one pitch apart.
        fields = f"{e1}]xx^xx=xx~xx!xx@{e7}#xx+xx]xx$xx|xx[xx&xx]xx=xx^xx~{event.note + 1}#xx"
        context = f"{'p' if pitch is None else 'v'}@{around}_xx/E:{fields}/F:xx"
        found.append(Label(round(event.start * TICKS_S), round(event.end * TICKS_S), context))
    return tuple(found)


def _events(segment: Segment) -> list[_Event]:
    words = phoneme_words(segment.ph_num)
    of_note = note_words(segment.note_slur)
    ends = np.cumsum(segment.ph_dur)
    starts = np.concatenate([[0.0], ends[:-1]])
    begins = np.concatenate([[0.0], np.cumsum(segment.note_dur)[:-1]])
    half_tick = 0.5 / TICKS_S
    found: list[_Event] = []
    placed = 0
    for i, phoneme in enumerate(segment.ph_seq):
        own = [int(n) for n in np.flatnonzero(of_note == words[i])]
        current = next(n for n in reversed(own) if n == own[0] or begins[n] < starts[i] + half_tick)
        inner = [n for n in own[1:] if starts[i] + half_tick < begins[n] < ends[i] - half_tick]
        placed += len(inner)
        cuts = [starts[i], *(begins[n] for n in inner), ends[i]]
        names = [_SILENT.get(phoneme, phoneme)] + [SLUR] * len(inner)
        for k, (name, note) in enumerate(zip(names, (current, *inner), strict=True)):
            found.append(_Event(name, note, float(cuts[k]), float(cuts[k + 1])))
    if placed != sum(segment.note_slur):
        raise InputError("note_slur: a slur begins with a phoneme, which labels cannot say")
    return found
