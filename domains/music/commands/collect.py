"""``oneleap collect music``: tunes rendered by FluidSynth, beside their scores."""

import csv
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.audio.wave import Wave
from oneleap.domains.music.data.midi import read_notes, write_midi
from oneleap.domains.music.data.tunes import SCALES, Tune, compose_tune

SOUNDFONTS = ("/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/local/share/soundfonts")
"""Folders that are looked through."""

TABLE = "metadata.csv"
COLUMNS = ("file", "tags", "seconds", "tempo", "key", "form", "sections")

PEAK = 0.9
"""Each piece is brought to this peak, so that loud ones are not clipped."""

TAIL_S = 1.5
"""Seconds kept after the last beat."""

KEYS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


class Piece(NamedTuple):
    """What is to be rendered.

    Attributes:
        midi: Its score.
        sound: The file to make.
        seconds: How long the sound is to be; ``None`` is as long as it gets.
        row: Of the table, but for the file's name and length.
    """

    midi: Path
    sound: Path
    seconds: float | None
    row: dict[str, str]


def music(
    out: Path,
    minutes: float = 40.0,
    seconds: float = 30.0,
    midi: Path | None = None,
    soundfont: Path | None = None,
    sample_rate: int = 44_100,
    workers: int = 2,
    seed: int = 0,
) -> None:
    """Render music of known melody, form and dynamics by FluidSynth; it continues where it stopped.

    Each piece has a score (.mid) beside its sound (.flac); metadata.csv holds tags, tempo, key,
    form and the sections' beginnings.

    Example: oneleap collect music data/tunes --minutes 40

    Args:
        out: Folder of the pieces.
        minutes: How much music; tunes are made until it is reached.
        seconds: Length of a tune, about.
        midi: Render the scores in this folder instead of tunes made up.
        soundfont: An .sf2 file; by default one that the system has.
        sample_rate: Hz.
        workers: Processes at once.
        seed: Of the tunes.

    Raises:
        InputError: If FluidSynth or a sound font is missing, or there is nothing to render.
    """
    if minutes <= 0 or seconds < 1 or workers < 1 or sample_rate < 8000:
        raise InputError(
            "minutes above 0, seconds from 1, workers from 1, sample_rate from 8000: not "
            f"{minutes:g}, {seconds:g}, {workers}, {sample_rate}"
        )
    program, font = _fluidsynth(), _font(soundfont)
    out.mkdir(parents=True, exist_ok=True)
    pieces = _tunes(out, minutes, seconds, seed) if midi is None else _scores(out, midi)
    missing = [piece for piece in pieces if not piece.sound.is_file()]
    with ThreadPoolExecutor(workers) as pool, Progress(console=Console(stderr=True)) as progress:
        work = pool.map(partial(render, program, font, sample_rate), missing)
        for _ in progress.track(work, total=len(missing), description="rendering"):
            pass
    total = _table(out / TABLE, pieces)
    print(f"{out}: {len(pieces)} pieces, {total / 60:.1f} minutes, {len(missing)} of them new")


def _fluidsynth() -> str:
    found = shutil.which("fluidsynth")
    if found is None:
        raise InputError(
            "fluidsynth is not installed: apt-get install fluidsynth fluid-soundfont-gm "
            "(or brew install fluid-synth, and name a --soundfont)"
        )
    return found


def _font(given: Path | None) -> Path:
    if given is not None:
        if not given.is_file():
            raise InputError(f"soundfont: {given}: no such file")
        return given
    found = [path for folder in SOUNDFONTS for path in sorted(Path(folder).glob("*.sf[23]"))]
    if not found:
        raise InputError(
            "no sound font found: apt-get install fluid-soundfont-gm, or name a --soundfont"
        )
    return found[0]


def _tunes(out: Path, minutes: float, seconds: float, seed: int) -> list[Piece]:
    """Make up tunes until there is enough music, and write their scores."""
    pieces, total, k = list[Piece](), 0.0, 0
    while total < 60 * minutes:
        tune = compose_tune(seed * 1_000_000 + k, seconds)
        stem = out / f"tune-{seed}-{k:05d}"
        if not stem.with_suffix(".mid").is_file():
            write_midi(stem.with_suffix(".mid"), tune)
        sound = stem.with_suffix(".flac")
        pieces.append(Piece(stem.with_suffix(".mid"), sound, tune.seconds + TAIL_S, row_of(tune)))
        total += tune.seconds
        k += 1
    return pieces


def row_of(tune: Tune) -> dict[str, str]:
    """What is known of a tune, as the table has it."""
    assert tune.mode in SCALES
    starts = zip(tune.starts, tune.form, strict=True)
    return {
        "tags": ";".join(tune.tags),
        "tempo": f"{tune.tempo:g}",
        "key": f"{KEYS[tune.tonic]} {tune.mode}",
        "form": tune.form,
        "sections": ";".join(f"{start:.3f}:{letter}" for start, letter in starts),
    }


def _scores(out: Path, midi: Path) -> list[Piece]:
    """The scores of a folder; they stay where they are.

    Raises:
        InputError: If there are none, or one has no notes.
    """
    if not midi.is_dir():
        raise InputError(f"midi: {midi}: no such folder")
    files = sorted(path for path in midi.rglob("*") if path.suffix.lower() in (".mid", ".midi"))
    if not files:
        raise InputError(f"midi: {midi} holds no .mid files")
    names = ["-".join(path.relative_to(midi).with_suffix("").parts) for path in files]
    for path in files:
        read_notes(path)
    return [
        Piece(path, out / f"{name}.flac", None, {}) for path, name in zip(files, names, strict=True)
    ]


def render(program: str, font: Path, sample_rate: int, piece: Piece) -> None:
    """Make the sound of one piece, its channels averaged, its peak at a fixed level.

    Raises:
        InputError: If FluidSynth fails, or makes no sound.
    """
    import soundfile

    with tempfile.TemporaryDirectory(dir=piece.sound.parent, prefix=".render-") as folder:
        raw = Path(folder) / "raw.wav"
        options = ["-n", "-i", "-q", "-R", "1", "-C", "0", "-g", "0.4", "-O", "float"]
        words = [program, *options, "-r", str(sample_rate), "-F", str(raw), str(font)]
        done = subprocess.run(
            [*words, str(piece.midi)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0 or not raw.is_file():
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise InputError(f"{piece.midi}: fluidsynth failed ({reason})")
        stereo, _ = soundfile.read(raw, dtype="float32", always_2d=True)
    mono = stereo.mean(axis=1)
    if piece.seconds is not None:
        mono = mono[: round(piece.seconds * sample_rate)]
    peak = float(np.abs(mono).max(initial=0.0))
    if peak == 0:
        raise InputError(f"{piece.midi}: fluidsynth made no sound of it with {font}")
    Wave(mono * np.float32(PEAK / peak), sample_rate).save(piece.sound)


def _table(path: Path, pieces: Sequence[Piece]) -> float:
    """Write what is known of all pieces; returns their seconds together."""
    import soundfile

    total = 0.0
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for piece in pieces:
            length = float(soundfile.info(piece.sound).duration)
            total += length
            seconds = f"{length:.3f}"
            writer.writerow({"file": piece.sound.name, "seconds": seconds} | piece.row)
    return total
