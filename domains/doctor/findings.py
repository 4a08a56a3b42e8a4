"""What an examination finds."""

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "note", "missing", "broken"]
"""``missing`` is something optional, ``broken`` something that oneleap needs."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What it is.
        state: Whether it is as it should be.
        text: What was found, in one line.
        mend: Commands that mend it; empty if nothing is to be done.
        values: What was found, as numbers and texts for programs, by name.
    """

    name: str
    state: State
    text: str
    mend: str = ""
    values: dict[str, Any] = field(default_factory=dict)
