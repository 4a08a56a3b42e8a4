"""Speech: text to a voice, in one network call."""

from typing import Any


def __getattr__(name: str) -> Any:
    """``Voice``, imported when asked for: the package itself imports nothing."""
    if name == "Voice":
        from oneleap.domains.speech.voice.voice import Voice

        return Voice
    raise AttributeError(f"module {__name__} has no attribute {name}")
