"""A segment in another key or at another tempo."""

from dataclasses import replace

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.segment import Curve, S, map_curves


def transpose(segment: S, semitones: float) -> S:
    """Move the notes and f0 of a segment by an interval.

    Args:
        segment: The segment.
        semitones: Interval; negative is down.

    Returns:
        The segment in another key.

    Raises:
        InputError: If a note leaves the range of 0 to 127.
    """
    notes = tuple(None if midi is None else midi + semitones for midi in segment.note_midi)
    f0 = segment.f0
    if f0 is not None:
        f0 = Curve(f0.values * 2 ** (semitones / 12), f0.step_s)
    return replace(segment, note_midi=notes, f0=f0)


def change_tempo(segment: S, factor: float) -> S:
    """Divide every time in a segment by a factor.

    Args:
        segment: The segment.
        factor: 2 is twice as fast.

    Returns:
        The segment at another tempo.

    Raises:
        InputError: If the factor is not positive.
    """
    if not factor > 0:
        raise InputError(f"tempo: the factor must be greater than 0, not {factor}")
    return replace(
        map_curves(segment, lambda curve: Curve(curve.values, curve.step_s / factor)),
        offset=segment.offset / factor,
        ph_dur=tuple(d / factor for d in segment.ph_dur),
        note_dur=tuple(d / factor for d in segment.note_dur),
    )
