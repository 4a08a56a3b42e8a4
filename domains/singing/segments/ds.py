"""openvpi's ``.ds`` files: segments as JSON objects whose sequences are strings."""

import json
import os
import re
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.singing.segments.pitch import midi_to_name, name_to_midi
from oneleap.domains.singing.segments.segment import Curve, Segment
from oneleap.domains.singing.segments.text import read_text

T = TypeVar("T")

CURVE_KEYS = ("energy", "breathiness", "voicing", "tension", "dynamics")
"""Keys whose value is a curve; ``KEY_timestep`` gives its time step."""

CURVE_OR_NUMBER_KEYS = ("gender", "velocity")
"""Keys whose value is a number, or a curve if ``KEY_timestep`` is present."""


def read_ds(path: str | os.PathLike[str]) -> tuple[Segment, ...]:
    """Read the segments of a ``.ds`` file.

    Raises:
        InputError: If the file cannot be read, is not a ``.ds`` file, or a segment is invalid. The
            message names the file, the segment and the field.
    """
    text = read_text(path)
    try:
        found = json.loads(text)
    except RecursionError:
        raise InputError(f"{path} is not valid JSON (nested too deeply)") from None
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
        raise InputError(f"{path} is not valid JSON ({reason})") from None
    rows = found if isinstance(found, list) else [found]
    if not rows:
        raise InputError(f"{path} contains no segments")
    segments = []
    for number, row in enumerate(rows, 1):
        try:
            segments.append(ds_to_segment(row))
        except InputError as error:
            raise InputError(f"{path}, segment {number}: {error}") from None
    return tuple(segments)


def write_ds(path: str | os.PathLike[str], segments: Sequence[Segment]) -> None:
    """Write segments to a ``.ds`` file, completely or not at all."""
    text = json.dumps([segment_to_ds(s) for s in segments], ensure_ascii=False, indent=2)
    with atomic_write(Path(path)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def ds_to_segment(row: object) -> Segment:
    """Convert a JSON object of a ``.ds`` file to a segment.

    Raises:
        InputError: If a key is missing or invalid; the message names it.
    """
    if not isinstance(row, dict):
        raise InputError(f"must be an object with ph_seq and other keys, not {type(row).__name__}")
    left = dict(row)
    if "ph_seq" not in left:
        raise InputError("ph_seq is missing")
    return Segment(
        ph_seq=tuple(_pop_words(left, "ph_seq")),
        ph_num=_pop_values(left, "ph_num", _count),
        ph_dur=_pop_values(left, "ph_dur", float),
        note_midi=_pop_values(left, "note_seq", name_to_midi),
        note_dur=_pop_values(left, "note_dur", float),
        note_slur=_pop_values(left, "note_slur", _flag),
        offset=_number(left.pop("offset", 0.0), "offset"),
        text=str(left.pop("text", "")),
        f0=_pop_curve(left, "f0_seq", "f0_timestep"),
        energy=_pop_curve(left, "energy", "energy_timestep"),
        breathiness=_pop_curve(left, "breathiness", "breathiness_timestep"),
        voicing=_pop_curve(left, "voicing", "voicing_timestep"),
        tension=_pop_curve(left, "tension", "tension_timestep"),
        dynamics=_pop_curve(left, "dynamics", "dynamics_timestep"),
        gender=_pop_curve_or_number(left, "gender"),
        velocity=_pop_curve_or_number(left, "velocity"),
        lang=None if left.get("lang") is None else str(left.pop("lang")),
        extra=left,
    )


def segment_to_ds(segment: Segment) -> dict[str, Any]:
    """Convert a segment to a JSON object of a ``.ds`` file, without the keys that are empty."""
    row: dict[str, Any] = {"offset": segment.offset, "text": segment.text}
    row["ph_seq"] = " ".join(segment.ph_seq)
    if segment.ph_dur:
        row["ph_dur"] = _join(segment.ph_dur)
    if segment.ph_num:
        row["ph_num"] = " ".join(map(str, segment.ph_num))
    if segment.note_midi:
        row["note_seq"] = " ".join(map(midi_to_name, segment.note_midi))
        row["note_dur"] = _join(segment.note_dur)
    if segment.note_slur:
        row["note_slur"] = " ".join(str(int(slur)) for slur in segment.note_slur)
    if segment.f0 is not None:
        row["f0_seq"] = _join(segment.f0.values.tolist())
        row["f0_timestep"] = repr(segment.f0.step_s)
    for key in (*CURVE_KEYS, *CURVE_OR_NUMBER_KEYS):
        value = getattr(segment, key)
        if isinstance(value, Curve):
            row[key] = _join(value.values.tolist())
            row[f"{key}_timestep"] = repr(value.step_s)
        elif value is not None:
            row[key] = value
    if segment.lang is not None:
        row["lang"] = segment.lang
    return {**row, **segment.extra}


def _join(values: Sequence[float]) -> str:
    return " ".join(repr(float(v)).removesuffix(".0") for v in values)


def _pop_words(left: dict[str, Any], key: str) -> list[str]:
    """Remove a key and return the words of its string, or the items of its list."""
    value = left.pop(key, None)
    if value is None:
        return []
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list):
        return [str(item) for item in value]
    raise InputError(f"{key} must be a string of words separated by spaces, not {value!r:.40}")


def _pop_values(left: dict[str, Any], key: str, convert: Callable[[str], T]) -> tuple[T, ...]:
    found = []
    for position, word in enumerate(_pop_words(left, key), 1):
        try:
            found.append(convert(word))
        except InputError as error:
            raise InputError(f"{key}: value {position}: {error}") from None
        except ValueError:
            kind = convert.__name__
            raise InputError(
                f"{key}: value {position} is '{word[:40]}', not a valid {kind}"
            ) from None
    return tuple(found)


def _flag(word: str) -> bool:
    if word not in ("0", "1"):
        raise InputError(f"'{word[:40]}' is neither 0 nor 1")
    return word == "1"


def _count(word: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", word):
        raise InputError(f"'{word[:40]}' is not a number of phonemes")
    return int(word)


def _number(value: object, key: str) -> float:
    try:
        number = float(value) if isinstance(value, (int, float, str)) else None
    except (ValueError, OverflowError):
        number = None
    if number is None:
        raise InputError(f"{key} is {value!r:.40}, which is not a number")
    if not isfinite(number):
        raise InputError(f"{key} is {number}, which is not a finite number")
    return number


def _pop_curve(left: dict[str, Any], key: str, step_key: str) -> Curve | None:
    if left.get(key) is None:
        return None
    if step_key not in left:
        raise InputError(f"{key} needs {step_key}, the seconds between two of its values")
    try:
        values = np.array(_pop_values(left, key, float), np.float64)
        return Curve(values, _number(left.pop(step_key), step_key))
    except InputError as error:
        message = str(error) if str(error).startswith((key, step_key)) else f"{key}: {error}"
        raise InputError(message) from None


def _pop_curve_or_number(left: dict[str, Any], key: str) -> Curve | float | None:
    if f"{key}_timestep" in left:
        return _pop_curve(left, key, f"{key}_timestep")
    return None if left.get(key) is None else _number(left.pop(key), key)
