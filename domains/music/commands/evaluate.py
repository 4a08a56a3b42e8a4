"""``oneleap evaluate`` of a composer: DITTO-2 against DITTO, control by control."""

import json as json_format
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.audio.mel import log_mel
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import find_audio_files, read_wave
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.controls.musicnn import Tagger
from oneleap.domains.music.controls.tagging import Tags
from oneleap.domains.music.evaluation.frechet import embed, frechet, gaussian
from oneleap.domains.music.evaluation.runner import METHODS, Judge, Row, append_row, open_rows
from oneleap.domains.music.evaluation.trials import HEARD, Trial, trials


def command(
    run: Path,
    music: Path,
    tagger: Path | None = None,
    controls: tuple[str, ...] = ("intensity", "melody", "structure", "inpaint"),
    methods: tuple[str, ...] = METHODS,
    targets: int = 20,
    ditto_targets: int | None = None,
    seeds: int = 3,
    seconds: float = 6.0,
    lr: float = 0.02,
    steps: int | None = None,
    tags: tuple[str, ...] = (),
    seed: int = 0,
    rows: Path | None = None,
    json: Path | None = None,
) -> None:
    """Measure control: DITTO-2 against DITTO with the same base model, and against no control.

    ``error`` is each control's own figure (intensity dB^2, melody accuracy, structure MSE,
    inpainting MSE, the probability of a tag that musicnn is to hear), of the spectrogram, and
    ``heard`` the same of the sound after the vocoder. ``frechet`` is the squared Frechet distance
    of musicnn embeddings to held-out music, with that between two sets of real music of the same
    sizes beside it: what is left of the bias. ``seconds`` is the time of a clip, several seeds at
    once.

    Example: oneleap evaluate composers/mine held-out --tagger musicnn_mtt.npz

    Args:
        run: Folder of a composer.
        music: Folder of music that training has not seen.
        tagger: File of musicnn's weights; without it there are no Frechet distances.
        controls: Which controls; tags takes a tagger and a trained vocoder.
        methods: Which methods; free is no control.
        targets: Targets of each control.
        ditto_targets: Fewer for DITTO, which is slow; its figures are of the first ones.
        seeds: Clips for each target.
        seconds: Length of a clip.
        lr: Learning rate of both methods.
        steps: Of the optimiser, by default 70, and 150 for melody and structure.
        tags: Conditions of the composer.
        seed: Of targets and noise.
        rows: File that each finished target is appended to; what it holds, of the same settings, is
            not computed again.
        json: Also write the figures to this file.

    Raises:
        InputError: If there is no such composer, or too little music.
    """
    if targets < 1 or seeds < 1:
        raise InputError(f"targets and seeds are positive, not {targets} and {seeds}")
    if seed < 0:
        raise InputError(f"seed: {seed} is negative")
    for method in methods:
        if method not in METHODS:
            raise InputError(f"methods: no '{method}' ({', '.join(METHODS)})")
    composer = Composer.load(run)
    ear = None if tagger is None else Tagger.load(tagger)
    clips, reference = held_out(composer, music, targets, seconds, ear, seed)
    judge = Judge(composer, ear, seeds, seconds, lr, steps, tags, seed)
    given = {"composer": str(run), "music": str(music), "tagger": str(tagger), "targets": targets}
    done = open_rows(rows, given | judge.settings)
    jobs = [
        (name, method, k, trial)
        for name in controls
        for k, trial in enumerate(targets_of(name, composer, clips, ear, seed))
        for method in methods
        if method != "ditto" or k < (targets if ditto_targets is None else ditto_targets)
    ]
    with Progress(console=Console(stderr=True)) as bar:
        for name, method, k, trial in bar.track(jobs, description="evaluating"):
            if (name, method, k) not in done:
                done[name, method, k] = judge(name, method, k, trial)
                append_row(rows, done[name, method, k])
    wanted = [done[name, method, k] for name, method, k, _ in jobs]
    found = figures(wanted, reference)
    Console().print(table(wanted, found))
    if json is not None:
        with replacing(json) as temporary:
            temporary.write_text(json_format.dumps(found, indent=2) + "\n", encoding="utf-8")


