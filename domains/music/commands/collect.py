"""``oneleap collect music``: render generated tunes, or MIDI files, by FluidSynth."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from oneleap.core.errors import InputError


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
    """Render music by FluidSynth whose melody, form and dynamics are known.

    Each piece has a score (.mid) and a sound (.flac). The file metadata.csv holds tags, tempo,
    key, form, and the starts of the sections. The command continues where it stopped.

    Example: oneleap collect music data/tunes --minutes 40

    Args:
        out: Folder of the pieces.
        minutes: Total duration of the music in minutes.
        seconds: Approximate duration of a tune in seconds.
        midi: Folder of MIDI files to render instead of generated tunes.
        soundfont: Sound font (.sf2); the default is one that is installed.
        sample_rate: Sample rate in Hz.
        workers: Number of parallel processes.
        seed: Seed of the tunes.

    Raises:
        InputError: If FluidSynth or a sound font is missing, or there is nothing to render.
    """
    if minutes <= 0 or seconds < 1 or workers < 1 or sample_rate < 8000:
        raise InputError(
            "minutes must be positive, seconds and workers at least 1, sample_rate at least 8000: "
            f"got {minutes:g}, {seconds:g}, {workers}, {sample_rate}"
        )
    from rich.console import Console
    from rich.progress import Progress

    from oneleap.domains.music.data.rendering import (
        find_fluidsynth,
        find_soundfont,
        midi_jobs,
        render,
        tune_jobs,
        write_table,
    )
    from oneleap.domains.music.data.tags import METADATA_FILE

    program, font = find_fluidsynth(), find_soundfont(soundfont)
    out.mkdir(parents=True, exist_ok=True)
    jobs = tune_jobs(out, minutes, seconds, seed) if midi is None else midi_jobs(out, midi)
    missing = [job for job in jobs if not job.sound.is_file()]
    with ThreadPoolExecutor(workers) as pool, Progress(console=Console(stderr=True)) as progress:
        work = pool.map(partial(render, program, font, sample_rate), missing)
        for _ in progress.track(work, total=len(missing), description="rendering"):
            pass
    total = write_table(out / METADATA_FILE, jobs)
    print(f"{out}: {len(jobs)} pieces, {total / 60:.1f} minutes, {len(missing)} of them new")
