"""Copy synthesis: a vocoder and Griffin-Lim resynthesize recordings from their spectrograms."""

import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from oneleap.core.cli.datamodule import load_datamodule
from oneleap.core.errors import InputError
from oneleap.core.training.run import ModelPath
from oneleap.domains.audio.data.datamodule import AudioData, to_int16, whole_frames
from oneleap.domains.audio.evaluation.dnsmos import dnsmos
from oneleap.domains.audio.mel import log_mel
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.losses import mel_distance
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import Wave, find_audio_files, read_wave

LONGEST_S = 9
"""Longest part of a recording that is evaluated, in seconds; DNSMOS looks at no more."""


def recordings(
    path: ModelPath, vocoder: Vocos, folder: Path | None, limit: int
) -> list[NDArray[np.int16]]:
    """Recordings to evaluate a vocoder on, cut to nine seconds.

    Args:
        path: Where the vocoder was found.
        vocoder: The vocoder.
        folder: Folder of sound files, or ``None`` for the validation recordings of the run.
        limit: Largest number of recordings.

    Returns:
        Samples at 16 bits, one array for each recording.

    Raises:
        InputError: There are no recordings, or the run has data of another kind.
    """
    spec = vocoder.spec
    if folder is not None:
        waves = (read_wave(file, spec.sample_rate) for file in find_audio_files(folder)[:limit])
        clips = [to_int16(wave.samples) for wave in waves]
    else:
        if path.run is None:
            raise InputError(f"{path.model} is not in a run: name recordings with --data FOLDER")
        data = load_datamodule(path.run)
        if not isinstance(data, AudioData):
            raise InputError(f"{path.run}: its data are {type(data).__name__}, not AudioData")
        clips = data.clips[1]
    cut = [clip[: LONGEST_S * spec.sample_rate] for clip in clips]
    return [clip for clip in cut if len(clip) >= spec.n_fft][:limit]


def copy_synthesis(
    vocoder: Vocos, clips: list[NDArray[np.int16]], seed: int = 0
) -> dict[str, float]:
    """Evaluate a vocoder, and Griffin-Lim for comparison, on recordings.

    Args:
        vocoder: The vocoder.
        clips: Recordings at 16 bits.
        seed: Seed of Griffin-Lim's initial phases.

    Returns:
        Figures by name: ``METHOD_mel_l1``, ``METHOD_dnsmos`` and ``METHOD_rtf``.
    """
    spec = vocoder.spec
    methods = {"vocoder": vocoder.eval(), "griffin_lim": GriffinLim(spec, seed=seed)}
    sums = {f"{name}_{figure}": 0.0 for name in methods for figure in ("mel_l1", "dnsmos", "ms")}
    sums |= {"recordings_dnsmos": 0.0, "seconds": 0.0}
    for clip in track(clips, "evaluating", console=Console(stderr=True)):
        real = whole_frames(clip, spec.hop)
        sums["seconds"] += real.shape[1] / spec.sample_rate
        sums["recordings_dnsmos"] += dnsmos(Wave(real[0].numpy(), spec.sample_rate))
        for name, method in methods.items():
            with torch.inference_mode():
                mel = log_mel(real, spec)
                start = time.perf_counter()
                fake = method(mel)
                sums[f"{name}_ms"] += 1e3 * (time.perf_counter() - start)
                sums[f"{name}_mel_l1"] += mel_distance(fake, real, spec).item()
            sums[f"{name}_dnsmos"] += dnsmos(Wave(fake[0].numpy(), spec.sample_rate))
    found = {"clips": float(len(clips)), "seconds": sums["seconds"]}
    found["recordings_dnsmos"] = sums["recordings_dnsmos"] / len(clips)
    for name in methods:
        found |= {f"{name}_{f}": sums[f"{name}_{f}"] / len(clips) for f in ("mel_l1", "dnsmos")}
        found[f"{name}_rtf"] = sums[f"{name}_ms"] / 1e3 / sums["seconds"]
    return found


def print_table(found: dict[str, float]) -> None:
    """Print the figures of :func:`copy_synthesis` as a table."""
    title = f"Copy synthesis, {found['clips']:.0f} recordings, {found['seconds']:.0f} s"
    shown = Table("", "mel L1", "DNSMOS", "real-time factor", title=title)
    shown.add_row("recordings", "0", f"{found['recordings_dnsmos']:.2f}", "")
    for name in ("vocoder", "griffin_lim"):
        mel, rtf = f"{found[f'{name}_mel_l1']:.3f}", f"{found[f'{name}_rtf']:.4f}"
        shown.add_row(name.replace("_", "-"), mel, f"{found[f'{name}_dnsmos']:.2f}", rtf)
    Console().print(shown)
