"""The folder of clips that both trainings of a clone read."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from oneleap.core.files import atomic_write
from oneleap.domains.audio.loudness import level
from oneleap.domains.audio.pitch import harvest
from oneleap.domains.audio.wave import write_wave
from oneleap.domains.speech.cloning.recordings import Clip

LUFS = -26.0
"""Loudness of the clips: that of the speech from which the shipped voices learnt."""

LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
"""Range of the pitch of speech."""


def write_dataset(clips: Sequence[Clip], folder: Path, workers: int) -> None:
    """Write clips with their texts and their pitch, in the layout of ``oneleap collect speech``.

    The table is written last, so a folder that has it is complete.

    Args:
        clips: The clips.
        folder: Folder to write.
        workers: Number of processes that estimate pitch.
    """
    jobs = [(clip, folder) for clip in clips]
    with ProcessPoolExecutor(workers) as pool:
        done = pool.map(_write, jobs, chunksize=4)
        for _ in track(done, "pitch", total=len(jobs), console=Console(stderr=True)):
            pass
    with atomic_write(folder / "metadata.csv") as path:
        rows = (f"{clip.name}|{clip.text.replace('|', ' ')}\n" for clip in clips)
        path.write_text("".join(rows), encoding="utf-8")


def _write(job: tuple[Clip, Path]) -> None:
    clip, folder = job
    wave = level(clip.wave, LUFS)
    write_wave(folder / "wavs" / f"{clip.name}.flac", wave)
    f0 = harvest(wave, LOWEST_HZ, HIGHEST_HZ).astype(np.float32)
    with atomic_write(folder / "f0" / f"{clip.name}.npy") as path:
        np.save(path, f0, allow_pickle=False)
