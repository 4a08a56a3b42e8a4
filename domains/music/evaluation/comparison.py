"""Comparison of methods on all cases: held-out music, means over targets and seeds, a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from rich.table import Table
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import log_mel
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import find_audio_files, read_wave
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.controls.musicnn import Tagger
from oneleap.domains.music.controls.tagging import TargetTags
from oneleap.domains.music.evaluation.cases import TARGET_TAGS, EvaluationCase, make_cases
from oneleap.domains.music.evaluation.frechet import (
    fit_gaussian,
    frechet_distance,
    musicnn_embeddings,
)
from oneleap.domains.music.evaluation.runner import CaseResult


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

    Returns:
        One case per clip.

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
    for file in find_audio_files(folder):
        samples = torch.from_numpy(read_wave(file, mel.sample_rate).samples)
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
