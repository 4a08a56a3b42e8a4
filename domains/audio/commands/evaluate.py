"""``oneleap evaluate`` for vocoders: recordings, and what comes back from their spectrograms."""

import time
from json import dumps
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub.config import class_path
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.domains.audio.data.datamodule import Clips, whole_frames
from oneleap.domains.audio.evaluation.dnsmos import dnsmos
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.losses import mel_distance
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import Wave

LONGEST_S = 9
"""Recordings are cut here; DNSMOS hears as much."""


def set_aside(run: Path) -> Clips:
    """The data of a run, which knows what was set aside.

    Raises:
        InputError: If the run has no configuration, or one of other data.
    """
    file = run / "config.yaml"
    if not file.is_file():
        raise InputError(f"{file}: no such file; it tells which recordings were set aside")
    data = yaml.safe_load(file.read_text(encoding="utf-8"))["data"]
    if data["class_path"] != class_path(Clips):
        raise InputError(f"{file}: its data are {data['class_path']}, not a vocoder's clips")
    return Clips(**arguments(data))


def arguments(data: dict[str, Any]) -> dict[str, Any]:
    """Of a data module's constructor, as a run's configuration has them; YAML has no tuples."""
    given: dict[str, Any] = data["init_args"]
    plain = {name: tuple(x) if isinstance(x, list) else x for name, x in given.items()}
    return plain | {"mel": Mel(**given["mel"])}


def command(run: Path, most: int = 50, json: Path | None = None) -> None:
    """Copy synthesis of the recordings that were set aside in training.

    ``mel_l1`` is the mean difference of natural-log spectrograms, ``dnsmos`` a network's opinion
    of each sound (extra ``eval``), ``rtf`` the time taken over the length of the sound.
    Griffin-Lim stands beside it.

    Example: oneleap evaluate runs/audio/vocos_speech/0

    Args:
        run: Folder of the run; ``evaluation.json`` is written there.
        most: Recordings heard.
        json: Also write the figures to this file, name -> number.

    Raises:
        InputError: There is no such vocoder in ``run``, or its recordings are gone.
    """
    if most < 1:
        raise InputError(f"most: {most} is not positive")
    model = run if (run / "config.json").is_file() else run / "model"
    vocoder = load_pretrained(model)
    if not isinstance(vocoder, Vocos):
        raise InputError(f"{model} holds a {type(vocoder).__name__}, no vocoder of spectrograms")
    spec = vocoder.spec
    long = [clip[: LONGEST_S * spec.sample_rate] for clip in set_aside(run).clips[1]]
    clips = [clip for clip in long if len(clip) >= spec.n_fft][:most]
    makers = {"vocoder": vocoder.eval(), "griffin_lim": GriffinLim(spec)}
    sums = {f"{name}_{figure}": 0.0 for name in makers for figure in ("mel_l1", "dnsmos", "ms")}
    sums |= {"recordings_dnsmos": 0.0, "seconds": 0.0}
    for clip in track(clips, "listening", console=Console(stderr=True)):
        real = whole_frames(clip, spec.hop)
        sums["seconds"] += real.shape[1] / spec.sample_rate
        sums["recordings_dnsmos"] += dnsmos(Wave(real[0].numpy(), spec.sample_rate))
        for name, maker in makers.items():
            with torch.inference_mode():
                mel = log_mel(real, spec)
                start = time.perf_counter()
                fake = maker(mel)
                sums[f"{name}_ms"] += 1e3 * (time.perf_counter() - start)
                sums[f"{name}_mel_l1"] += mel_distance(fake, real, spec).item()
            sums[f"{name}_dnsmos"] += dnsmos(Wave(fake[0].numpy(), spec.sample_rate))
    found = {"clips": float(len(clips)), "seconds": sums["seconds"]}
    found["recordings_dnsmos"] = sums["recordings_dnsmos"] / len(clips)
    for name in makers:
        found |= {f"{name}_{f}": sums[f"{name}_{f}"] / len(clips) for f in ("mel_l1", "dnsmos")}
        found[f"{name}_rtf"] = sums[f"{name}_ms"] / 1e3 / sums["seconds"]
    Console().print(table(found, list(makers)))
    for path in filter(None, (run / "evaluation.json", json)):
        with replacing(path) as temporary:
            temporary.write_text(dumps(found, indent=2) + "\n", encoding="utf-8")


def table(found: dict[str, float], makers: list[str]) -> Table:
    """The figures for people."""
    title = f"Copy synthesis, {found['clips']:.0f} recordings, {found['seconds']:.0f} s"
    shown = Table("", "mel L1", "DNSMOS", "real-time factor", title=title)
    shown.add_row("recordings", "0", f"{found['recordings_dnsmos']:.2f}", "")
    for name in makers:
        mel, rtf = f"{found[f'{name}_mel_l1']:.3f}", f"{found[f'{name}_rtf']:.4f}"
        shown.add_row(name.replace("_", "-"), mel, f"{found[f'{name}_dnsmos']:.2f}", rtf)
    return shown
