"""Evaluation of single cases by a method, and the file of their results."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.hub.config import to_config
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.mel import log_mel
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.generation import (
    GeneratedClip,
    GenerationSettings,
    default_steps,
    optimize_latent,
    sample,
    warm_start_noise,
)
from oneleap.domains.music.controls.base import Control
from oneleap.domains.music.controls.musicnn import Tagger
from oneleap.domains.music.evaluation.cases import EvaluationCase
from oneleap.domains.music.evaluation.frechet import musicnn_embeddings

METHODS = ("free", "ditto2", "ditto")
"""Methods that are compared; ``free`` is the student without control, decoded in the same way."""


@dataclass(frozen=True)
class CaseResult:
    """Result of one case with one method, for several seeds. Files store it by field names.

    Attributes:
        control: Name of the control.
        method: One of :data:`METHODS`.
        number: Number of the case.
        metric: Metric of the generated spectrogram, for each seed.
        metric_of_audio: Metric of the spectrogram of the vocoded audio, for each seed.
        seconds: Time to generate a clip.
        decode_steps: Number of network steps that made the final spectrograms.
        embeddings: Embeddings of musicnn of all clips.
    """

    control: str
    method: str
    number: int
    metric: list[float]
    metric_of_audio: list[float]
    seconds: float
    decode_steps: int
    embeddings: list[list[float]]


@dataclass(frozen=True, eq=False)
class CaseRunner:
    """Evaluates cases.

    Attributes:
        composer: The composer.
        tagger: The musicnn network, or ``None``: there are then no embeddings.
        seeds: Number of clips of a case, which are generated at once.
        seconds: Duration of a clip in seconds.
        lr: Learning rate of the optimizer.
        steps: Maximum number of optimizer steps; ``None`` means the default of the control.
        tags: Tags that the composer is conditioned on.
        seed: Seed of the noise.
    """

    composer: Composer
    tagger: Tagger | None
    seeds: int
    seconds: float
    lr: float
    steps: int | None
    tags: tuple[str, ...]
    seed: int

    @property
    def settings(self) -> dict[str, object]:
        """Settings that a result depends on, besides the composer and the case."""
        names = ("seeds", "seconds", "lr", "steps", "tags", "seed")
        return {name: to_config(getattr(self, name)) for name in names}

    def __call__(self, name: str, method: str, number: int, case: EvaluationCase) -> CaseResult:
        """Evaluate a case.

        Args:
            name: Name of the control.
            method: One of :data:`METHODS`.
            number: Number of the case.
            case: The case.
        """
        composer, generator = self.composer, step_generator(self.seed, number)
        start = time.perf_counter()
        noise = composer.noise(self.seeds, self.seconds, generator)
        if case.given is not None and case.known is not None and method != "free":
            given = case.given.expand(self.seeds, -1, -1).to(composer.device)
            noise = warm_start_noise(composer, given, case.known, noise, tags=self.tags)
        generated = self._generate(name, method, noise, case.control)
        took = (time.perf_counter() - start) / self.seeds
        with torch.no_grad():
            wave = composer.vocode(generated.mel)
            metric = case.control.metric(generated.mel)
            metric_of_audio = case.control.metric(log_mel(wave, composer.spec.mel))
        return CaseResult(
            control=name,
            method=method,
            number=number,
            metric=metric.tolist(),
            metric_of_audio=metric_of_audio.tolist(),
            seconds=took,
            decode_steps=generated.decode_steps,
            embeddings=self.embeddings(wave),
        )

    def _generate(self, name: str, method: str, noise: Tensor, control: Control) -> GeneratedClip:
        steps = default_steps(name) if self.steps is None else self.steps
        settings = GenerationSettings(steps=steps, lr=self.lr)
        if method == "free":
            return sample(self.composer, noise, settings, self.tags)
        if method == "ditto":
            settings = replace(settings, method="ditto")
        return optimize_latent(self.composer, [control], noise, settings, tags=self.tags)

    def embeddings(self, wave: Float[Tensor, "b n"]) -> list[list[float]]:
        """Return the embeddings of musicnn, or nothing without a tagger."""
        if self.tagger is None:
            return []
        found: list[list[float]] = musicnn_embeddings(
            self.tagger, [wave.cpu()], self.composer.spec.mel.sample_rate
        ).tolist()
        return found


Results = dict[tuple[str, str, int], CaseResult]
"""Results by control, method and number of the case."""


def open_results(path: Path | None, settings: Mapping[str, object]) -> Results:
    """Read the results of an earlier run, and prepare the file for more.

    The file has a line of settings and then a line for each result. An incomplete last line is
    removed.

    Args:
        path: The file, or ``None`` for no file.
        settings: Settings that the results must have.

    Raises:
        InputError: If the file has other settings, or is not a file of results.
    """
    found = Results()
    if path is None:
        return found
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
    head = json.dumps({"settings": settings})
    if lines and lines[0] != head:
        raise InputError(f"{path} has results of other settings: name another file")
    for k, line in enumerate(lines[1:], 2):
        try:
            result = _parse_result(line)
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: line {k} is not a result ({error})") from None
        found[result.control, result.method, result.number] = result
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join([*(lines or [head]), ""]), encoding="utf-8")
    return found


def _parse_result(line: str) -> CaseResult:
    """Parse a line. Earlier versions called the field ``metric_of_audio`` ``heard``."""
    fields: dict[str, Any] = json.loads(line)
    return CaseResult(
        **{"metric_of_audio" if name == "heard" else name: x for name, x in fields.items()}
    )


def append_result(path: Path | None, result: CaseResult) -> None:
    """Append a result to the file, if there is one."""
    if path is None:
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(result)) + "\n")
