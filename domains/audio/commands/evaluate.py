"""``oneleap evaluate`` for vocoders: copy synthesis of the validation recordings."""

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
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.domains.audio.data.datamodule import AudioData, whole_frames
from oneleap.domains.audio.evaluation.dnsmos import dnsmos
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.losses import mel_distance
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import Wave

LONGEST_S = 9
"""Longest part of a recording that is evaluated, in seconds; DNSMOS looks at no more."""


def load_datamodule(run: Path) -> AudioData:
    """Build the data module of a run from its configuration, with the same validation split.

    Raises:
        InputError: The run has no configuration, or its data module is of another kind.
    """
    file = run / "config.yaml"
    if not file.is_file():
        raise InputError(f"{file}: no such file; it says which recordings are for validation")
    data = yaml.safe_load(file.read_text(encoding="utf-8"))["data"]
    if data["class_path"].rpartition(".")[2] != AudioData.__name__:
        raise InputError(f"{file}: its data are {data['class_path']}, not {AudioData.__name__}")
    return AudioData(**arguments(data))


def arguments(data: dict[str, Any]) -> dict[str, Any]:
    """Constructor arguments of a data module in a run's configuration; YAML has no tuples."""
    given: dict[str, Any] = data["init_args"]
    plain = {name: tuple(x) if isinstance(x, list) else x for name, x in given.items()}
    return plain | {"mel": Mel(**given["mel"])}


def evaluate(run: Path, limit: int = 50, json: Path | None = None) -> None:
    """Evaluate a vocoder by copy synthesis of its validation recordings.

    ``mel_l1`` is the mean difference of natural-log mel spectrograms. ``dnsmos`` is the predicted
    rating of listeners (extra ``eval``). ``rtf`` is the synthesis time divided by the duration.
    Griffin-Lim is evaluated for comparison.

    Example: oneleap evaluate runs/audio/vocos_speech/0

    Args:
        run: Folder of the run; the figures are written to its evaluation.json.
        limit: Largest number of recordings.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: ``run`` holds no such vocoder, or its recordings are missing.
    """
    if limit < 1:
        raise InputError(f"limit: {limit} is not positive")
    model = run if (run / "config.json").is_file() else run / "model"
    vocoder = load_pretrained(model)
    if not isinstance(vocoder, Vocos):
        raise InputError(f"{model} holds a {type(vocoder).__name__}, not a Vocos")
    spec = vocoder.spec
    long = [clip[: LONGEST_S * spec.sample_rate] for clip in load_datamodule(run).clips[1]]
    clips = [clip for clip in long if len(clip) >= spec.n_fft][:limit]
    methods = {"vocoder": vocoder.eval(), "griffin_lim": GriffinLim(spec)}
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
    Console().print(format_table(found, list(methods)))
    for path in filter(None, (run / "evaluation.json", json)):
        with replacing(path) as temporary:
            temporary.write_text(dumps(found, indent=2) + "\n", encoding="utf-8")


def format_table(found: dict[str, float], methods: list[str]) -> Table:
    """Table of the figures for the screen."""
    title = f"Copy synthesis, {found['clips']:.0f} recordings, {found['seconds']:.0f} s"
    shown = Table("", "mel L1", "DNSMOS", "real-time factor", title=title)
    shown.add_row("recordings", "0", f"{found['recordings_dnsmos']:.2f}", "")
    for name in methods:
        mel, rtf = f"{found[f'{name}_mel_l1']:.3f}", f"{found[f'{name}_rtf']:.4f}"
        shown.add_row(name.replace("_", "-"), mel, f"{found[f'{name}_dnsmos']:.2f}", rtf)
    return shown
