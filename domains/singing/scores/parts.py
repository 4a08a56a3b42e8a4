"""Choosing the part of a score that is sung."""

import re
from collections.abc import Sequence

from oneleap.core.errors import InputError, suggest


def choose_part(
    parts: Sequence[tuple[str, bool, int]], wanted: int | str | None, *, hum: bool = False
) -> int:
    """Choose the part that is sung: the one that is named, else the one with the most lyrics.

    Args:
        parts: Name, whether it is percussion, and number of lyrics of each part.
        wanted: Name of a part, or its number counted from 1; ``None`` chooses by lyrics.
        hum: Whether a part without lyrics can be sung.

    Returns:
        Index of the part.

    Raises:
        InputError: If there is no such part, or no part has lyrics.
    """
    if wanted is not None:
        found = _find_part([name for name, _, _ in parts], str(wanted).strip())
        if not parts[found][2] and not hum:
            raise InputError(
                f"part {found + 1} has no lyrics: write a syllable under each note, or sing it on "
                "a vowel with --vowel a"
            )
        return found
    pitched = [k for k, (_, drums, _) in enumerate(parts) if not drums] or list(range(len(parts)))
    best = max(pitched, key=lambda k: parts[k][2])
    if parts[best][2]:
        return best
    if hum and len(pitched) == 1:
        return best
    count = f"{len(parts)} part{'s' if len(parts) != 1 else ''}"
    if hum:
        raise InputError(
            f"has no lyrics in its {count}, so name the one to sing with --part: "
            f"{list_parts([name for name, _, _ in parts])}"
        )
    raise InputError(
        f"has no lyrics in its {count}: write a syllable under each note, or sing it on a vowel "
        "with --vowel a"
    )


def _find_part(names: Sequence[str], wanted: str) -> int:
    folded = [name.casefold() for name in names]
    if wanted.casefold() in folded:
        return folded.index(wanted.casefold())
    if re.fullmatch("[0-9]{1,4}", wanted) and 1 <= int(wanted) <= len(names):
        return int(wanted) - 1
    partial = [k for k, name in enumerate(folded) if wanted and wanted.casefold() in name]
    if len(partial) == 1:
        return partial[0]
    close, known = suggest(wanted, names), list_parts(names)
    raise InputError(
        f"part '{wanted[:40]}' does not exist{close}; there are {known}: name one with --part"
    )


def list_parts(names: Sequence[str], most: int = 20) -> str:
    """List parts by number and name, in one line."""
    shown = [f"{k} ({name[:40]})" if name else str(k) for k, name in enumerate(names[:most], 1)]
    return ", ".join(shown) + (", ..." if len(names) > most else "")
