"""Copy synthesis: a vocoder and Griffin-Lim resynthesize recordings from their spectrograms."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from oneleap.core.cli.datamodule import load_datamodule
from oneleap.core.errors import InputError
from oneleap.core.training.run import ModelPath
from oneleap.domains.audio.data.datamodule import AudioData, whole_frames
from oneleap.domains.audio.data.file_samples import to_int16
from oneleap.domains.audio.data.source_filter import SourceFilterData
from oneleap.domains.audio.evaluation.dnsmos import dnsmos
from oneleap.domains.audio.mel import log_mel
from oneleap.domains.audio.pitch import estimate_f0
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.losses import mel_distance
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import Wave, find_audio_files, read_wave

LONGEST_S = 9
"""Longest part of a recording that is evaluated, in seconds; DNSMOS looks at no more."""


class Recording(NamedTuple):
    """A recording to copy.

    Attributes:
        samples: Samples at 16 bits, whole frames.
        f0: Pitch of each frame in Hz, 0 in unvoiced frames; ``None`` if the vocoder needs none.
    """

    samples: NDArray[np.int16]
    f0: NDArray[np.float64] | None


def recordings(
    path: ModelPath, vocoder: Vocos | SourceFilterVocoder, folder: Path | None, limit: int
) -> list[Recording]:
    """Recordings to evaluate a vocoder on, cut to nine seconds.

    Pitch comes with the data of the run, or Harvest estimates it.

    Args:
        path: Where the vocoder was found.
        vocoder: The vocoder.
        folder: Folder of sound files, or ``None`` for the validation recordings of the run.
        limit: Largest number of recordings.

    Returns:
        The recordings.

    Raises:
        InputError: There are no recordings, or the run has data of another kind.
    """
    spec, pitched = vocoder.spec, isinstance(vocoder, SourceFilterVocoder)
    longest = LONGEST_S * spec.sample_rate // spec.hop
    found = list[Recording]()
    if folder is None:
        if path.run is None:
            raise InputError(f"{path.model} is not in a run: name recordings with --data FOLDER")
        data = load_datamodule(path.run)
        if not isinstance(data, AudioData):
            raise InputError(f"{path.run}: its data are {type(data).__name__}, not AudioData")
        if pitched and isinstance(data, SourceFilterData):
            for row in data.recordings[1]:
                samples = to_int16(row.wave[0, : longest * spec.hop].numpy())
                found.append(Recording(samples, row.f0[0, :longest].double().numpy()))
            return found[:limit]
        clips = data.clips[1]
    else:
        waves = (read_wave(file, spec.sample_rate) for file in find_audio_files(folder)[:limit])
        clips = [to_int16(wave.samples) for wave in waves]
    for clip in clips[:limit]:
        samples = clip[: min(longest, len(clip) // spec.hop) * spec.hop]
        if len(samples) >= spec.n_fft:
            wave = Wave(samples.astype(np.float32) / 32767, spec.sample_rate)
            found.append(Recording(samples, estimate_f0(wave, spec) if pitched else None))
    return found


def copy_synthesis(
    vocoder: Vocos | SourceFilterVocoder, clips: Sequence[Recording], seed: int = 0
) -> dict[str, float]:
    """Evaluate a vocoder, and Griffin-Lim for comparison, on recordings.

    Args:
        vocoder: The vocoder.
        clips: Recordings, with pitch if the vocoder needs it.
        seed: Seed of Griffin-Lim's initial phases, and of the noise of the vocoder.

    Returns:
        Figures by name: ``METHOD_mel_l1``, ``METHOD_dnsmos`` and ``METHOD_rtf``.
    """
    spec = vocoder.spec
    methods = {"vocoder": vocoder.eval(), "griffin_lim": GriffinLim(spec, seed=seed)}
    sums = {f"{name}_{figure}": 0.0 for name in methods for figure in ("mel_l1", "dnsmos", "ms")}
    sums |= {"recordings_dnsmos": 0.0, "seconds": 0.0}
    for k, clip in enumerate(track(clips, "evaluating", console=Console(stderr=True))):
        real = whole_frames(clip.samples, spec.hop)
        sums["seconds"] += real.shape[1] / spec.sample_rate
        sums["recordings_dnsmos"] += dnsmos(Wave(real[0].numpy(), spec.sample_rate))
        for name, method in methods.items():
            with torch.inference_mode():
                mel = log_mel(real, spec)
                start = time.perf_counter()
                fake = _copy(method, mel, clip, seed=seed + k)
                sums[f"{name}_ms"] += 1e3 * (time.perf_counter() - start)
                sums[f"{name}_mel_l1"] += mel_distance(fake, real, spec).item()
            sums[f"{name}_dnsmos"] += dnsmos(Wave(fake[0].numpy(), spec.sample_rate))
    found = {"clips": float(len(clips)), "seconds": sums["seconds"]}
    found["recordings_dnsmos"] = sums["recordings_dnsmos"] / len(clips)
    for name in methods:
        found |= {f"{name}_{f}": sums[f"{name}_{f}"] / len(clips) for f in ("mel_l1", "dnsmos")}
        found[f"{name}_rtf"] = sums[f"{name}_ms"] / 1e3 / sums["seconds"]
    return found


def _copy(method: nn.Module, mel: Tensor, clip: Recording, seed: int) -> Tensor:
    """Samples that a vocoder makes of a spectrogram."""
    wave: Tensor
    if isinstance(method, SourceFilterVocoder):
        assert clip.f0 is not None
        f0 = torch.from_numpy(clip.f0).float().unsqueeze(0)
        wave = method(mel, f0, generator=torch.Generator().manual_seed(seed))
    else:
        wave = method(mel)
    return wave


def print_table(found: dict[str, float]) -> None:
    """Print the figures of :func:`copy_synthesis` as a table."""
    title = f"Copy synthesis, {found['clips']:.0f} recordings, {found['seconds']:.0f} s"
    shown = Table("", "mel L1", "DNSMOS", "real-time factor", title=title)
    shown.add_row("recordings", "0", f"{found['recordings_dnsmos']:.2f}", "")
    for name in ("vocoder", "griffin_lim"):
        mel, rtf = f"{found[f'{name}_mel_l1']:.3f}", f"{found[f'{name}_rtf']:.4f}"
        shown.add_row(name.replace("_", "-"), mel, f"{found[f'{name}_dnsmos']:.2f}", rtf)
    Console().print(shown)
