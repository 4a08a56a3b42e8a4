"""Fields of a request in JSON, each checked when it is read."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from oneleap.core.errors import InputError, check_seed, suggest
from oneleap.domains.serve.errors import RequestError, invalid


def check_known(body: Mapping[str, Any], known: Collection[str]) -> None:
    """Check that a request has no unknown field.

    Raises:
        RequestError: If it has.
    """
    for name in body:
        if name not in known:
            hint = suggest(name, known)
            raise RequestError(400, f"unknown field '{name[:40]}'{hint}", name, "unknown_parameter")


def text(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Read a text.

    Args:
        body: The request.
        name: Name of the field.
        default: Value if it is missing; without one it is required.

    Raises:
        RequestError: If it is missing or no text.
    """
    value = body.get(name)
    if value is None:
        if default is None:
            raise invalid(name, "is required", "missing_required_parameter")
        return default
    if not isinstance(value, str):
        raise invalid(name, f"must be a text, not {_kind(value)}")
    return value


def number(body: Mapping[str, Any], name: str, default: float | None = None) -> float | None:
    """Read a finite number.

    Args:
        body: The request.
        name: Name of the field.
        default: Value if it is missing.

    Raises:
        RequestError: If it is no number.
    """
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(name, f"must be a number, not {_kind(value)}")
    if (isinstance(value, int) and abs(value) > 2**53) or not math.isfinite(value):
        raise invalid(name, "must be a finite number")
    return float(value)


def whole(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    """Read a whole number; ``None`` if it is missing.

    Args:
        body: The request.
        name: Name of the field.
        low: Smallest value.
        high: Largest value.

    Raises:
        RequestError: If it is none, or out of range.
    """
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(name, f"must be a whole number, not {_kind(value)}")
    if not low <= value <= high:
        raise invalid(name, f"must be from {low} to {high}")
    return value


def seed(body: Mapping[str, Any]) -> int:
    """Read the seed; 0 if it is missing.

    Raises:
        RequestError: If it is none.
    """
    value = body.get("seed", 0)
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid("seed", f"must be a whole number, not {_kind(value)}")
    try:
        check_seed(value)
    except InputError as error:
        raise RequestError(400, str(error), "seed", "invalid_value") from None
    return value


def one_of(value: str, name: str, known: Sequence[str]) -> str:
    """Check that a text is one of several.

    Args:
        value: The text.
        name: Name of the field.
        known: The texts that are accepted.

    Raises:
        RequestError: If it is another.
    """
    if value not in known:
        hint = suggest(value[:80], known)
        raise invalid(name, f"no '{value[:80]}'{hint} ({', '.join(known)})")
    return value


def _kind(value: object) -> str:
    """Say what a value of JSON is."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "a number")
