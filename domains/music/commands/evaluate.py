"""``oneleap evaluate`` for a composer: how well DITTO-2 and DITTO follow each control."""

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
from oneleap.domains.audio.wave import files_in, read
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.controls.musicnn import Tagger
from oneleap.domains.music.controls.tagging import TargetTags
from oneleap.domains.music.evaluation.cases import TARGET_TAGS, EvaluationCase, make_cases
from oneleap.domains.music.evaluation.frechet import (
    fit_gaussian,
    frechet_distance,
    musicnn_embeddings,
)
from oneleap.domains.music.evaluation.runner import (
    METHODS,
    CaseResult,
    CaseRunner,
    append_result,
    open_results,
)


def evaluate(
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
    """Compare DITTO-2 with DITTO on the same base model, and with no control.

    ``error`` is the metric of each control for the spectrogram: intensity dB^2, melody accuracy,
    structure MSE, inpainting MSE, or the probability of a tag that musicnn is to recognize.
    ``audio error`` is the same metric for the audio from the vocoder. ``frechet`` is the squared
    Fréchet distance of musicnn embeddings to held-out music. ``of music`` is this distance between
    two sets of real music of the same sizes, which shows the bias of the estimate. ``s/clip`` is
    the time per clip; the clips of all seeds are generated at once.

    Example: oneleap evaluate composers/mine held-out --tagger musicnn_mtt.npz

    Args:
        run: Folder of a composer.
        music: Folder of music that was not used for training.
        tagger: File of musicnn's weights; without it there are no Fréchet distances.
        controls: Controls to evaluate. The control ``tags`` needs a tagger and a trained vocoder.
        methods: Methods to compare; ``free`` means no control.
        targets: Number of targets of each control.
        ditto_targets: Number of targets for DITTO, which is slow; it gets the first ones.
        seeds: Number of clips for each target.
        seconds: Duration of a clip in seconds.
        lr: Learning rate of both methods.
        steps: Number of optimizer steps; the default is 70, and 150 for melody and structure.
        tags: Tags that the composer is conditioned on.
        seed: Seed of targets and noise.
        rows: File that each result is appended to. Results that it already has, with the same
            settings, are not computed again.
        json: File that the figures are also written to.

    Raises:
        InputError: If there is no such composer, a setting is out of range, or there is too
            little music.
    """
    if targets < 1 or seeds < 1:
        raise InputError(f"targets and seeds must be positive, not {targets} and {seeds}")
    if seed < 0:
        raise InputError(f"seed: must not be negative: {seed}")
    for method in methods:
        if method not in METHODS:
            raise InputError(f"methods: no '{method}' ({', '.join(METHODS)})")
    composer = Composer.load(run)
    network = None if tagger is None else Tagger.load(tagger)
    clips, reference = load_held_out_clips(composer, music, targets, seconds, network, seed)
    runner = CaseRunner(composer, network, seeds, seconds, lr, steps, tags, seed)
    given = {"composer": str(run), "music": str(music), "tagger": str(tagger), "targets": targets}
    results = open_results(rows, given | runner.settings)
    jobs = [
        (name, method, k, case)
        for name in controls
        for k, case in enumerate(evaluation_cases(name, composer, clips, network, seed))
        for method in methods
        if method != "ditto" or k < (targets if ditto_targets is None else ditto_targets)
    ]
    with Progress(console=Console(stderr=True)) as bar:
        for name, method, k, case in bar.track(jobs, description="evaluating"):
            if (name, method, k) not in results:
                results[name, method, k] = runner(name, method, k, case)
                append_result(rows, results[name, method, k])
    wanted = [results[name, method, k] for name, method, k, _ in jobs]
    figures = summarize(wanted, reference)
    Console().print(results_table(wanted, figures))
    if json is not None:
        with replacing(json) as temporary:
            temporary.write_text(json_format.dumps(figures, indent=2) + "\n", encoding="utf-8")


def evaluation_cases(
    name: str,
    composer: Composer,
    clips: Sequence[Float[Tensor, "1 mels n"]],
    tagger: Tagger | None,
    seed: int,
) -> list[EvaluationCase]:
    """Make a case of a control for each clip.

    Args:
        name: Name of the control.
        composer: The composer.
        clips: Spectrograms of held-out music.
        tagger: The musicnn network, or ``None``.
        seed: Seed of the random targets.

    Raises:
        InputError: If there is no such control, or it needs a tagger or a trained vocoder.
    """
    mel = composer.spec.mel
    if name != "tags":
        return make_cases(name, mel, clips[0].shape[2], clips, seed)
    if tagger is None or not isinstance(composer.vocoder, Vocos):
        raise InputError("controls: tags needs a --tagger, and a composer with a trained vocoder")
    targets = [TARGET_TAGS[k % len(TARGET_TAGS)] for k in range(len(clips))]
    return [
        EvaluationCase(TargetTags(tagger, composer.vocode, mel.sample_rate, (tag,)))
        for tag in targets
    ]


@dataclass(frozen=True, eq=False)
class ReferenceEmbeddings:
    """Embeddings of real music, in two halves.

    Attributes:
        music: Embeddings that generated music is compared with.
        other: Embeddings of other music, for the distance between two sets of real music.
    """

    music: Float[Tensor, "n 200"]
    other: Float[Tensor, "m 200"]


@torch.no_grad()
def load_held_out_clips(
    composer: Composer, folder: Path, count: int, seconds: float, tagger: Tagger | None, seed: int
) -> tuple[list[Float[Tensor, "1 mels n"]], ReferenceEmbeddings | None]:
    """Load clips of a folder of music that do not overlap.

    Args:
        composer: The composer.
        folder: Folder of music.
        count: Number of clips.
        seconds: Duration of a clip in seconds.
        tagger: The musicnn network, or ``None``.
        seed: Seed of the choice of clips.

    Returns:
        Spectrograms of ``count`` random clips, and the embeddings of all clips, if there is a
        tagger.

    Raises:
        InputError: If there are too few clips.
    """
    mel, n = composer.spec.mel, composer.frames(seconds)
    length, clips = n * composer.spec.mel.hop, list[Tensor]()
    for file in files_in(folder):
        samples = torch.from_numpy(read(file, mel.sample_rate).samples)
        whole = samples[: len(samples) // length * length].reshape(-1, 1, length)
        clips += [clip for clip in whole if clip.square().mean() > 1e-5]
    if len(clips) < count:
        raise InputError(
            f"{folder} has only {len(clips)} clips of {seconds:g} s, but {count} targets need one "
            "each"
        )
    order = np.random.default_rng(seed).permutation(len(clips))
    waves = [clips[k] for k in order]
    chosen = [log_mel(wave, mel) for wave in waves[:count]]
    if tagger is None:
        return chosen, None
    found = [musicnn_embeddings(tagger, [wave], mel.sample_rate) for wave in waves]
    half = len(found) // 2
    return chosen, ReferenceEmbeddings(torch.cat(found[:half]), torch.cat(found[half:]))


def summarize(
    results: Sequence[CaseResult], reference: ReferenceEmbeddings | None
) -> dict[str, float]:
    """Return means over targets and seeds as ``CONTROL_METHOD_FIGURE``."""
    figures = dict[str, float]()
    for key in dict.fromkeys((result.control, result.method) for result in results):
        group, stem = [r for r in results if (r.control, r.method) == key], "_".join(key)
        per_target = [float(np.mean(r.metric)) for r in group]
        figures[f"{stem}_error"] = float(np.mean(per_target))
        error = np.std(per_target) / max(1, len(group) - 1) ** 0.5
        figures[f"{stem}_standard_error"] = float(error)
        figures[f"{stem}_audio_error"] = float(np.mean([r.metric_of_audio for r in group]))
        figures[f"{stem}_seconds"] = float(np.median([r.seconds for r in group]))
        figures[f"{stem}_targets"] = float(len(group))
        found = torch.tensor([e for r in group for e in r.embeddings])
        if reference is not None and len(found) > 1:
            n = min(len(found), len(reference.other))
            real, other = fit_gaussian(reference.music), fit_gaussian(reference.other[:n])
            figures[f"{stem}_frechet"] = frechet_distance(fit_gaussian(found), real)
            figures[f"{stem}_frechet_of_music"] = frechet_distance(other, real)
    return figures


def results_table(results: Sequence[CaseResult], figures: dict[str, float]) -> Table:
    """Return the figures as a table with a row for each control and method."""
    found = Table(title="control")
    columns = ("control", "method", "error", "audio error", "frechet", "of music", "s/clip")
    for name in (*columns, "targets"):
        found.add_column(name, justify="left" if name in ("control", "method") else "right")
    for control, method in dict.fromkeys((r.control, r.method) for r in results):
        stem = f"{control}_{method}"
        error = f"{figures[f'{stem}_error']:.3g} ± {figures[f'{stem}_standard_error']:.1g}"
        rest = (
            f"{figures[f'{stem}_{name}']:.3g}" if f"{stem}_{name}" in figures else "-"
            for name in ("audio_error", "frechet", "frechet_of_music", "seconds", "targets")
        )
        found.add_row(control, method, error, *rest)
    return found
