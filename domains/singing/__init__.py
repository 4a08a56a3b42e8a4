"""Singing: scores, phonemes, durations, pitch, DiffSinger and its one-step students."""

from typing import Any


def __getattr__(name: str) -> Any:
    """``Singer``, imported when asked for: the package itself imports nothing."""
    if name == "Singer":
        from oneleap.domains.singing.voice.singer import Singer

        return Singer
    raise AttributeError(f"module {__name__} has no attribute {name}")
