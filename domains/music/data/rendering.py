"""Rendering of generated tunes and of MIDI files by FluidSynth, and the table of the pieces."""

import csv
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.audio.wave import Wave
from oneleap.domains.music.data.midi import MIDI_SUFFIXES, read_midi_notes, write_midi
from oneleap.domains.music.data.tunes import Tune, compose_tune
from oneleap.domains.music.features.chroma import PITCH_CLASSES

SOUNDFONT_FOLDERS = (
    "/usr/share/sounds/sf2",
    "/usr/share/soundfonts",
    "/usr/local/share/soundfonts",
)
"""Folders that are searched for a sound font."""

COLUMNS = ("file", "tags", "seconds", "tempo", "key", "form", "sections")
"""Columns of the table."""

PEAK = 0.9
"""Peak amplitude of a rendered piece. It prevents clipping."""

TAIL_S = 1.5
"""Time in seconds that is kept after the last beat."""


class RenderJob(NamedTuple):
    """A piece to render.

    Attributes:
        midi: MIDI file.
        sound: Sound file to write.
        seconds: Maximum duration of the sound, or ``None`` for the whole.
        row: Columns of the table, without the file and its duration.
    """

    midi: Path
    sound: Path
    seconds: float | None
    row: dict[str, str]


def find_fluidsynth() -> str:
    """Return the path of FluidSynth.

    Raises:
        InputError: If it is not installed.
    """
    found = shutil.which("fluidsynth")
    if found is None:
        raise InputError(
            "fluidsynth is not installed: apt-get install fluidsynth fluid-soundfont-gm "
            "(or brew install fluid-synth, and name a --soundfont)"
        )
    return found


def find_soundfont(given: Path | None) -> Path:
    """Return the given sound font, or find one.

    Raises:
        InputError: If there is none.
    """
    if given is not None:
        if not given.is_file():
            raise InputError(f"soundfont: {given}: no such file")
        return given
    found = [path for folder in SOUNDFONT_FOLDERS for path in sorted(Path(folder).glob("*.sf[23]"))]
    if not found:
        raise InputError(
            "no sound font found: apt-get install fluid-soundfont-gm, or name a --soundfont"
        )
    return found[0]


def tune_jobs(out: Path, minutes: float, seconds: float, seed: int) -> list[RenderJob]:
    """Generate tunes, and write their scores.

    Args:
        out: Folder of the pieces.
        minutes: Total duration of the tunes in minutes.
        seconds: Approximate duration of a tune in seconds.
        seed: Seed of the tunes.

    Returns:
        One job per tune.
    """
    jobs, total, k = list[RenderJob](), 0.0, 0
    while total < 60 * minutes:
        tune = compose_tune(seed * 1_000_000 + k, seconds)
        stem = out / f"tune-{seed}-{k:05d}"
        score, sound = stem.with_suffix(".mid"), stem.with_suffix(".flac")
        if not score.is_file():
            write_midi(score, tune)
        jobs.append(RenderJob(score, sound, tune.seconds + TAIL_S, table_row(tune)))
        total += tune.seconds
        k += 1
    return jobs


def table_row(tune: Tune) -> dict[str, str]:
    """Return the columns of the table for a tune."""
    starts = zip(tune.starts, tune.form, strict=True)
    return {
        "tags": ";".join(tune.tags),
        "tempo": f"{tune.tempo:g}",
        "key": f"{PITCH_CLASSES[tune.tonic]} {tune.mode}",
        "form": tune.form,
        "sections": ";".join(f"{start:.3f}:{letter}" for start, letter in starts),
    }


def midi_jobs(out: Path, midi: Path) -> list[RenderJob]:
    """Find the MIDI files of a folder.

    Raises:
        InputError: If there are none, or one has no notes.
    """
    if not midi.is_dir():
        raise InputError(f"midi: {midi}: no such folder")
    files = sorted(path for path in midi.rglob("*") if path.suffix.lower() in MIDI_SUFFIXES)
    if not files:
        raise InputError(f"midi: {midi} holds no .mid files")
    names = ["-".join(path.relative_to(midi).with_suffix("").parts) for path in files]
    for path in files:
        read_midi_notes(path)
    return [
        RenderJob(path, out / f"{name}.flac", None, {})
        for path, name in zip(files, names, strict=True)
    ]


def render(program: str, font: Path, sample_rate: int, job: RenderJob) -> None:
    """Render a piece: average its channels, and scale it to the peak :data:`PEAK`.

    Args:
        program: Path of FluidSynth.
        font: Sound font.
        sample_rate: Sample rate in Hz.
        job: Piece to render.

    Raises:
        InputError: If FluidSynth fails or the result is silent.
    """
    import soundfile

    with tempfile.TemporaryDirectory(dir=job.sound.parent, prefix=".render-") as folder:
        raw = Path(folder) / "raw.wav"
        options = ["-n", "-i", "-q", "-R", "1", "-C", "0", "-g", "0.4", "-O", "float"]
        argv = [program, *options, "-r", str(sample_rate), "-F", str(raw), str(font)]
        done = subprocess.run([*argv, str(job.midi)], capture_output=True, text=True, check=False)
        if done.returncode != 0 or not raw.is_file():
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise InputError(f"{job.midi}: fluidsynth failed ({reason})")
        stereo, _ = soundfile.read(raw, dtype="float32", always_2d=True)
    mono = stereo.mean(axis=1)
    if job.seconds is not None:
        mono = mono[: round(job.seconds * sample_rate)]
    peak = float(np.abs(mono).max(initial=0.0))
    if peak == 0:
        raise InputError(f"{job.midi}: fluidsynth rendered silence with {font}")
    Wave(mono * np.float32(PEAK / peak), sample_rate).save(job.sound)


def write_table(path: Path, jobs: Sequence[RenderJob]) -> float:
    """Write the table of all pieces, and return their total duration in seconds."""
    import soundfile

    total = 0.0
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for job in jobs:
            length = float(soundfile.info(job.sound).duration)
            total += length
            writer.writerow({"file": job.sound.name, "seconds": f"{length:.3f}"} | job.row)
    return total
