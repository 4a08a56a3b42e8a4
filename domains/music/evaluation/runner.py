"""One target under one method: what came of it, and a file of many such lines."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub.config import to_config
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.mel import log_mel
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.steering import (
    Settings,
    Steered,
    search_steps,
    steer,
    unsteered,
    warm_noise,
)
from oneleap.domains.music.controls.base import Control
from oneleap.domains.music.controls.musicnn import Tagger
from oneleap.domains.music.evaluation.frechet import embed
from oneleap.domains.music.evaluation.trials import Trial

METHODS = ("free", "ditto2", "ditto")
"""``free`` is the student without control, decoded alike."""


@dataclass(frozen=True)
class Row:
    """What came of one target under one method, over the seeds.

    Attributes:
        control: Its name.
        method: Of :data:`METHODS`.
        number: Of the target.
        metric: Of the spectrogram, a number for each seed.
        heard: Of the sound, analysed anew.
        seconds: A clip's search and decoding.
        decode_steps: Of the final sound.
        embeddings: Musicnn's, of all clips, three a clip.
    """

    control: str
    method: str
    number: int
    metric: list[float]
    heard: list[float]
    seconds: float
    decode_steps: int
    embeddings: list[list[float]]


@dataclass(frozen=True, eq=False)
class Judge:
    """Runs trials.

    Attributes:
        composer: Who composes.
        ear: Musicnn, if there is one.
        seeds: Clips at once.
        seconds: Of a clip.
        lr: Learning rate.
        steps: Of the optimiser; ``None`` is by the control.
        tags: Of the composer.
        seed: Of the noise.
    """

    composer: Composer
    ear: Tagger | None
    seeds: int
    seconds: float
    lr: float
    steps: int | None
    tags: tuple[str, ...]
    seed: int

    @property
    def settings(self) -> dict[str, object]:
        """What a row depends on beside its composer and target."""
        names = ("seeds", "seconds", "lr", "steps", "tags", "seed")
        return {name: to_config(getattr(self, name)) for name in names}

    def __call__(self, name: str, method: str, number: int, trial: Trial) -> Row:
        """One target under one method."""
        composer, generator = self.composer, step_generator(self.seed, number)
        start = time.perf_counter()
        noise = composer.noise(self.seeds, self.seconds, generator)
        if trial.given is not None and trial.kept is not None and method != "free":
            given = trial.given.expand(self.seeds, -1, -1).to(composer.device)
            noise = warm_noise(composer, given, trial.kept, noise, tags=self.tags)
        made = self._made(name, method, noise, trial.control)
        took = (time.perf_counter() - start) / self.seeds
        with torch.no_grad():
            wave = composer.vocode(made.mel)
            again = log_mel(wave, composer.spec.mel)
            metric, heard = trial.control.metric(made.mel), trial.control.metric(again)
        seen = self.embedded(wave)
        return Row(
            name, method, number, metric.tolist(), heard.tolist(), took, made.decode_steps, seen
        )

    def _made(self, name: str, method: str, noise: Tensor, control: Control) -> Steered:
        steps = search_steps(name) if self.steps is None else self.steps
        settings = Settings(steps=steps, lr=self.lr)
        if method == "free":
            return unsteered(self.composer, noise, settings, self.tags)
        if method == "ditto":
            settings = replace(settings, method="ditto")
        return steer(self.composer, [control], noise, settings, tags=self.tags)

    def embedded(self, wave: Float[Tensor, "b n"]) -> list[list[float]]:
        """Musicnn's embeddings, if there is a musicnn."""
        if self.ear is None:
            return []
        found: list[list[float]] = embed(
            self.ear, [wave.cpu()], self.composer.spec.mel.sample_rate
        ).tolist()
        return found


Done = dict[tuple[str, str, int], Row]


def open_rows(rows: Path | None, settings: Mapping[str, object]) -> Done:
    """What an earlier run finished, in a file that is then ready for more.

    Args:
        rows: The file: a line of settings, then a line for each row; one cut short is dropped.
        settings: Of which all rows must be.

    Raises:
        InputError: If the file is another's, or of other settings.
    """
    found = Done()
    if rows is None:
        return found
    lines = rows.read_text(encoding="utf-8").split("\n")[:-1] if rows.is_file() else []
    head = json.dumps({"settings": settings})
    if lines and lines[0] != head:
        raise InputError(f"{rows} has rows of other settings: name another file")
    for k, line in enumerate(lines[1:], 2):
        try:
            row = Row(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise InputError(f"{rows}: line {k} is none of this command's ({error})") from None
        found[row.control, row.method, row.number] = row
    rows.parent.mkdir(parents=True, exist_ok=True)
    with replacing(rows) as temporary:
        temporary.write_text("\n".join([*(lines or [head]), ""]), encoding="utf-8")
    return found


def append_row(rows: Path | None, row: Row) -> None:
    """Add a line."""
    if rows is None:
        return
    with rows.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row)) + "\n")
