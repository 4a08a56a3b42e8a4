"""The form of the tab Compose, and the request for music that it stands for."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oneleap.core.errors import InputError
from oneleap.domains.studio.curve import write_curve
from oneleap.domains.studio.handling import check_range, check_upload

if TYPE_CHECKING:
    from oneleap.domains.music import CompositionRequest

NONE, DRAWN = "none", "drawn"
"""Choices of the curve beside the presets: no curve, and the one that was drawn."""

MELODY, TIMBRE, CONTINUE, GAP = (
    "follow its melody",
    "take its timbre",
    "continue it",
    "fill a gap in it",
)
"""Uses of a recording."""

SECONDS, STEPS = (2.0, 12.0), (5.0, 150.0)
"""Ranges of the duration in seconds, and of the number of optimizer steps."""

MAX_BYTES = 10 * 2**20
"""Largest size of a recording or a MIDI file."""

MAX_RECORDING_S = 30.0
"""Longest recording in seconds."""

MORE_S = 6.0
"""Seconds by which a recording is continued."""


@dataclass(frozen=True)
class Form:
    """What a user asks for.

    Attributes:
        curve: Name of a preset, :data:`NONE` or :data:`DRAWN`.
        levels: The drawn curve, see :func:`oneleap.domains.studio.curve.parse_levels`.
        seconds: Duration of the piece, unless a recording determines it.
        structure: One letter per section, or nothing.
        loop: Whether the end leads into the start.
        recording: Sound file, or ``None``.
        use: What the recording is for.
        begin: Start of the gap, seconds.
        end: End of the gap, seconds.
        midi: MIDI file of a melody, or ``None``.
    """

    curve: str = NONE
    levels: str | None = None
    seconds: float = 6.0
    structure: str | None = None
    loop: bool = False
    recording: str | None = None
    use: str = MELODY
    begin: float | None = None
    end: float | None = None
    midi: str | None = None


def read_request(form: Form, folder: Path) -> "CompositionRequest":
    """Convert a form to a request.

    Args:
        form: The form.
        folder: Folder for the table of a drawn curve.

    Returns:
        The request.

    Raises:
        InputError: If a value is out of range, a file is too large, or two cannot be combined.
    """
    from oneleap.domains.music import CompositionRequest

    check_range("seconds", form.seconds, *SECONDS)
    recording = check_upload("recording", form.recording, MAX_BYTES) if form.recording else None
    melody = check_upload("melody", form.midi, MAX_BYTES) if form.midi else None
    length = 0.0 if recording is None else _recording_seconds(recording)
    if recording is not None and form.use == MELODY:
        if melody is not None:
            raise InputError("melody: give a recording or a MIDI file, not both")
        melody = recording
    continued = recording if form.use == CONTINUE else None
    filled = recording if form.use == GAP else None
    seconds = form.seconds
    if continued is not None or filled is not None:
        seconds = length + (MORE_S if continued is not None else 0.0)
    curve = None if form.curve == NONE else form.curve
    if curve == DRAWN:
        curve = str(folder / "drawn.csv")
        write_curve(form.levels, seconds, Path(curve))
    return CompositionRequest(
        seconds=None if filled is not None else seconds,
        intensity=curve,
        melody=melody,
        structure=(form.structure or "").strip() or None,
        timbre=recording if form.use == TIMBRE else None,
        inpaint=filled,
        gap=None if filled is None else _gap(form, length),
        outpaint=continued,
        loop=form.loop,
    )


def _recording_seconds(path: Path) -> float:
    """Return the duration of a recording.

    Raises:
        InputError: If it cannot be read, or is too long.
    """
    import soundfile

    try:
        seconds = float(soundfile.info(path).duration)
    except (soundfile.SoundFileError, OSError):
        raise InputError(f"{path}: cannot be read as sound: use WAV, FLAC, OGG or MP3") from None
    if seconds > MAX_RECORDING_S:
        raise InputError(
            f"{path}: lasts {seconds:.0f} s; the studio takes up to {MAX_RECORDING_S:g} s"
        )
    return seconds


def _gap(form: Form, length: float) -> tuple[float, float]:
    """Return start and end of the gap.

    Raises:
        InputError: If one is missing, or it is not within the recording.
    """
    begin = check_range("start of the gap", form.begin, 0.0, length)
    return begin, check_range("end of the gap", form.end, begin, length)