def targets_of(
    name: str,
    composer: Composer,
    clips: Sequence[Float[Tensor, "1 mels n"]],
    ear: Tagger | None,
    seed: int,
) -> list[Trial]:
    """A target of a control for each clip.

    Raises:
        InputError: If there is no such control, or nobody can hear tags.
    """
    mel = composer.spec.mel
    if name != "tags":
        return trials(name, mel, clips[0].shape[2], clips, seed)
    if ear is None or not isinstance(composer.vocoder, Vocos):
        raise InputError("controls: tags takes a --tagger, and a composer with a trained vocoder")
    words = (HEARD[k % len(HEARD)] for k in range(len(clips)))
    return [Trial(Tags(ear, composer.vocode, mel.sample_rate, (word,))) for word in words]


@dataclass(frozen=True, eq=False)
class Reference:
    """Embeddings of real music.

    Attributes:
        music: Of the clips that targets are taken from, and more.
        other: Of as many others.
    """

    music: Float[Tensor, "n 200"]
    other: Float[Tensor, "m 200"]


@torch.no_grad()
def held_out(
    composer: Composer, folder: Path, count: int, seconds: float, ear: Tagger | None, seed: int
) -> tuple[list[Float[Tensor, "1 mels n"]], Reference | None]:
    """Clips of a folder's music that nothing repeats, and what musicnn makes of all of it.

    Raises:
        InputError: If there are fewer clips than asked for.
    """
    mel, n = composer.spec.mel, composer.frames(seconds)
    length, clips = n * composer.spec.mel.hop, list[Tensor]()
    for file in find_audio_files(folder):
        samples = torch.from_numpy(read_wave(file, mel.sample_rate).samples)
        whole = samples[: len(samples) // length * length].reshape(-1, 1, length)
        clips += [clip for clip in whole if clip.square().mean() > 1e-5]
    if len(clips) < count:
        raise InputError(
            f"{folder} holds {len(clips)} clips of {seconds:g} s: {count} targets take as many"
        )
    order = np.random.default_rng(seed).permutation(len(clips))
    waves = [clips[k] for k in order]
    chosen = [log_mel(wave, mel) for wave in waves[:count]]
    if ear is None:
        return chosen, None
    seen = [embed(ear, [wave], mel.sample_rate) for wave in waves]
    half = len(seen) // 2
    return chosen, Reference(torch.cat(seen[:half]), torch.cat(seen[half:]))


def figures(rows: Sequence[Row], reference: Reference | None) -> dict[str, float]:
    """Means over targets and seeds, by control and method."""
    found = dict[str, float]()
    for key in dict.fromkeys((row.control, row.method) for row in rows):
        group, stem = [r for r in rows if (r.control, r.method) == key], "_".join(key)
        per_target = [float(np.mean(r.metric)) for r in group]
        found[f"{stem}_error"] = float(np.mean(per_target))
        error = np.std(per_target) / max(1, len(group) - 1) ** 0.5
        found[f"{stem}_standard_error"] = float(error)
        found[f"{stem}_heard"] = float(np.mean([r.heard for r in group]))
        found[f"{stem}_seconds"] = float(np.median([r.seconds for r in group]))
        found[f"{stem}_targets"] = float(len(group))
        seen = torch.tensor([e for r in group for e in r.embeddings])
        if reference is not None and len(seen) > 1:
            n = min(len(seen), len(reference.other))
            real = gaussian(reference.music)
            found[f"{stem}_frechet"] = frechet(gaussian(seen), real)
            found[f"{stem}_frechet_of_music"] = frechet(gaussian(reference.other[:n]), real)
    return found


def table(rows: Sequence[Row], found: dict[str, float]) -> Table:
    """The figures, side by side."""
    shown = Table(title="control")
    for name in ("control", "method", "error", "heard", "frechet", "of music", "s/clip", "targets"):
        shown.add_column(name, justify="left" if name in ("control", "method") else "right")
    for control, method in dict.fromkeys((row.control, row.method) for row in rows):
        stem = f"{control}_{method}"
        error = f"{found[f'{stem}_error']:.3g} ± {found[f'{stem}_standard_error']:.1g}"
        rest = (
            f"{found[f'{stem}_{name}']:.3g}" if f"{stem}_{name}" in found else "-"
            for name in ("heard", "frechet", "frechet_of_music", "seconds", "targets")
        )
        shown.add_row(control, method, error, *rest)
    return shown
