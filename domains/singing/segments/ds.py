"""openvpi's ``.ds`` files: segments as JSON, their sequences as strings."""

import json
import os
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.singing.segments.pitch_names import midi_of, name_of
from oneleap.domains.singing.segments.segment import Curve, Segment

T = TypeVar("T")

CURVES = ("energy", "breathiness", "voicing", "tension")
"""Keys whose value is a curve, with ``_timestep`` beside it."""

EITHER = ("gender", "velocity")
"""Keys whose value is a number, or a curve where ``_timestep`` is beside it."""


def read_ds(path: str | os.PathLike[str]) -> tuple[Segment, ...]:
    """Segments of a ``.ds`` file.

    Raises:
        InputError: If it cannot be read, is no such file, or a segment is wrong; the line names
            file, segment and field.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InputError(f"{path} cannot be read ({reason})") from None
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
        raise InputError(f"{path}: is no JSON ({reason})") from None
    rows = found if isinstance(found, list) else [found]
    if not rows:
        raise InputError(f"{path}: holds no segments")
    segments = []
    for number, row in enumerate(rows, 1):
        try:
            segments.append(segment_of(row))
        except InputError as error:
            raise InputError(f"{path}, segment {number}: {error}") from None
    return tuple(segments)


def write_ds(path: str | os.PathLike[str], segments: Sequence[Segment]) -> None:
    """Write a ``.ds`` file; it appears whole or not at all."""
    text = json.dumps([row_of(s) for s in segments], ensure_ascii=False, indent=2)
    with replacing(Path(path)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def segment_of(row: object) -> Segment:
    """A segment of the object that stands for it.

    Raises:
        InputError: Naming the key that is wrong.
    """
    if not isinstance(row, dict):
        raise InputError(f"an object with ph_seq and others, not {type(row).__name__}")
    left = dict(row)
    if "ph_seq" not in left:
        raise InputError("ph_seq is missing")
    return Segment(
        ph_seq=tuple(_words(left, "ph_seq")),
        ph_num=_numbers(left, "ph_num", int),
        ph_dur=_numbers(left, "ph_dur", float),
        note_midi=_numbers(left, "note_seq", midi_of),
        note_dur=_numbers(left, "note_dur", float),
        note_slur=_numbers(left, "note_slur", _flag),
        offset=_number(left.pop("offset", 0.0), "offset"),
        text=str(left.pop("text", "")),
        f0=_curve(left, "f0_seq", "f0_timestep"),
        energy=_curve(left, "energy", "energy_timestep"),
        breathiness=_curve(left, "breathiness", "breathiness_timestep"),
        voicing=_curve(left, "voicing", "voicing_timestep"),
        tension=_curve(left, "tension", "tension_timestep"),
        gender=_either(left, "gender"),
        velocity=_either(left, "velocity"),
        lang=None if left.get("lang") is None else str(left.pop("lang")),
        more=left,
    )


def row_of(segment: Segment) -> dict[str, Any]:
    """The object that stands for a segment; what is empty is left out."""
    row: dict[str, Any] = {"offset": segment.offset, "text": segment.text}
    row["ph_seq"] = " ".join(segment.ph_seq)
    if segment.ph_dur:
        row["ph_dur"] = _joined(segment.ph_dur)
    if segment.ph_num:
        row["ph_num"] = " ".join(map(str, segment.ph_num))
    if segment.note_midi:
        row["note_seq"] = " ".join(map(name_of, segment.note_midi))
        row["note_dur"] = _joined(segment.note_dur)
    if segment.note_slur:
        row["note_slur"] = " ".join(str(int(slur)) for slur in segment.note_slur)
    if segment.f0 is not None:
        row["f0_seq"] = _joined(segment.f0.values.tolist())
        row["f0_timestep"] = repr(segment.f0.step_s)
    for name in (*CURVES, *EITHER):
        value = getattr(segment, name)
        if isinstance(value, Curve):
            row[name] = _joined(value.values.tolist())
            row[f"{name}_timestep"] = repr(value.step_s)
        elif value is not None:
            row[name] = value
    if segment.lang is not None:
        row["lang"] = segment.lang
    return {**row, **segment.more}


def _joined(values: Sequence[float]) -> str:
    return " ".join(repr(float(v)).removesuffix(".0") for v in values)


def _words(left: dict[str, Any], key: str) -> list[str]:
    """Words of a string, or items of a list."""
    value = left.pop(key, None)
    if value is None:
        return []
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list):
        return [str(item) for item in value]
    raise InputError(f"{key} is a string of words with spaces between, not {value!r:.40}")


def _numbers(left: dict[str, Any], key: str, kind: Callable[[str], T]) -> tuple[T, ...]:
    found = []
    for place, word in enumerate(_words(left, key), 1):
        try:
            found.append(kind(word))
        except InputError as error:
            raise InputError(f"{key}: value {place}: {error}") from None
        except ValueError:
            raise InputError(f"{key}: value {place} is '{word}', no {kind.__name__}") from None
    return tuple(found)


def _flag(word: str) -> bool:
    if word not in ("0", "1"):
        raise InputError(f"'{word}' is neither 0 nor 1")
    return word == "1"


def _number(value: object, key: str) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{key} is {value!r:.40}, no number") from None
    if not isfinite(number):
        raise InputError(f"{key} is {number}")
    return number


def _curve(left: dict[str, Any], key: str, step: str) -> Curve | None:
    if left.get(key) is None:
        return None
    if step not in left:
        raise InputError(f"{key} is there, {step} is missing: seconds between its values")
    try:
        values = np.array(_numbers(left, key, float), np.float64)
        return Curve(values, _number(left.pop(step), step))
    except InputError as error:
        named = str(error) if str(error).startswith((key, step)) else f"{key}: {error}"
        raise InputError(named) from None


def _either(left: dict[str, Any], key: str) -> Curve | float | None:
    if f"{key}_timestep" in left:
        return _curve(left, key, f"{key}_timestep")
    return None if left.get(key) is None else _number(left.pop(key), key)
