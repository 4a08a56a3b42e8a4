"""Recordings of one person, cut into clips of a sentence or two, each with its text."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from oneleap.core.errors import InputError, Notice
from oneleap.core.reading.text import read_text
from oneleap.domains.audio.pauses import cut_at_pauses
from oneleap.domains.audio.wave import SUFFIXES, Wave, find_audio_files, read_wave, trim_silence
from oneleap.domains.speech.data.ljspeech import read_ljspeech

SHORTEST_S, LONGEST_S = 0.4, 12.0
"""Length of a clip that training can use, in seconds."""

FEWEST, LEAST_S, MOST_S = 4, 20.0, 1800.0
"""Fewest clips, and least and most speech of a clone, in seconds."""

CUT_S = 8.0
"""Recordings without a text are cut at pauses into clips of at most this length, if they can be."""

FEWEST_LETTERS_S, MOST_LETTERS_S = 3.0, 30.0
"""Letters a second of a text that fits its clip."""

Transcribe = Callable[[Wave], str]


class Clip(NamedTuple):
    """A piece of a recording and its text.

    Attributes:
        name: Name of the recording, and the number of the piece.
        wave: The sound, without the silence at its ends.
        text: What is said.
    """

    name: str
    wave: Wave
    text: str


class Recording(NamedTuple):
    """A sound file, and its text if it is known."""

    path: Path
    text: str | None


def find_recordings(source: Path) -> list[Recording]:
    """List the recordings that a path means.

    Args:
        source: A sound file; a ``metadata.csv``; a folder with one; or a folder of sound files,
            beside each of which a ``.txt`` file of the same name may hold its text.

    Returns:
        The recordings, with their texts where there are any.

    Raises:
        InputError: If there is none.
    """
    source = source.expanduser()
    if source.is_file() and source.suffix.lower() in SUFFIXES:
        return [_with_text(source)]
    folder = source.parent if source.is_file() else source
    if not folder.is_dir():
        raise InputError(f"{source}: no such file or folder")
    if source.is_file() and source.name != "metadata.csv":
        raise InputError(
            f"{source}: no sound file ({', '.join(sorted(SUFFIXES))}) and no metadata.csv"
        )
    if (folder / "metadata.csv").is_file():
        return [Recording(item.path, item.text) for item in read_ljspeech(folder)]
    return [_with_text(path) for path in find_audio_files(folder)]


def _with_text(path: Path) -> Recording:
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        return Recording(path, None)
    text = " ".join(read_text(beside).split())
    return Recording(path, text or None)


def read_clips(
    recordings: Sequence[Recording], sample_rate: int, transcribe: Transcribe | None
) -> list[Clip]:
    """Read recordings as clips that training can use, with one notice on what is left out.

    Args:
        recordings: The recordings.
        sample_rate: Sample rate of the clips, in Hz.
        transcribe: Recognizer for recordings without a text, or ``None``.

    Returns:
        The clips, at most half an hour of them.

    Raises:
        InputError: If too little is left, or there is no text and no recognizer.
    """
    left_out, found, total = dict[str, list[str]](), list[Clip](), 0.0
    for clip in _pieces(recordings, sample_rate, transcribe):
        seconds, letters = clip.wave.seconds, sum(c.isalpha() for c in clip.text)
        if seconds < SHORTEST_S:
            reason = f"shorter than {SHORTEST_S:g} s"
        elif seconds > LONGEST_S:
            reason = f"longer than {LONGEST_S:g} s without a pause to cut at"
        elif not FEWEST_LETTERS_S <= letters / seconds <= MOST_LETTERS_S:
            reason = "whose text is too short or too long for the sound"
        elif total + seconds > MOST_S:
            reason = f"beyond {MOST_S / 60:g} minutes"
        else:
            found.append(clip)
            total += seconds
            continue
        left_out.setdefault(reason, []).append(clip.name)
    if left_out:
        parts = [f"{len(names)} {why} ({', '.join(names[:3])})" for why, names in left_out.items()]
        warnings.warn(f"left out: {'; '.join(parts)}", Notice, stacklevel=2)
    if len(found) < FEWEST or total < LEAST_S:
        raise InputError(
            f"{recordings[0].path.parent}: {len(found)} clips can be used, {total:.0f} s in all: "
            f"at least {FEWEST} clips and {LEAST_S:g} s are needed, 5 to 20 minutes are good"
        )
    return found


def _pieces(
    recordings: Sequence[Recording], sample_rate: int, transcribe: Transcribe | None
) -> Iterator[Clip]:
    """Yield all clips: recordings with a text whole, others in pieces that are recognized."""
    for path, text in recordings:
        wave = read_wave(path, sample_rate)
        if text is not None:
            yield Clip(path.stem, trim_silence(wave), text)
            continue
        if transcribe is None:
            raise InputError(f"{path}: has no text: add metadata.csv, or {path.stem}.txt beside it")
        pieces = cut_at_pauses(wave, CUT_S)
        for i, piece in enumerate(pieces):
            name = f"{path.stem}-{i:03d}" if len(pieces) > 1 else path.stem
            if np.abs(piece.samples).max(initial=0.0) > 0:
                yield Clip(name, trim_silence(piece), transcribe(piece))
